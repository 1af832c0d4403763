/* Whose request it is: where its token is found, which pages may ask, what it may do; and the
 * cookie and CORS headers that answers carry. Without a connection: the test stands in net's
 * place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/cookie.h"
#include "api/cors.h"
#include "api/identity.h"
#include "base/err.h"
#include "jwt.h"

static struct settings settings;
static struct app app = {.settings = &settings, .keys_lock = PTHREAD_MUTEX_INITIALIZER};
static struct desk desk = {.app = &app};
static struct query_parameter query[4];
static struct exchange exchange;
static struct request request;
static char answer_headers[4096]; /* "Name: value\n" of the last answer */
static char answer_body[4096];
static int answer_status;
static char app_origin[] = "https://app.example.com", star[] = "*";
static char *listed[] = {app_origin, star};

/* In the place of net and app. */
void *worker_app(const struct worker *worker)
{
    return &desk;
}

struct keys *app_keys(struct app *of)
{
    return keys_ref(of->keys);
}

struct span request_query(const struct request *of, const char *name, int *ret_count)
{
    struct span found = {NULL, 0};

    *ret_count = 0;
    for (int i = 0; i < of->query_count; i++) {
        if (span_is(of->query[i].name, name) && (*ret_count)++ == 0)
            found = of->query[i].value;
    }
    return found;
}

void request_add_header(struct request *of, const char *name, const char *value)
{
    strcat(strcat(strcat(strcat(answer_headers, name), ": "), value), "\n");
}

void request_answer(struct request *of, const struct answer *answer)
{
    answer_status = answer->status;
    answer_headers[0] = '\0';
    for (int i = 0; i < answer->header_count; i++)
        request_add_header(of, answer->headers[i].name, answer->headers[i].value);
    cors_on_answer(of, answer->status);
    snprintf(answer_body, sizeof(answer_body), "%.*s", SPAN_ARGS(answer->body));
}

void assets_get(struct request *of)
{
}

void subscribe_get(struct request *of)
{
}

static void set_header(enum request_header header, const char *value)
{
    request.headers[header] = span_text(value);
}

/* A new request to a route of this kind. */
static void begin(enum method method, const struct route *route)
{
    identity_release(&request);
    arena_fini(&request.arena);
    memset(&request, 0, sizeof(request));
    memset(&exchange, 0, sizeof(exchange));
    arena_init(&request.arena, 65536);
    request.method = method;
    request.app = &exchange;
    request.query = query;
    exchange.route = route;
    set_header(HEADER_HOST, "chat.example.com");
}

static char *token_for(const char *user, const char *scope)
{
    const struct token_claims claims = {.user = user, .scope = scope, .issued_at_s = 1,
                                        .expires_at_s = clock_wall_ms() / 1000 + 1000};
    char *token;

    assert_int_equal(token_make(&settings, &claims, &token), ERR_OK);
    return token;
}

