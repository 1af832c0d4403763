/* Two steps: every claim is read into a struct reading, whose texts are still the JSON's; then
 * one allocation of the right size takes it all. */
#include "api/claims.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/limits.h"
#include "core/ident.h"

struct reading {
    struct span realm, user, name, data;
    int64_t expires_at_s, issued_at_s;
    bool service, guest;
    int grant_count;
    struct grant grants[TOKEN_GRANTS_MAX];
    char data_text[USER_DATA_BYTES_MAX];
    const char *why; /* of the first refusal */
};

static int refuse(struct reading *reading, const char *why)
{
    reading->why = why;
    return ERR_TOKEN_INVALID;
}

static struct span text_of(const json_t *value)
{
    return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value))
                                 : span_of(NULL, 0);
}

/* An optional claim that may also be given as null, as many libraries do. */
static const json_t *optional(const json_t *payload, const char *name)
{
    const json_t *value = json_object_get(payload, name);

    return json_is_null(value) ? NULL : value;
}

/* Absent: `*ret` stays. */
static int read_time(struct reading *reading, const json_t *payload, const char *name,
                     const char *why, int64_t *ret)
{
    const json_t *value = json_object_get(payload, name);

    if (!value)
        return ERR_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > CLAIM_TIME_S_MAX)
        return refuse(reading, why);
    *ret = json_integer_value(value);
    return ERR_OK;
}

bool claims_are_expired(int64_t expires_at_s, const struct settings *settings, int64_t now_ms)
{
    return now_ms >= expires_at_s * 1000 + settings->auth_leeway_ms;
}

static int read_times(struct reading *reading, const json_t *payload,
                      const struct settings *settings, int64_t now_ms)
{
    int64_t not_before_s = 0;
    int err;

    reading->expires_at_s = -1;
    err = read_time(reading, payload, "exp", "exp is no whole number of seconds",
                    &reading->expires_at_s);
    if (!err && reading->expires_at_s < 0)
        err = refuse(reading, "exp is missing");
    if (!err)
        err = read_time(reading, payload, "nbf", "nbf is no whole number of seconds",
                        &not_before_s);
    if (!err)
        err = read_time(reading, payload, "iat", "iat is no whole number of seconds",
                        &reading->issued_at_s);
    if (!err && not_before_s * 1000 > now_ms + settings->auth_leeway_ms)
        err = refuse(reading, "nbf is in the future");
    if (!err && claims_are_expired(reading->expires_at_s, settings, now_ms)) {
        reading->why = "it has expired";
        err = ERR_TOKEN_EXPIRED;
    }
    return err;
}

/* `aud` is a text or a list of texts (RFC 7519, section 4.1.3). */
static bool is_for(const json_t *audience, const char *name)
{
    const json_t *item;
    size_t i;
    bool found = false;

    if (json_is_string(audience))
        return span_is(text_of(audience), name);
    json_array_foreach (audience, i, item) {
        if (!json_is_string(item))
            return false;
        found = found || span_is(text_of(item), name);
    }
    return found;
}

static int check_parties(struct reading *reading, const json_t *payload,
                         const struct settings *settings)
{
    const char *issuer = settings->auth_issuer, *audience = settings->auth_audience;

    if (issuer && *issuer && !span_is(text_of(json_object_get(payload, "iss")), issuer))
        return refuse(reading, "iss is another");
    if (audience && *audience && !is_for(json_object_get(payload, "aud"), audience))
        return refuse(reading, "aud is another");
    return ERR_OK;
}

static int read_names(struct reading *reading, const json_t *payload)
{
    const json_t *realm = json_object_get(payload, "realm"), *name = optional(payload, "name");

    reading->user = text_of(json_object_get(payload, "sub"));
    if (!reading->user.data)
        return refuse(reading, "sub is missing or no text");
    if (!ident_is_user(reading->user))
        return refuse(reading, "sub is no valid userId");
    reading->realm = realm ? text_of(realm) : span_text("main");
    if (!ident_is_valid(reading->realm))
        return refuse(reading, "realm is no valid name");
    if (name && (!json_is_string(name) || json_string_length(name) > USER_NAME_BYTES_MAX))
        return refuse(reading, "name is no text or too long");
    if (name && json_string_length(name) > 0)
        reading->name = text_of(name);
    return ERR_OK;
}

static int read_data(struct reading *reading, const json_t *payload)
{
    const json_t *data = optional(payload, "data");
    size_t len;

    if (!data)
        return ERR_OK;
    if (!json_is_object(data))
        return refuse(reading, "data is no object");
    len = json_dumpb(data, reading->data_text, sizeof(reading->data_text), JSON_COMPACT);
    if (len == 0)
        return ERR_MEMORY;
    if (len > sizeof(reading->data_text))
        return refuse(reading, "data is too long");
    reading->data = span_of(reading->data_text, len);
    return ERR_OK;
}

static int read_rights(struct reading *reading, const json_t *list, uint8_t *ret)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(list))
        return refuse(reading, "can is no list");
    *ret = 0;
    json_array_foreach (list, i, item) {
        struct span right = text_of(item);
        if (!right.data)
            return refuse(reading, "a member of can is no text");
        if (span_is(right, "read"))
            *ret |= GRANT_READ;
        else if (span_is(right, "post"))
            *ret |= GRANT_POST;
        else if (span_is(right, "manage"))
            *ret |= GRANT_MANAGE;
    }
    return ERR_OK;
}

