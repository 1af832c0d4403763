-- The chat model: what rooms, members and messages have beyond the records of 0001.

-- Markers: how far members have read, and what stands above it.
-- Messages from before have the ordinal 0; they were read by everyone.

ALTER TABLE event ADD COLUMN ordinal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN trimmed_ordinal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN has_erased INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user ADD COLUMN acked INTEGER NOT NULL DEFAULT 0;       -- furthest cursor
ALTER TABLE user ADD COLUMN acked_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN read_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN read_ordinal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN mentions INTEGER NOT NULL DEFAULT 0;  -- rows of `mention`
ALTER TABLE member ADD COLUMN moved_ms INTEGER NOT NULL DEFAULT 0;  -- so that others are told

UPDATE member SET read_id = coalesce(
    (SELECT max(last) FROM
        (SELECT max(id) AS last FROM event INDEXED BY event_place
         WHERE place = member.room AND (kind <> 1) = 0
         UNION ALL
         SELECT max(id) FROM event INDEXED BY event_place
         WHERE place = member.room AND (kind <> 1) = 1)), 0);

-- Members whom a message above their marker mentions.
CREATE TABLE mention (
    room INTEGER NOT NULL,
    id INTEGER NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY (room, id, user)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mention_user ON mention (user, room, id);
CREATE TRIGGER mention_added AFTER INSERT ON mention BEGIN
    UPDATE member SET mentions = mentions + 1 WHERE user = new.user AND room = new.room;
END;
CREATE TRIGGER mention_gone AFTER DELETE ON mention BEGIN
    UPDATE member SET mentions = mentions - 1 WHERE user = old.user AND room = old.room;
END;

-- Deleted top-level messages: the nodes of a tree of counts, see include/store/unread.h.
CREATE TABLE erased (
    room INTEGER NOT NULL,
    node INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (room, node)
) STRICT, WITHOUT ROWID;

-- Presence: what outlives sessions, of users of whom there is something to keep.

CREATE TABLE presence (
    user INTEGER PRIMARY KEY,
    choice INTEGER NOT NULL,     -- 0: none
    activity TEXT,               -- of the choice
    seen_ms INTEGER NOT NULL     -- 0: never
) STRICT;

-- Whose presence a user is told without a room in common.
CREATE TABLE subscription (
    user INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY (user, target)
) STRICT, WITHOUT ROWID;

-- Edits and deletions.
-- Of an event about a message: that message's id. `flags` has 32 once its content was deleted.
ALTER TABLE event ADD COLUMN target INTEGER;
CREATE INDEX event_target ON event (target, kind) WHERE target IS NOT NULL;

-- Members

ALTER TABLE member ADD COLUMN notify INTEGER NOT NULL DEFAULT 0;

-- Of an event that stands under a user: the room that it is about.
ALTER TABLE event ADD COLUMN room INTEGER;

CREATE TABLE ban (
    user INTEGER NOT NULL,
    room INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,    -- 0: for good
    banned_at_ms INTEGER NOT NULL,
    by INTEGER NOT NULL,
    reason TEXT,
    PRIMARY KEY (user, room)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ban_room ON ban (room, user_id);
CREATE INDEX ban_until ON ban (room, until_ms) WHERE until_ms > 0;

-- Direct rooms, each of two users: the one with the lower place first.
CREATE TABLE direct (
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    room INTEGER NOT NULL UNIQUE,
    PRIMARY KEY (low, high)
) STRICT, WITHOUT ROWID;

-- From whom a user wants no direct messages and no mentions.
CREATE TABLE block (
    blocker INTEGER NOT NULL,
    user INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    blocked_at_ms INTEGER NOT NULL,
    PRIMARY KEY (blocker, user)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX block_name ON block (blocker, user_id);

-- Reactions to a message, and how many there are of each key.
CREATE TABLE reaction (
    message INTEGER NOT NULL,
    key TEXT NOT NULL,
    added INTEGER NOT NULL,      -- id of the event
    user INTEGER NOT NULL,
    PRIMARY KEY (message, key, added)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX reaction_user ON reaction (message, key, user);
CREATE TABLE reaction_key (
    message INTEGER NOT NULL,
    key TEXT NOT NULL,
    added INTEGER NOT NULL,      -- id of the first event
    count INTEGER NOT NULL,
    PRIMARY KEY (message, key)
) STRICT, WITHOUT ROWID;

-- How many replies a message has in its thread, without the deleted ones.
CREATE TABLE thread (
    root INTEGER PRIMARY KEY,
    replies INTEGER NOT NULL
) STRICT;
INSERT INTO thread SELECT root.id, count(*) FROM event AS reply
JOIN event AS root ON root.place = reply.place AND root.message_id = reply.thread_id
WHERE reply.thread_id IS NOT NULL GROUP BY root.id;

CREATE TRIGGER message_gone AFTER DELETE ON event WHEN old.kind = 1 BEGIN
    DELETE FROM reaction WHERE message = old.id;
    DELETE FROM reaction_key WHERE message = old.id;
    DELETE FROM thread WHERE root = old.id;
END;

-- The view with all columns of above

DROP VIEW event_told;
CREATE VIEW event_told AS
SELECT event.id, event.number, event.place, event.kind, event.flags, event.timestamp_ms,
       event.sender, event.user, room.id AS room_id, sender.id AS sender_id, user.id AS user_id,
       event.type_name, event.spared, event.message_id, event.thread_id, event.digest,
       event.body, event.own_body, event.realm, event.ordinal, event.target, event.room
FROM event
LEFT JOIN room ON room.place = coalesce(event.room, event.place)
LEFT JOIN user AS sender ON sender.place = event.sender
LEFT JOIN user AS user ON user.place = event.user;