static void tokens_are_found_in_order(void **state)
{
    static const struct {
        const char *authorization, *cookie, *access_token, *access_token_2;
        bool is_stream, secure;
        const char *text;
        enum token_source source;
        int err;
    } rows[] = {
        {.source = TOKEN_FROM_NOWHERE},
        {"Bearer a", .text = "a", .source = TOKEN_FROM_HEADER},
        {"bEARER   a ", .text = "a", .source = TOKEN_FROM_HEADER},
        {"Bearer", .text = "", .source = TOKEN_FROM_HEADER},
        {"Bearer ", .text = "", .source = TOKEN_FROM_HEADER},
        {"Bearer a b", .text = "a b", .source = TOKEN_FROM_HEADER},
        {"Bearera", .source = TOKEN_FROM_NOWHERE},
        {"Basic YTpi", .source = TOKEN_FROM_NOWHERE},
        {"Basic YTpi", "tidings=c", .text = "c", .source = TOKEN_FROM_COOKIE},
        {"Bearer a", "tidings=c", "q", NULL, true, .text = "a", .source = TOKEN_FROM_HEADER},
        {"Bearer", "tidings=c", "q", NULL, true, .text = "", .source = TOKEN_FROM_HEADER},
        {NULL, "tidings=c", "q", NULL, true, .text = "q", .source = TOKEN_FROM_QUERY},
        {NULL, "tidings=c", "", NULL, true, .text = "", .source = TOKEN_FROM_QUERY},
        {NULL, "tidings=c", "q", NULL, false, .text = "c", .source = TOKEN_FROM_COOKIE},
        {NULL, NULL, "q", NULL, false, .source = TOKEN_FROM_NOWHERE},
        {NULL, NULL, "q", "r", true, .err = ERR_INVALID_PARAMETER},
        {NULL, "a=1; tidings=c;b=2", .text = "c", .source = TOKEN_FROM_COOKIE},
        {NULL, "tidings=c; tidings=d", .text = "", .source = TOKEN_FROM_COOKIE},
        {NULL, "xtidings=c; Tidings=d; tidings", .source = TOKEN_FROM_NOWHERE},
        {NULL, "__Host-tidings=h", .source = TOKEN_FROM_NOWHERE},
        {NULL, "tidings=c", .secure = true, .source = TOKEN_FROM_NOWHERE},
        {NULL, "tidings=c; __Host-tidings=h", .secure = true, .text = "h",
         .source = TOKEN_FROM_COOKIE},
    };

    for (size_t i = 0; i < array_count(rows); i++) {
        struct span text = {NULL, 0};
        enum token_source source = TOKEN_FROM_NOWHERE;
        begin(METHOD_GET, NULL);
        set_header(HEADER_AUTHORIZATION, rows[i].authorization);
        set_header(HEADER_COOKIE, rows[i].cookie);
        request.secure = rows[i].secure;
        query[0] = (struct query_parameter){span_text("access_token"),
                                            span_text(rows[i].access_token)};
        query[1] = (struct query_parameter){span_text("access_token"),
                                            span_text(rows[i].access_token_2)};
        request.query_count = (rows[i].access_token != NULL) + (rows[i].access_token_2 != NULL);
        assert_int_equal(identity_find_token(&request, &settings, rows[i].is_stream, &text,
                                             &source), rows[i].err);
        if (source != rows[i].source || !span_equal(text, span_text(rows[i].text)))
            fail_msg("row %zu: `%.*s` from %d", i, SPAN_ARGS(text), source);
    }
}

static void access_is_by_scope(void **state)
{
    static const struct {
        enum route_access access;
        int by[3]; /* user, guest, service */
    } rows[] = {
        {ACCESS_READ, {ERR_OK, ERR_OK, ERR_OK}},
        {ACCESS_USER, {ERR_OK, ERR_NOT_ALLOWED, ERR_OK}},
        {ACCESS_SERVICE, {ERR_NOT_ALLOWED, ERR_NOT_ALLOWED, ERR_OK}},
        {ACCESS_ADMIN, {ERR_NOT_ALLOWED, ERR_NOT_ALLOWED, ERR_OK}},
    };
    static const char *const scopes[] = {NULL, "guest", "service"};

    for (size_t i = 0; i < array_count(rows); i++) {
        const struct route route = {.access = rows[i].access};
        for (int scope = 0; scope < 3; scope++) {
            char *token = token_for("alice", scopes[scope]), header[1024];
            struct actor actor;
            sprintf(header, "Bearer %s", token);
            begin(METHOD_POST, &route);
            set_header(HEADER_AUTHORIZATION, header);
            assert_int_equal(identity_check(&request), rows[i].by[scope]);
            request_actor(&request, span_text("room"), &actor);
            assert_true(span_is(actor.user, "alice"));
            assert_int_equal(actor.service, scope == 2);
            free(token);
        }
        begin(METHOD_POST, &route);
        assert_int_equal(identity_check(&request), ERR_TOKEN_MISSING);
        set_header(HEADER_AUTHORIZATION, "Bearer x.y.z");
        assert_int_equal(identity_check(&request), ERR_TOKEN_INVALID);
        request.admin = true;
        assert_int_equal(identity_check(&request),
                         rows[i].access == ACCESS_ADMIN ? ERR_OK : ERR_TOKEN_INVALID);
    }
    const struct route open = {.access = ACCESS_OPEN};
    begin(METHOD_GET, &open);
    set_header(HEADER_AUTHORIZATION, "Bearer x.y.z");
    assert_int_equal(identity_check(&request), ERR_OK);
}