/* An identifier, or the beginning of one (or nothing) with a star behind it. */
static bool pattern_is_valid(struct span text, bool prefix)
{
    if (!prefix || text.len == 0)
        return prefix || ident_is_valid(text);
    return ident_is_valid(text) || span_is(text, ".") || span_is(text, "..");
}

static int read_grant(struct reading *reading, const json_t *item)
{
    struct grant *grant = &reading->grants[reading->grant_count];
    struct span pattern = text_of(json_object_get(item, "room"));

    if (!pattern.data)
        return refuse(reading, "a member of rooms without room");
    grant->prefix = pattern.len > 0 && pattern.data[pattern.len - 1] == '*';
    if (grant->prefix)
        pattern.len--;
    if (!pattern_is_valid(pattern, grant->prefix))
        return refuse(reading, "a room of rooms is no valid pattern");
    grant->pattern = pattern.data;
    grant->len = (uint16_t)pattern.len;
    reading->grant_count++;
    return read_rights(reading, json_object_get(item, "can"), &grant->rights);
}

static int read_grants(struct reading *reading, const json_t *payload)
{
    const json_t *list = optional(payload, "rooms"), *item;
    size_t i;

    if (!list)
        return ERR_OK;
    if (!json_is_array(list))
        return refuse(reading, "rooms is no list");
    if (json_array_size(list) > TOKEN_GRANTS_MAX)
        return refuse(reading, "rooms is too long");
    json_array_foreach (list, i, item) {
        int err = read_grant(reading, item);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* Words with blanks between them (RFC 8693, section 4.2), of which we know two. */
static int read_scope(struct reading *reading, const json_t *payload)
{
    const json_t *scope = optional(payload, "scope");
    struct span rest = text_of(scope);

    if (scope && !rest.data)
        return refuse(reading, "scope is no text");
    while (rest.data) {
        struct span word = span_cut(&rest, ' ');
        reading->service = reading->service || span_is(word, "service");
        reading->guest = reading->guest || span_is(word, "guest");
    }
    return reading->service && reading->guest ? refuse(reading, "scope is service and guest")
                                              : ERR_OK;
}

static struct span put(char **at, struct span text)
{
    char *start = *at;

    if (!text.data)
        return text;
    memcpy(start, text.data, text.len);
    start[text.len] = '\0';
    *at += text.len + 1;
    return span_of(start, text.len);
}

static size_t texts_size(const struct reading *reading)
{
    const struct span texts[] = {reading->realm, reading->user, reading->name, reading->data};
    size_t size = 0;

    for (size_t i = 0; i < array_count(texts); i++)
        size += texts[i].data ? texts[i].len + 1 : 0;
    for (int i = 0; i < reading->grant_count; i++)
        size += reading->grants[i].len + 1U;
    return size;
}

static void put_grants(struct grants *grants, const struct reading *reading, char **at)
{
    grants->count = reading->grant_count;
    for (int i = 0; i < reading->grant_count; i++) {
        const struct grant *grant = &reading->grants[i];
        grants->items[i] = *grant;
        grants->items[i].pattern = put(at, span_of(grant->pattern, grant->len)).data;
    }
}

static int make_identity(const struct reading *reading, struct identity **ret)
{
    size_t grants_size = reading->grant_count == 0
                             ? 0
                             : sizeof(struct grants) +
                                   (size_t)reading->grant_count * sizeof(struct grant);
    size_t size = sizeof(struct identity) + grants_size + texts_size(reading);
    struct identity *identity = calloc(1, size);
    char *at;

    if (!identity)
        return ERR_MEMORY;
    at = (char *)(identity + 1) + grants_size;
    identity->refs = 1;
    identity->expires_at_s = reading->expires_at_s;
    identity->issued_at_s = reading->issued_at_s;
    identity->service = reading->service;
    identity->guest = reading->guest;
    identity->realm = put(&at, reading->realm);
    identity->user = put(&at, reading->user);
    identity->name = put(&at, reading->name);
    identity->data = put(&at, reading->data);
    if (grants_size > 0) {
        identity->grants = (struct grants *)(identity + 1);
        put_grants(identity->grants, reading, &at);
    }
    assert(at == (char *)identity + size);
    *ret = identity;
    return ERR_OK;
}

int claims_read(const json_t *payload, const struct settings *settings, int64_t now_ms,
                struct identity **ret, const char **ret_why)
{
    struct reading reading;
    int err;

    /* Not data_text: it is only read where it was written. */
    memset(&reading, 0, offsetof(struct reading, grants));
    reading.why = NULL;
    err = read_times(&reading, payload, settings, now_ms);
    if (!err)
        err = check_parties(&reading, payload, settings);
    if (!err)
        err = read_names(&reading, payload);
    if (!err)
        err = read_data(&reading, payload);
    if (!err)
        err = read_grants(&reading, payload);
    if (!err)
        err = read_scope(&reading, payload);
    if (!err)
        err = make_identity(&reading, ret);
    *ret_why = reading.why;
    return err;
}

struct identity *identity_ref(struct identity *identity)
{
    unsigned before = __atomic_fetch_add(&identity->refs, 1, __ATOMIC_RELAXED);

    assert(before > 0);
    return identity;
}

struct identity *identity_unref(struct identity *identity)
{
    if (identity && __atomic_sub_fetch(&identity->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(identity);
    return NULL;
}
