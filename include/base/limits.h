/* Every fixed limit, with its unit in the name. What an operator may change stands in
 * base/settings.h instead.
 * Floor: base. */
#ifndef TIDINGS_BASE_LIMITS_H
#define TIDINGS_BASE_LIMITS_H

#define IDENT_BYTES_MAX 128           /* realm, user, room, device, session, message names */
#define MESSAGE_TEXT_BYTES_MAX 16384  /* `text` of a message */
#define MESSAGE_BYTES_MAX 65536       /* `text` and `message` together */
#define CUSTOM_DATA_BYTES_MAX 65536   /* `data` of a custom event */
#define USER_DATA_BYTES_MAX 1024      /* `data` of a token */
#define USER_NAME_BYTES_MAX 256       /* `name` of a token */
#define ROOM_NAME_BYTES_MAX 256       /* `name` of a room */
#define ROOM_TOPIC_BYTES_MAX 2048     /* `topic` of a room */
#define ROOM_DATA_BYTES_MAX 16384     /* `data` of a room */
#define MENTIONS_MAX 100              /* users in `mentions` */
#define SLOW_MODE_SEC_MAX 21600       /* seconds between messages of one member */
#define TOKEN_BYTES_MAX 8192          /* a JWT as text */
#define TOKEN_GRANTS_MAX 100          /* entries of the claim `rooms` */
#define JSON_DEPTH_MAX 32             /* levels of a body */
#define JSON_VALUES_MAX 20000         /* values in a body (a value costs about 75 bytes) */
#define REQUEST_HEAD_BYTES_MAX 16384  /* request line and headers */
#define REQUEST_TARGET_BYTES_MAX 8192 /* path and query; also where a token may stand */
#define QUERY_PARAMETERS_MAX 64       /* parameters of one request */
#define HEADERS_MAX 100               /* headers of one request */
#define ROOMS_NAMED_MAX 50            /* `rooms` and `watch`, each */
#define ROOMS_OF_USER_MAX 5000        /* memberships of one user in a realm */
#define ROOM_MEMBERS_MAX 1000000      /* members of one room */
#define MEMBERS_ADDED_MAX 1000        /* users of one request */
#define TIME_MS_MAX 9007199254740991  /* times in bodies, ms since 1970: 2^53 - 1 */
#define ROOM_BANS_MAX 10000           /* bans of one room that hold */
#define BANS_PAGE_MAX 100             /* bans of one page */
#define BAN_REASON_BYTES_MAX 1024     /* `reason` of a ban */
#define BLOCKS_OF_USER_MAX 1000       /* users whom one user blocks */
#define BLOCKS_PAGE_MAX 100           /* of them on one page */
#define BATCH_COMMANDS_MAX 100        /* commands of one batch */
#define APPEND_EVENTS_MAX 1000        /* made or rewritten by one append, and by one command more */
#define DEVICES_OF_USER_MAX 20        /* acknowledged cursors of one user */
#define ACTIVITY_CHARACTERS_MAX 64    /* `activity` of a presence */
#define SUBSCRIPTIONS_OF_USER_MAX 500 /* presence subscriptions of one user */
#define PRESENCE_USERS_MAX 100        /* `users` of one request for presence */
#define PRESENCE_SNAPSHOT_MAX 500     /* people told of when a session has caught up */
#define PRESENCE_KNOWN_MAX 100000     /* notes of what people of hushed rooms know, in all */
#define TYPING_ROOMS_OF_USER_MAX 20   /* rooms in which a user types at once */
#define HERE_DATA_BYTES_MAX 1024      /* `data` of a session in a room */
#define HERE_ROOMS_OF_SESSION_MAX 20  /* rooms in which a session is here */
#define HERE_SESSIONS_OF_ROOM_MAX 500 /* sessions that are here in a room */
#define HELD_MAX 512                  /* states held back for one slow reader */
#define HISTORY_MESSAGES_MAX 8000     /* a stream begins with, over all rooms */
#define REACTION_CHARACTERS_MAX 32    /* code points of a reaction's key */
#define REACTION_KEYS_MAX 50          /* of one message */
#define REACTION_USERS_SHOWN 10       /* of one key, in history */
#define HISTORY_LIMIT_MAX 100         /* messages of one page of history */
#define MEMBERS_PAGE_MAX 100          /* members of one page */
#define ROOMS_PAGE_MAX 100            /* rooms of one page */
#define RECEIPTS_PAGE 200             /* receipts read at once, and those of one room more */
#define RECEIPTS_PAGE_MEMBERS 2000    /* members looked at for them, and one room more */
#define RECEIPTS_AGAIN_MS 10000       /* so long before a cursor those are told again */
#define POLL_WAIT_S_MAX 60            /* `wait` of a long-poll */
#define POLL_LIMIT_MAX 1000           /* `limit` of a long-poll */
#define HEARTBEAT_S_MIN 5             /* `heartbeat` of a stream */
#define HEARTBEAT_S_MAX 60
#define REPLAY_PAGE_EVENTS 256        /* events read from the journal at once */
#define REPLAY_PAGE_BYTES 262144      /* and their size on the wire */
#define EVENT_BYTES_MAX 200000        /* one event on the wire, escapes included */

#endif
