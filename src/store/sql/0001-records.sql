-- The records of a journal, as include/store/ledger.h names them.
--
-- A *place* is the number of a realm, room or user, unique over the three.
-- An event id `ms-seq` is kept as one number, ms * 2^20 + seq, unique over all realms, so that
-- events are appended at the end of their table. 0 is none, 2^63-1 is the last there can be.
-- Enums are kept as their numbers in C, whose order is append only.

-- One row: what the writer must know before it gives out an id.
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    place_last INTEGER NOT NULL,  -- highest place that was given
    reserved INTEGER NOT NULL,    -- relaxed: no id at or above it was given out
    relaxed INTEGER NOT NULL,     -- 1: commits are not synced
    clean INTEGER NOT NULL,       -- 1: closed in order
    boot_id TEXT NOT NULL         -- of the machine's life in which the file was opened
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 0, 1, '');

-- Entries of a realm between which others were lost by an unclean end of the machine.
CREATE TABLE lost (
    realm INTEGER NOT NULL,
    after_id INTEGER NOT NULL,
    before_id INTEGER NOT NULL,
    PRIMARY KEY (realm, before_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE realm (
    place INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    head INTEGER NOT NULL,
    number INTEGER NOT NULL,
    gone INTEGER NOT NULL
) STRICT;

CREATE TABLE room (
    place INTEGER PRIMARY KEY,
    realm INTEGER NOT NULL,
    id TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    topic TEXT NOT NULL,
    announce INTEGER NOT NULL,
    slow_mode_s INTEGER NOT NULL,
    history_from INTEGER NOT NULL,
    data TEXT NOT NULL,
    member_count INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    public_since INTEGER NOT NULL,
    gone INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX room_id ON room (realm, id) WHERE deleted = 0;

CREATE TABLE user (
    place INTEGER PRIMARY KEY,
    realm INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    data TEXT,
    gone INTEGER NOT NULL,
    UNIQUE (realm, id)
) STRICT;

CREATE TABLE member (
    user INTEGER NOT NULL,
    room INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    role INTEGER NOT NULL,
    joined_at_ms INTEGER NOT NULL,
    muted_until_ms INTEGER NOT NULL,
    PRIMARY KEY (user, room)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX member_room ON member (room, user_id);
CREATE INDEX member_owner ON member (room) WHERE role = 3;

CREATE TABLE tenure (
    user INTEGER NOT NULL,
    room INTEGER NOT NULL,
    from_id INTEGER NOT NULL,
    until_id INTEGER NOT NULL,
    PRIMARY KEY (user, room, from_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    realm INTEGER NOT NULL,
    place INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    flags INTEGER NOT NULL,       -- audience, +16 when it ends watching
    timestamp_ms INTEGER NOT NULL,
    sender INTEGER,
    user INTEGER,
    type_name TEXT,
    spared TEXT,
    message_id TEXT,
    thread_id TEXT,
    digest BLOB,
    body TEXT NOT NULL,
    own_body TEXT
) STRICT;
-- Each further index costs a page of the WAL for nearly every message, so there are few.
-- The first two answer walks over ids alone without the table. Messages (kind 1) and the other
-- events of a place stand apart in one index; a walk over both merges them.
CREATE INDEX event_realm ON event (realm, id, place, kind);
CREATE INDEX event_place ON event (place, kind <> 1, id, kind, sender);
CREATE UNIQUE INDEX event_message_id ON event (place, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX event_thread ON event (place, thread_id) WHERE thread_id IS NOT NULL;

-- In which hours somebody's commands made events of a place, so that these are found without an
-- index entry for each: hours since 1970 by the ids.
CREATE TABLE sender (
    sender INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    PRIMARY KEY (sender, place, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE once (
    place INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sender INTEGER NOT NULL,
    id INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (place, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_age ON once (timestamp_ms);

CREATE TABLE device (
    user INTEGER NOT NULL,
    name TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    used_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;

CREATE VIEW event_told AS
SELECT event.id, event.number, event.place, event.kind, event.flags, event.timestamp_ms,
       event.sender, event.user, room.id AS room_id, sender.id AS sender_id, user.id AS user_id,
       event.type_name, event.spared, event.message_id, event.thread_id, event.digest,
       event.body, event.own_body, event.realm
FROM event
LEFT JOIN room ON room.place = event.place
LEFT JOIN user AS sender ON sender.place = event.sender
LEFT JOIN user AS user ON user.place = event.user;