static void cookies_need_an_origin_to_change_something(void **state)
{
    static const struct {
        enum method method;
        bool is_stream;
        enum samesite samesite;
        const char *origin;
        int err;
    } rows[] = {
        {METHOD_POST, false, SAMESITE_STRICT, NULL, ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_POST, false, SAMESITE_STRICT, "http://evil.com", ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_POST, false, SAMESITE_STRICT, "null", ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_POST, false, SAMESITE_STRICT, "http://chat.example.com", ERR_OK},
        {METHOD_POST, false, SAMESITE_NONE, "https://app.example.com", ERR_OK},
        {METHOD_PUT, false, SAMESITE_LAX, NULL, ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_PATCH, false, SAMESITE_LAX, NULL, ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_DELETE, false, SAMESITE_LAX, NULL, ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_OTHER, false, SAMESITE_LAX, NULL, ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_GET, false, SAMESITE_NONE, NULL, ERR_OK},
        {METHOD_GET, false, SAMESITE_NONE, "http://evil.com", ERR_OK},
        {METHOD_HEAD, false, SAMESITE_NONE, NULL, ERR_OK},
        {METHOD_GET, true, SAMESITE_STRICT, NULL, ERR_OK},
        {METHOD_GET, true, SAMESITE_LAX, "http://evil.com", ERR_OK},
        {METHOD_GET, true, SAMESITE_NONE, NULL, ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_GET, true, SAMESITE_NONE, "http://evil.com", ERR_ORIGIN_NOT_ALLOWED},
        {METHOD_GET, true, SAMESITE_NONE, "https://app.example.com", ERR_OK},
    };
    char *token = token_for("alice", NULL), cookie[1024], bearer[1024];

    settings.http_allowed_origins = (struct setting_list){listed, 2};
    sprintf(cookie, "tidings=%s", token);
    sprintf(bearer, "Bearer %s", token);
    for (size_t i = 0; i < array_count(rows); i++) {
        const struct route route = {.access = ACCESS_USER, .is_stream = rows[i].is_stream};
        settings.auth_cookie_samesite = rows[i].samesite;
        begin(rows[i].method, &route);
        set_header(HEADER_COOKIE, cookie);
        set_header(HEADER_ORIGIN, rows[i].origin);
        if (identity_check(&request) != rows[i].err)
            fail_msg("row %zu", i);
        assert_true(exchange.by_cookie);
        begin(rows[i].method, &route); /* by header there is nothing to fear */
        set_header(HEADER_COOKIE, cookie);
        set_header(HEADER_AUTHORIZATION, bearer);
        set_header(HEADER_ORIGIN, rows[i].origin);
        assert_int_equal(identity_check(&request), ERR_OK);
        assert_false(exchange.by_cookie);
    }
    settings.auth_cookie_samesite = SAMESITE_STRICT;
    free(token);
}

