/* Every error the program can give, as one negative number.
 *
 * MODEL  a function that can fail returns 0 or one of these; only `api/problem` turns them
 *        into what a client sees. The text here is for logs and tests.
 * Floor: base. Any thread. */
#ifndef TIDINGS_BASE_ERR_H
#define TIDINGS_BASE_ERR_H

#define ERRORS(X)                                                                                  \
    X(MEMORY, "out of memory")                                                                     \
    X(IO, "input or output failed")                                                                \
    X(CORRUPT, "stored data cannot be read")                                                       \
    X(VERSION, "stored data is of a newer version")                                                \
    X(LOCKED, "in use by another process")                                                         \
    X(FULL, "a limit is reached")                                                                  \
    X(AGAIN, "not now")                                                                            \
    X(NOT_FETCHED, "not known yet: it is being asked for")                                         \
    X(CLOSED, "the other side is gone")                                                            \
    X(UNAVAILABLE, "the journal cannot be reached")                                                \
    X(BUSY, "too busy")                                                                            \
    X(DRAINING, "the node is draining")                                                            \
    X(CONFIG, "the configuration is wrong")                                                        \
    X(INVALID_REQUEST, "the request is malformed")                                                 \
    X(INVALID_PARAMETER, "a query parameter is not valid")                                         \
    X(INVALID_IDENTIFIER, "an identifier is not valid")                                            \
    X(INVALID_JSON, "the body is no valid JSON object")                                            \
    X(INVALID_FIELD, "a member of the body is not valid")                                          \
    X(INVALID_TEXT, "a text is empty, too long or no valid UTF-8")                                 \
    X(TOKEN_MISSING, "no token was given")                                                         \
    X(TOKEN_INVALID, "the token is not valid")                                                     \
    X(TOKEN_EXPIRED, "the token has expired")                                                      \
    X(TOKEN_REVOKED, "the token was revoked")                                                      \
    X(NOT_A_MEMBER, "the user is not in this room")                                                \
    X(NOT_ALLOWED, "the user may not do this")                                                     \
    X(BANNED, "the user is banned from this room")                                                 \
    X(MUTED, "the user is muted in this room")                                                     \
    X(BLOCKED, "the user is blocked")                                                              \
    X(ORIGIN_NOT_ALLOWED, "the page's origin is not allowed")                                      \
    X(NOT_FOUND, "there is no such thing, or not for this user")                                   \
    X(METHOD_NOT_ALLOWED, "the path does not know this method")                                    \
    X(MESSAGE_ID_REUSED, "the messageId names another message")                                    \
    X(MESSAGE_DELETED, "the message has been deleted")                                             \
    X(TOO_MANY_EDITS, "the message has been edited as often as it may be")                         \
    X(LAST_OWNER, "the last owner stays while others are there")                                   \
    X(VERSION_MISMATCH, "the room has changed since")                                              \
    X(LENGTH_REQUIRED, "the body's length is missing")                                             \
    X(BODY_TOO_LARGE, "the body is too large")                                                     \
    X(URI_TOO_LONG, "the address is too long")                                                     \
    X(HEAD_TOO_LARGE, "the request's headers are too large")                                       \
    X(MEDIA_TYPE, "the body's type or encoding is not supported")                                  \
    X(CURSOR_AHEAD, "the cursor is ahead of the journal")                                          \
    X(RATE_LIMITED, "too many requests")                                                           \
    X(NOT_REPLICATED, "stored, but not yet on enough replicas")                                    \
    X(INTERNAL, "a fault of the server")

enum {
    ERR_OK = 0,
#define X(name, text) ERR_POSITIVE_##name,
    ERRORS(X)
#undef X
        ERR_COUNT,
#define X(name, text) ERR_##name = -ERR_POSITIVE_##name,
    ERRORS(X)
#undef X
};

/* The text above; "no error" for 0, "unknown error" for what is none of them. Static. */
const char *err_text(int err);
/* The name above, as `RATE_LIMITED`; for logs and tests. Static. */
const char *err_name(int err);

#endif
