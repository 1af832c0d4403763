#include "config.h"

#include <stddef.h>

#include "net/worker.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MEBIBYTE (INT64_C(1) << 20)
#define RATE_MAX INT64_C(1000000000)
#define EDITS_MAX 100000 /* they are counted at each edit */

#define KEY(name, type, member, min, max, text, help)                                              \
    {                                                                                              \
        name, type, offsetof(struct settings, member), min, max, text, NULL, help                  \
    }
#define TEXT_KEY(name, type, member, text, help) KEY(name, type, member, 0, 0, text, help)
#define WORD_KEY(name, type, member, choices, text, help)                                          \
    {                                                                                              \
        name, type, offsetof(struct settings, member), 0, 0, text, choices, help                   \
    }

const struct config_key config_keys[] = {
    TEXT_KEY("server.listen", CONFIG_LIST, server_listen, "127.0.0.1:8080",
             "Addresses to serve on, with commas between: 127.0.0.1:8080, [::1]:8080, "
             "0.0.0.0:80, and :80 for every address. Port 0 takes a free one, which is printed."),
    TEXT_KEY("server.admin_listen", CONFIG_LIST, server_admin_listen, "",
             "Loopback addresses on which /metrics, /console and /v1/stats answer without a "
             "token."),
    KEY("server.workers", CONFIG_COUNT, server_workers, 0, WORKERS_MAX, "0",
        "Threads that serve; 0 is one for each core."),
    TEXT_KEY("server.node", CONFIG_TEXT, server_node, "",
             "Name of this node; empty is host name and port."),

    WORD_KEY("log.level", CONFIG_WORD, log_level, "debug|info|warn|error", "info",
             "Least level of the lines on stderr."),

    TEXT_KEY("tls.cert", CONFIG_TEXT, tls_cert, "",
             "PEM file with the certificate chain; empty serves plain HTTP. Read again on "
             "SIGHUP."),
    TEXT_KEY("tls.key", CONFIG_TEXT, tls_key, "", "PEM file with the certificate's key."),

    TEXT_KEY("auth.secret", CONFIG_SECRET, auth_secret, "",
             "Secret of HS256 tokens, at least 32 bytes; rather use auth.secret_file."),
    TEXT_KEY("auth.secret_file", CONFIG_TEXT, auth_secret_file, "",
             "File whose first line is the secret of HS256 tokens. Read again on SIGHUP."),
    TEXT_KEY("auth.public_keys", CONFIG_TEXT, auth_public_keys, "",
             "PEM file with public keys or certificates for RS256, ES256 and EdDSA tokens. Read "
             "again on SIGHUP."),
    TEXT_KEY("auth.jwks_file", CONFIG_TEXT, auth_jwks_file, "",
             "JWKS file with keys for tokens, found by their kid. Read again on SIGHUP."),
    TEXT_KEY("auth.issuer", CONFIG_TEXT, auth_issuer, "",
             "What the claim iss must be; empty is not checked."),
    TEXT_KEY("auth.audience", CONFIG_TEXT, auth_audience, "",
             "What the claim aud must be or contain; empty is not checked."),
    KEY("auth.leeway", CONFIG_DURATION, auth_leeway_ms, 0, HOUR, "30s",
        "Difference of clocks that exp and nbf of a token are given."),
    WORD_KEY("auth.cookie_samesite", CONFIG_CHOICE, auth_cookie_samesite, "strict|lax|none",
             "strict", "SameSite of the cookie that POST /v1/session sets."),
    TEXT_KEY("auth.dev_tokens", CONFIG_BOOL, auth_dev_tokens, "no",
             "POST /v1/dev/token gives a token to whoever asks. Only with loopback listeners."),

    TEXT_KEY("journal.url", CONFIG_URL, journal_url, "sqlite:tidings.db",
             "Where events are kept: memory:, sqlite:PATH, or for several nodes "
             "redis://[[user]:password@]host[:port][/database] or redis+unix:///path/of/socket."),
    WORD_KEY("journal.durability", CONFIG_CHOICE, journal_durability, "relaxed|disk|replicated",
             "disk",
             "When a write is answered: relaxed (it survives the process), disk (it survives the "
             "machine), replicated (replicas have it). Over Redis only relaxed is served, which is "
             "the default there."),
    KEY("journal.retention_days", CONFIG_NUMBER, journal_retention_days, 0, 36500, "0",
        "Days after which events are deleted; 0 keeps them for ever."),
    KEY("journal.room_events_max", CONFIG_NUMBER, journal_room_events_max, 0, RATE_MAX, "0",
        "Events kept of one room, the newest; 0 is no limit."),
    KEY("journal.dedup_window", CONFIG_DURATION, journal_dedup_window_ms, MINUTE, 365 * DAY, "24h",
        "How long the messageId of what leaves no message is remembered."),
    KEY("journal.readers", CONFIG_NUMBER, journal_readers, 1, 64, "2",
        "Threads that read the SQLite file."),
    KEY("journal.tail_window", CONFIG_DURATION, journal_tail_window_ms, MINUTE, 365 * DAY, "1h",
        "With Redis: how long the stream that nodes follow keeps its entries."),
    KEY("journal.skew_max", CONFIG_DURATION, journal_skew_max_ms, SECOND, HOUR, "10s",
        "With Redis: how far the clock of a server that takes over may be behind."),
    KEY("journal.replicas", CONFIG_NUMBER, journal_replicas, 0, 64, "0",
        "With Redis and durability replicated: replicas that must have a write; 0 is all that "
        "the master has at the start, at least one."),

    TEXT_KEY("outbox.path", CONFIG_TEXT, outbox_path, "",
             "With Redis: SQLite file that takes writes while Redis is down; empty refuses them."),

    TEXT_KEY("archive.url", CONFIG_URL, archive_url, "",
             "With Redis: sqlite:PATH makes this node keep what Redis no longer does."),
    KEY("archive.hold", CONFIG_DURATION, archive_hold_ms, 0, 365 * DAY, "24h",
        "With Redis: how long rooms are not trimmed while an archive is behind."),

    TEXT_KEY("http.allowed_origins", CONFIG_LIST, http_allowed_origins, "",
             "Origins of pages that may call from elsewhere, exactly as browsers send them: "
             "https://app.example. With * any other page may too, without the cookie."),
    TEXT_KEY("http.public_origin", CONFIG_TEXT, http_public_origin, "",
             "The server's own origin behind a proxy, https://chat.example; empty is taken from "
             "the request."),
    TEXT_KEY("http.trusted_proxies", CONFIG_LIST, http_trusted_proxies, "",
             "Addresses or blocks (10.0.0.0/8) whose X-Forwarded-For and X-Forwarded-Proto "
             "count."),
    KEY("http.head_timeout", CONFIG_DURATION, http_head_timeout_ms, 100, HOUR, "10s",
        "From the first byte of a request to the end of its headers."),
    KEY("http.body_rate_min", CONFIG_SIZE, http_body_rate_min, 0, 1024 * MEBIBYTE, "1k",
        "Bytes a second that a body must come with; 0 is no floor."),
    KEY("http.idle_timeout", CONFIG_DURATION, http_idle_timeout_ms, SECOND, HOUR, "75s",
        "How long a kept-alive connection may rest between requests."),

    KEY("sse.heartbeat", CONFIG_DURATION, sse_heartbeat_ms, 100, MINUTE, "20s",
        "Longest pause between two blocks with an id on a stream that does not ask for "
        "another. Proxies must allow twice as long and 5 s."),
    KEY("sse.retry", CONFIG_DURATION, sse_retry_ms, 10, HOUR, "3s",
        "A client that was cut comes back after one to three times as long."),
    KEY("sse.peer_timeout", CONFIG_DURATION, sse_peer_timeout_ms, 100, HOUR, "60s",
        "A reader that takes nothing for so long is cut."),
    KEY("sse.queue_bytes", CONFIG_SIZE, sse_queue_bytes, 4096, 64 * MEBIBYTE, "64k",
        "Events that wait for one reader; beyond, it is fed from the journal again."),
    KEY("sse.coalesce_ms", CONFIG_MILLISECONDS, sse_coalesce_ms, 0, MINUTE, "0",
        "Events are held back for so long, to be sent together; 0 sends at once."),
    KEY("sse.compressed_max", CONFIG_NUMBER, sse_compressed_max, 0, RATE_MAX, "1000",
        "Streams that may be compressed at a time; 0 is no limit."),

    KEY("poll.session_ttl", CONFIG_DURATION, poll_session_ttl_ms, 100, HOUR, "60s",
        "How long a session of long-polls keeps its queue between two of them."),

    KEY("replay.max_events", CONFIG_NUMBER, replay_max_events, 0, RATE_MAX, "10000",
        "Events sent to one who resumes, the newest; the rest is told as a gap. 0 is no limit."),
    KEY("replay.ring_bytes", CONFIG_SIZE, replay_ring_bytes, 0, 4096 * MEBIBYTE, "8m",
        "Recent events kept in memory for each realm and worker."),
    KEY("replay.ring_age", CONFIG_DURATION, replay_ring_age_ms, 0, DAY, "5m",
        "How long they are kept."),

    KEY("drain.notice", CONFIG_DURATION, drain_notice_ms, 0, HOUR, "5s",
        "How long /readyz says 503 before streams are ended; longer than the check of the "
        "balancer."),
    KEY("drain.spread", CONFIG_DURATION, drain_spread_ms, 0, HOUR, "10s",
        "Streams are ended over so long."),

    WORD_KEY("rooms.create", CONFIG_CHOICE, rooms_create, "anyone|service", "anyone",
             "Who may make rooms."),
    TEXT_KEY("rooms.auto_create", CONFIG_BOOL, rooms_auto_create, "no",
             "Joining a room that is missing makes it, public, with the joiner as its owner."),
    TEXT_KEY("rooms.directory", CONFIG_BOOL, rooms_directory, "no",
             "Everyone may list the public rooms."),
    KEY("rooms.quiet_limit", CONFIG_NUMBER, rooms_quiet_limit, 0, RATE_MAX, "200",
        "Rooms with more members have no typing, presence, receipts and joins of others."),
    KEY("rooms.stats_interval", CONFIG_DURATION, rooms_stats_interval_ms, 100, HOUR, "5s",
        "room_stats is sent at most so often for one of those rooms; one that has come down to "
        "the limit has presence after so long."),

    KEY("presence.grace", CONFIG_DURATION, presence_grace_ms, 0, HOUR, "15s",
        "A user without sessions is shown offline after so long."),
    KEY("presence.lease", CONFIG_DURATION, presence_lease_ms, SECOND, HOUR, "15s",
        "With Redis: a node that is silent for so long is taken for dead."),
    WORD_KEY("presence.visible", CONFIG_CHOICE, presence_visible, "shared|realm", "shared",
             "Whose presence one may ask for: of those with a room in common, or anyone's."),

    KEY("typing.throttle", CONFIG_DURATION, typing_throttle_ms, 0, MINUTE, "1s",
        "user_typing is sent at most so often for a user and room."),
    KEY("typing.timeout", CONFIG_DURATION, typing_timeout_ms, 100, HOUR, "10s",
        "Typing ends so long after its last refresh."),

    KEY("receipts.coalesce_ms", CONFIG_MILLISECONDS, receipts_coalesce_ms, 0, MINUTE, "500",
        "Of many moves of a marker within so long one is told."),

    KEY("limits.messages", CONFIG_NUMBER, limits_messages, 0, RATE_MAX, "20",
        "Messages and custom events of a user, a second."),
    KEY("limits.messages_burst", CONFIG_NUMBER, limits_messages_burst, 0, RATE_MAX, "100",
        "And at once; 0 is as many as a second."),
    KEY("limits.requests", CONFIG_NUMBER, limits_requests, 0, RATE_MAX, "100",
        "Other requests of a user, a second."),
    KEY("limits.typing", CONFIG_NUMBER, limits_typing, 0, RATE_MAX, "10",
        "Typing requests of a user, a second."),
    KEY("limits.service", CONFIG_NUMBER, limits_service, 0, RATE_MAX, "1000",
        "Requests of a service token's user, a second."),
    KEY("limits.sessions", CONFIG_NUMBER, limits_sessions, 0, RATE_MAX, "10",
        "Sessions of one user; beyond, the oldest is ended."),
    KEY("limits.edits", CONFIG_NUMBER, limits_edits, 0, EDITS_MAX, "1000",
        "Edits of one message, in all; 0 is no limit."),
    KEY("limits.streams_per_address", CONFIG_NUMBER, limits_streams_per_address, 0, RATE_MAX, "200",
        "New streams of one address (IPv6: of one /64), a second."),
    KEY("limits.streams_burst", CONFIG_NUMBER, limits_streams_burst, 0, RATE_MAX, "1000",
        "And at once; 0 is as many as a second."),
    KEY("limits.fanout_bytes", CONFIG_SIZE, limits_fanout_bytes, 0, 1024 * 1024 * MEBIBYTE, "64m",
        "Size times members of what a user sends, a second."),
    KEY("limits.body_bytes", CONFIG_SIZE, limits_body_bytes, 1024, 64 * MEBIBYTE, "1m",
        "A request's body, also after it is expanded."),
    KEY("limits.connections", CONFIG_NUMBER, limits_connections, 0, RATE_MAX, "0",
        "TCP connections; 0 is what the limit of open files allows."),
    KEY("limits.connections_reserve", CONFIG_NUMBER, limits_connections_reserve, 0, RATE_MAX, "64",
        "Of these, kept for short requests and for streams that are told busy."),
    {NULL},
};

const int config_key_count = (int)array_count(config_keys) - 1;