static void cors_names_listed_origins(void **state)
{
    static const struct {
        int count; /* of listed */
        const char *origin, *allow;
        bool credentials;
    } rows[] = {
        {0, "https://app.example.com", NULL, false},
        {1, "https://app.example.com", "https://app.example.com", true},
        {1, "https://evil.com", NULL, false},
        {1, "null", NULL, false},
        {1, NULL, NULL, false},
        {2, "https://app.example.com", "https://app.example.com", true},
        {2, "https://evil.com", "*", false},
        {2, "null", "*", false},
        {2, "*", "*", false},
        {2, NULL, NULL, false},
    };
    static const struct route route = {.access = ACCESS_USER};

    for (size_t i = 0; i < array_count(rows); i++) {
        const struct answer answer = {.status = i % 2 ? 200 : 401};
        char line[128];
        settings.http_allowed_origins = (struct setting_list){listed, rows[i].count};
        begin(METHOD_POST, &route);
        set_header(HEADER_ORIGIN, rows[i].origin);
        assert_false(cors_answer_preflight(&request));
        request_answer(&request, &answer);
        sprintf(line, "Access-Control-Allow-Origin: %s\n", rows[i].allow ? rows[i].allow : "");
        assert_int_equal(strstr(answer_headers, line) != NULL, rows[i].allow != NULL);
        assert_int_equal(strstr(answer_headers, "Allow-Origin") != NULL, rows[i].allow != NULL);
        assert_int_equal(strstr(answer_headers, "Allow-Credentials: true") != NULL,
                         rows[i].credentials);
        assert_int_equal(strstr(answer_headers, "Expose-Headers: Retry-After") != NULL,
                         rows[i].allow != NULL);
        assert_non_null(strstr(answer_headers, "Vary: Origin\n"));
        assert_non_null(strstr(answer_headers, "Cache-Control: no-store\n"));
        assert_non_null(strstr(answer_headers, "X-Content-Type-Options: nosniff\n"));
        assert_non_null(strstr(answer_headers, "Referrer-Policy: no-referrer\n"));
    }
}

static void preflights_are_answered_without_a_token(void **state)
{

    settings.http_allowed_origins = (struct setting_list){listed, 1};
    begin(METHOD_OPTIONS, NULL);
    request.app = NULL;
    set_header(HEADER_ORIGIN, "https://app.example.com");
    assert_false(cors_answer_preflight(&request)); /* an OPTIONS of another kind */
    set_header(HEADER_REQUEST_METHOD, "PUT");
    assert_true(cors_answer_preflight(&request));
    assert_int_equal(answer_status, 204);
    assert_non_null(strstr(answer_headers, "Access-Control-Max-Age: 600\n"));
    assert_non_null(strstr(answer_headers, "Allow-Origin: https://app.example.com\n"));
    assert_non_null(strstr(answer_headers, "Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\n"));
    assert_non_null(strstr(answer_headers, "Allow-Headers: Authorization, Content-Type, "
                                           "Content-Encoding, Last-Event-ID, If-Match, "
                                           "X-Tidings-Session\n"));
    set_header(HEADER_ORIGIN, "https://evil.com");
    assert_true(cors_answer_preflight(&request));
    assert_null(strstr(answer_headers, "Access-Control"));
    assert_non_null(strstr(answer_headers, "Vary: Origin\n"));
}

static void pages_and_streams_keep_their_cache_control(void **state)
{
    const struct route page = {.handle = assets_get}, stream = {.handle = subscribe_get};
    const struct answer good = {.status = 200}, bad = {.status = 404};

    begin(METHOD_GET, &page);
    request_answer(&request, &good);
    assert_null(strstr(answer_headers, "Cache-Control"));
    request_answer(&request, &bad);
    assert_non_null(strstr(answer_headers, "Cache-Control: no-store\n"));
    begin(METHOD_GET, &stream);
    request_answer(&request, &good);
    assert_null(strstr(answer_headers, "Cache-Control"));
}

