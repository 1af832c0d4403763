/* The cookie session, and tokens for development. */
#include <assert.h>
#include <stdlib.h>

#include "api/cookie.h"
#include "api/identity.h"
#include "api/json.h"
#include "api/origin.h"
#include "api/problem.h"
#include "base/err.h"

#define DEV_TOKEN_TTL_S 86400

static bool is_secure(const struct request *request)
{
    return cookie_is_secure(request_app(request)->settings, request->secure);
}

static void answer_with_cookie(struct request *request, struct span body, const char *cookie)
{
    const struct answer_header header = {"Set-Cookie", cookie};
    const struct answer answer = {
        .status = body.data ? 200 : 204,
        .content_type = body.data ? "application/json" : NULL,
        .body = body,
        .headers = &header,
        .header_count = 1,
    };

    request_answer(request, &answer);
}

/* Who the cookie speaks for, and until when. */
static struct span describe(struct request *request)
{
    const struct identity *identity = request_identity(request);
    json_t *value = json_pack("{s:s%, s:s%, s:I}", "userId", identity->user.data,
                              identity->user.len, "realm", identity->realm.data,
                              identity->realm.len, "tokenExpiresAt",
                              (json_int_t)(identity->expires_at_s * 1000));
    struct span text = value ? json_to_text(&request->arena, value) : span_of(NULL, 0);

    json_decref(value);
    return text;
}

void session_post(struct request *request)
{
    static const struct problem_detail too_long = {.detail = "The token is too long for a cookie"};
    const struct settings *settings = request_app(request)->settings;
    char cookie[COOKIE_HEADER_BYTES_MAX];
    enum token_source source;
    struct span token, body;
    int64_t max_age_s;

    if (identity_find_token(request, settings, false, &token, &source) ||
        source != TOKEN_FROM_HEADER) {
        problem_answer(request, ERR_TOKEN_MISSING, NULL);
        return;
    }
    max_age_s = request_identity(request)->expires_at_s - clock_wall_ms() / 1000;
    if (max_age_s < 1)
        max_age_s = 1; /* good for a part of the leeway yet; 0 would clear the cookie */
    if (cookie_format(token, is_secure(request), settings->auth_cookie_samesite, max_age_s,
                      cookie)) {
        problem_answer(request, ERR_INVALID_REQUEST, &too_long);
        return;
    }
    body = describe(request);
    if (!body.data)
        problem_answer(request, ERR_MEMORY, NULL);
    else
        answer_with_cookie(request, body, cookie);
}

/* Needs no valid token, so that a cookie that has expired can be cleared too. */
void session_delete_cookie(struct request *request)
{
    const struct settings *settings = request_app(request)->settings;
    char cookie[COOKIE_HEADER_BYTES_MAX];
    enum token_source source;
    struct span token;
    int err;

    err = identity_find_token(request, settings, false, &token, &source);
    if (!err && source == TOKEN_FROM_COOKIE)
        err = identity_check_origin(request, settings);
    if (!err)
        err = cookie_format(span_of("", 0), is_secure(request), settings->auth_cookie_samesite, 0,
                            cookie);
    if (err)
        problem_answer(request, err, NULL);
    else
        answer_with_cookie(request, span_of(NULL, 0), cookie);
}

/* A page elsewhere whose name was made to point at this machine counts as our own origin by its
 * Host, so for these tokens a page must be of a loopback host, or named by the configuration. */
static bool may_have_dev_token(const struct request *request)
{
    const struct settings *settings = request_app(request)->settings;
    struct span origin = request->headers[HEADER_ORIGIN];

    if (!origin.data || origin_is_loopback(origin) ||
        origin_find(&settings->http_allowed_origins, origin))
        return true;
    return *settings->http_public_origin && span_is(origin, settings->http_public_origin);
}

/* The texts of the body, ended by NUL, for as long as `body`. */
static int read_dev_claims(const json_t *body, struct token_claims *ret, const char **ret_field)
{
    struct json_reader reader = {.object = body};
    struct span user = json_read_user(&reader, "userId");
    struct span name = json_read_text(&reader, "name", USER_NAME_BYTES_MAX);

    if (!reader.err && !user.data) {
        reader.err = ERR_INVALID_FIELD;
        reader.field = "userId";
    }
    *ret = (struct token_claims){
        .user = user.data,
        .name = name.data,
        .issued_at_s = clock_wall_ms() / 1000,
        .expires_at_s = clock_wall_ms() / 1000 + DEV_TOKEN_TTL_S,
    };
    *ret_field = reader.field;
    return reader.err;
}

static void answer_with_token(struct request *request, const struct token_claims *claims)
{
    char *token;
    int err = token_make(request_app(request)->settings, claims, &token);

    if (err) {
        problem_answer(request, err, NULL);
        return;
    }
    json_answer(request, 200, json_pack("{s:s}", "token", token));
    free(token);
}

void dev_token_post(struct request *request)
{
    struct problem_detail detail = {0};
    struct token_claims claims;
    json_t *body = NULL;
    int err = ERR_NOT_FOUND;

    if (request_app(request)->settings->auth_dev_tokens)
        err = may_have_dev_token(request) ? ERR_OK : ERR_ORIGIN_NOT_ALLOWED;
    if (!err)
        err = json_body_parse(request->body, &body, &detail.detail);
    if (!err)
        err = read_dev_claims(body, &claims, &detail.field);
    if (err)
        problem_answer(request, err, &detail);
    else
        answer_with_token(request, &claims);
    json_decref(body);
}
