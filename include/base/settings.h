/* What an operator can set: plain values, filled by `config`, read by every floor.
 *
 * The table in src/config.c gives each value its key, default and help; `tidingsd
 * --print-config` shows them. Names here are the keys with `_` for `.`, and the unit last.
 * Floor: base. Constant once the threads run, but for what SIGHUP reloads (keys and
 * certificates, which are read again from the paths named here). Texts are owned by config. */
#ifndef TIDINGS_BASE_SETTINGS_H
#define TIDINGS_BASE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum durability { DURABILITY_RELAXED, DURABILITY_DISK, DURABILITY_REPLICATED };
enum samesite { SAMESITE_STRICT, SAMESITE_LAX, SAMESITE_NONE };
enum rooms_create { ROOMS_CREATE_ANYONE, ROOMS_CREATE_SERVICE };
enum presence_visible { PRESENCE_VISIBLE_SHARED, PRESENCE_VISIBLE_REALM };

/* A list of texts, split at commas. */
struct setting_list {
    char **items; /* owned by config; NULL when count is 0 */
    int count;
};

struct settings {
    /* server */
    struct setting_list server_listen; /* "127.0.0.1:8080", "[::1]:80", port 0 = any */
    struct setting_list server_admin_listen;
    int server_workers;                /* 0 = one for each core */
    const char *server_node;           /* default: host name and port */
    const char *log_level;             /* debug, info, warn, error */

    const char *tls_cert; /* PEM path, "" = plain HTTP */
    const char *tls_key;  /* PEM path */

    /* auth */
    const char *auth_secret;      /* HS256, "" = none */
    const char *auth_secret_file; /* path; its first line is the secret */
    const char *auth_public_keys; /* path of PEM keys or certificates, "" = none */
    const char *auth_jwks_file;   /* path, "" = none */
    const char *auth_issuer;      /* "" = not checked */
    const char *auth_audience;    /* "" = not checked */
    int64_t auth_leeway_ms;
    enum samesite auth_cookie_samesite;
    bool auth_dev_tokens;

    /* journal */
    const char *journal_url; /* memory:, sqlite:PATH */
    enum durability journal_durability;
    int64_t journal_retention_days;    /* 0 = for ever */
    int64_t journal_room_events_max;   /* 0 = no limit */
    int64_t journal_dedup_window_ms;
    int64_t journal_readers;           /* SQLite reader threads */
    int64_t journal_tail_window_ms;    /* Redis: how long the tailed stream keeps entries */
    int64_t journal_skew_max_ms;       /* Redis: clock of a new life ahead of the old one's */
    int64_t journal_replicas;          /* Redis: replicas that must have it; 0 = all at start */

    const char *outbox_path;  /* cluster: SQLite file for an outage, "" = none */
    const char *archive_url;  /* cluster: sqlite:PATH, "" = this node is no archive */
    int64_t archive_hold_ms;  /* how long trimming waits for archives */

    /* http */
    struct setting_list http_allowed_origins;
    const char *http_public_origin; /* "" = from the Host header */
    struct setting_list http_trusted_proxies; /* addresses or CIDR blocks */
    int64_t http_head_timeout_ms;  /* from the first byte to the end of the headers */
    int64_t http_body_rate_min;    /* bytes a second, after a grace of as long */
    int64_t http_idle_timeout_ms;  /* a kept-alive connection between requests */

    /* sse */
    int64_t sse_heartbeat_ms;
    int64_t sse_retry_ms;
    int64_t sse_peer_timeout_ms;
    int64_t sse_queue_bytes; /* of one reader, in user space */
    int64_t sse_coalesce_ms; /* 0 = send at once */
    int64_t sse_compressed_max; /* streams with gzip */

    /* poll */
    int64_t poll_session_ttl_ms;

    /* replay */
    int64_t replay_max_events;
    int64_t replay_ring_bytes; /* recent events kept in memory for each realm and worker */
    int64_t replay_ring_age_ms;

    /* drain */
    int64_t drain_notice_ms;
    int64_t drain_spread_ms;

    /* rooms */
    enum rooms_create rooms_create;
    bool rooms_auto_create;
    bool rooms_directory;      /* the directory of public rooms is on */
    int64_t rooms_quiet_limit; /* members; 0: no room is quiet */
    int64_t rooms_stats_interval_ms;

    /* presence, typing, receipts */
    int64_t presence_grace_ms;
    int64_t presence_lease_ms;
    enum presence_visible presence_visible;
    int64_t typing_throttle_ms;
    int64_t typing_timeout_ms;
    int64_t receipts_coalesce_ms;

    /* limits; rates are a second, 0 = no limit */
    int64_t limits_messages;
    int64_t limits_messages_burst;
    int64_t limits_requests;
    int64_t limits_typing;
    int64_t limits_service;
    int64_t limits_sessions; /* of one user */
    int64_t limits_edits;    /* of one message, in all */
    int64_t limits_streams_per_address;
    int64_t limits_streams_burst;
    int64_t limits_fanout_bytes;
    int64_t limits_body_bytes;
    int64_t limits_connections;         /* 0 = what the open-files limit allows */
    int64_t limits_connections_reserve; /* of these, kept for short requests and `busy` */
};

/* In rooms with so many members there are no typing, presence, receipts and joins of others. */
static inline bool settings_is_quiet(const struct settings *settings, int64_t members)
{
    return settings->rooms_quiet_limit > 0 && members > settings->rooms_quiet_limit;
}

#endif