static void a_session_is_set_and_cleared(void **state)
{
    static const struct route route = {.access = ACCESS_READ};
    char *token = token_for("alice", NULL), header[1024], expected[1024];

    sprintf(header, "Bearer %s", token);
    for (int secure = 0; secure < 2; secure++) {
        int max_age;
        begin(METHOD_POST, &route);
        request.secure = secure;
        settings.auth_cookie_samesite = secure ? SAMESITE_NONE : SAMESITE_STRICT;
        set_header(HEADER_AUTHORIZATION, header);
        assert_int_equal(identity_check(&request), ERR_OK);
        session_post(&request);
        assert_int_equal(answer_status, 200);
        assert_non_null(strstr(answer_body, "\"userId\":\"alice\""));
        sprintf(expected, "Set-Cookie: %stidings=%s; Path=/; HttpOnly; SameSite=%s; Max-Age=",
                secure ? "__Host-" : "", token, secure ? "None" : "Strict");
        assert_memory_equal(answer_headers, expected, strlen(expected));
        assert_int_equal(sscanf(answer_headers + strlen(expected), "%d", &max_age), 1);
        assert_in_range(max_age, 990, 1000);
        assert_int_equal(strstr(answer_headers, "; Secure\n") != NULL, secure);
    }
    /* The cookie cannot renew itself. */
    sprintf(header, "tidings=%s", token);
    begin(METHOD_POST, &route);
    set_header(HEADER_COOKIE, header);
    set_header(HEADER_ORIGIN, "http://chat.example.com");
    assert_int_equal(identity_check(&request), ERR_OK);
    session_post(&request);
    assert_int_equal(answer_status, 401);
    assert_null(strstr(answer_headers, "Set-Cookie"));
    session_delete_cookie(&request);
    assert_int_equal(answer_status, 204);
    assert_non_null(strstr(answer_headers, "Set-Cookie: tidings=; Path=/; HttpOnly"));
    assert_non_null(strstr(answer_headers, "Max-Age=0\n"));
    set_header(HEADER_ORIGIN, "http://evil.com");
    session_delete_cookie(&request);
    assert_int_equal(answer_status, 403);
    assert_null(strstr(answer_headers, "Set-Cookie"));
    settings.auth_cookie_samesite = SAMESITE_STRICT;
    free(token);
}

static void development_tokens_are_for_this_machine(void **state)
{
    static const struct {
        bool on;
        const char *body, *origin;
        int status;
    } rows[] = {
        {false, "{\"userId\":\"alice\"}", NULL, 404},
        {true, "{\"userId\":\"alice\"}", NULL, 200},
        {true, "{\"userId\":\"alice\",\"name\":\"Alice\"}", "http://localhost:1", 200},
        {true, "{\"userId\":\"alice\"}", "https://app.example.com", 200},
        {true, "{\"userId\":\"alice\"}", "http://chat.example.com", 403}, /* its name rebound */
        {true, "{\"userId\":\"alice\"}", "null", 403},
        {true, "", NULL, 400},
        {true, "[]", NULL, 400},
        {true, "{\"userId\":7}", NULL, 400},
        {true, "{\"userId\":\"a b\"}", NULL, 400},
        {true, "{\"userId\":\"alice\",\"name\":7}", NULL, 400},
    };
    static const struct route route = {.access = ACCESS_OPEN};

    settings.http_allowed_origins = (struct setting_list){listed, 1};
    for (size_t i = 0; i < array_count(rows); i++) {
        begin(METHOD_POST, &route);
        settings.auth_dev_tokens = rows[i].on;
        set_header(HEADER_ORIGIN, rows[i].origin);
        request.body = span_text(rows[i].body);
        dev_token_post(&request);
        if (answer_status != rows[i].status)
            fail_msg("row %zu: %d %s", i, answer_status, answer_body);
        if (answer_status == 200) {
            struct identity *identity;
            struct span token = span_of(answer_body + 10, strlen(answer_body) - 12);
            assert_int_equal(token_verify(app.keys, &settings, token, clock_wall_ms(), &identity,
                                          NULL), ERR_OK);
            assert_true(span_is(identity->user, "alice"));
            assert_int_equal(identity->name.data != NULL, strstr(rows[i].body, "Alice") != NULL);
            identity_unref(identity);
        }
    }
}

static int make_app(void **state)
{
    char why[256];

    settings.auth_leeway_ms = 30000;
    settings.auth_secret = JWT_SECRET;
    settings.http_public_origin = "";
    return keys_new(&settings, why, sizeof(why), &app.keys);
}

static int drop_app(void **state)
{
    identity_release(&request);
    arena_fini(&request.arena);
    keys_unref(app.keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_found_in_order),
        cmocka_unit_test(access_is_by_scope),
        cmocka_unit_test(cookies_need_an_origin_to_change_something),
        cmocka_unit_test(cors_names_listed_origins),
        cmocka_unit_test(preflights_are_answered_without_a_token),
        cmocka_unit_test(pages_and_streams_keep_their_cache_control),
        cmocka_unit_test(a_session_is_set_and_cleared),
        cmocka_unit_test(development_tokens_are_for_this_machine),
    };
    return cmocka_run_group_tests(tests, make_app, drop_app);
}
