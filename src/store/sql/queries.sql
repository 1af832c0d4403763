-- Named statements of the SQLite journal: each `-- name: x` is prepared once for a connection
-- and is SQL_x in include/store/sqlite_statements.h.

-- name: begin_read
BEGIN

-- name: begin_write
BEGIN IMMEDIATE

-- name: commit
COMMIT

-- name: rollback
ROLLBACK

-- name: state_get
SELECT place_last, reserved, relaxed, clean, boot_id,
       (SELECT coalesce(max(id), 0) FROM event) FROM state

-- name: state_set
UPDATE state SET reserved = ?1, relaxed = ?2, clean = ?3, boot_id = ?4

-- name: state_set_places
UPDATE state SET place_last = ?1

-- name: lost_add
INSERT INTO lost (realm, after_id, before_id) VALUES (?1, ?2, ?3)

-- name: lost
SELECT after_id, before_id FROM lost WHERE realm = ?1 AND before_id > ?2 ORDER BY before_id

-- name: realm_find
SELECT place, head, number, gone FROM realm WHERE name = ?1

-- name: realm_at
SELECT name, head, number, gone FROM realm WHERE place = ?1

-- name: realm_next
SELECT place, head, number FROM realm WHERE place > ?1 ORDER BY place LIMIT 1

-- name: realm_add
INSERT INTO realm (place, name, head, number, gone) VALUES (?1, ?2, 0, 0, 0)

-- name: realm_set
UPDATE realm SET head = ?2, number = ?3 WHERE place = ?1

-- name: room_find
SELECT place, id, deleted, kind, name, topic, announce, slow_mode_s, history_from, data,
       member_count, version, created_at_ms, public_since, gone, trimmed_ordinal, has_erased,
       coalesce((SELECT ordinal FROM event INDEXED BY event_place
                 WHERE event.place = room.place AND (event.kind <> 1) = 0
                 ORDER BY event.id DESC LIMIT 1), trimmed_ordinal)
FROM room WHERE realm = ?1 AND id = ?2 AND deleted = 0

-- name: room_at
SELECT place, id, deleted, kind, name, topic, announce, slow_mode_s, history_from, data,
       member_count, version, created_at_ms, public_since, gone, trimmed_ordinal, has_erased,
       coalesce((SELECT ordinal FROM event INDEXED BY event_place
                 WHERE event.place = room.place AND (event.kind <> 1) = 0
                 ORDER BY event.id DESC LIMIT 1), trimmed_ordinal)
FROM room WHERE place = ?1

-- name: room_add
INSERT INTO room (place, realm, id, deleted, kind, name, topic, announce, slow_mode_s,
                  history_from, data, member_count, version, created_at_ms, public_since, gone)
VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?13, ?12, 0)

-- name: room_set
UPDATE room SET kind = ?4, name = ?5, topic = ?6, announce = ?7, slow_mode_s = ?8,
                history_from = ?9, data = ?10, version = ?11, public_since = ?12
WHERE place = ?1

-- name: room_delete
UPDATE room SET deleted = 1, member_count = 0 WHERE place = ?1

-- name: room_count_members
UPDATE room SET member_count = member_count + ?2 WHERE place = ?1

-- name: room_end_tenures
UPDATE tenure SET until_id = ?2
WHERE user IN (SELECT user FROM member WHERE room = ?1) AND room = ?1
  AND until_id = 9223372036854775807

-- name: room_remove_members
DELETE FROM member WHERE room = ?1

-- name: user_find
SELECT place, id, name, data, gone, acked FROM user WHERE realm = ?1 AND id = ?2

-- name: user_add
INSERT INTO user (place, realm, id, name, data, gone) VALUES (?1, ?2, ?3, NULL, NULL, 0)

-- name: user_set
UPDATE user SET name = ?2, data = ?3 WHERE place = ?1

-- name: member_find
SELECT user, role, joined_at_ms, muted_until_ms, read_id, read_ordinal, mentions, moved_ms,
       notify
FROM member WHERE user = ?1 AND room = ?2

-- name: member_set
UPDATE member SET role = ?3, joined_at_ms = ?4, muted_until_ms = ?5, notify = ?6
WHERE user = ?1 AND room = ?2

-- name: member_add
INSERT INTO member (user, room, user_id, role, joined_at_ms, muted_until_ms, notify)
SELECT ?1, ?2, user.id, ?3, ?4, ?5, ?6 FROM user WHERE place = ?1

-- name: member_remove
DELETE FROM member WHERE user = ?1 AND room = ?2

-- name: members
SELECT member.user, member.role, member.joined_at_ms, member.muted_until_ms,
       member.read_id, member.read_ordinal, member.mentions, member.moved_ms, member.notify,
       member.user_id, user.name, user.data, user.acked, user.acked_at_ms
FROM member INDEXED BY member_room JOIN user ON user.place = member.user
WHERE member.room = ?1 AND member.user_id > ?2 ORDER BY member.user_id LIMIT ?3

-- name: owner_count
SELECT count(*) FROM member INDEXED BY member_owner WHERE room = ?1 AND role = 3

-- name: rooms_of_user
SELECT room.place, room.id, deleted, kind, room.name, topic, announce, slow_mode_s,
       history_from, room.data, member_count, version, created_at_ms, public_since, gone,
       trimmed_ordinal, has_erased,
       coalesce((SELECT ordinal FROM event INDEXED BY event_place
                 WHERE event.place = room.place AND (event.kind <> 1) = 0
                 ORDER BY event.id DESC LIMIT 1), trimmed_ordinal),
       member.user, member.role, member.joined_at_ms, member.muted_until_ms,
       member.read_id, member.read_ordinal, member.mentions, member.moved_ms, member.notify
FROM (SELECT room.place AS place, room.id AS id
      FROM member CROSS JOIN room ON room.place = member.room
      WHERE member.user = ?1 AND room.id > ?2 ORDER BY room.id LIMIT ?3) AS page
CROSS JOIN room ON room.place = page.place
CROSS JOIN member ON member.user = ?1 AND member.room = page.place
ORDER BY page.id

-- name: room_count_of_user
SELECT count(*) FROM member WHERE user = ?1

-- name: marker_put
UPDATE member SET read_id = ?3, read_ordinal = ?4, moved_ms = iif(?5 > 0, ?5, moved_ms)
WHERE user = ?1 AND room = ?2

-- name: user_ack
UPDATE user SET acked = ?2, acked_at_ms = ?3 WHERE place = ?1

-- name: mention_add
INSERT OR IGNORE INTO mention (user, room, id) VALUES (?1, ?2, ?3)

-- name: mentions_remove
DELETE FROM mention WHERE room = ?1 AND id = ?2

-- name: mentions_read
DELETE FROM mention WHERE user = ?1 AND room = ?2 AND id <= ?3

-- name: room_remove_mentions
DELETE FROM mention WHERE room = ?1

-- name: erased_add
INSERT INTO erased (room, node, count) VALUES (?1, ?2, 1)
ON CONFLICT DO UPDATE SET count = count + 1

-- name: erased_note
UPDATE room SET has_erased = 1 WHERE place = ?1 AND has_erased = 0

-- name: erased_count
SELECT count FROM erased WHERE room = ?1 AND node = ?2

-- name: room_remove_erased
DELETE FROM erased WHERE room = ?1

-- name: room_remove_bans
DELETE FROM ban WHERE room = ?1

-- name: ban_find
SELECT until_ms, banned_at_ms, by FROM ban WHERE user = ?1 AND room = ?2

-- name: ban_forget_passed
DELETE FROM ban WHERE room = ?1 AND until_ms > 0 AND until_ms <= ?2

-- name: ban_put
INSERT OR REPLACE INTO ban (user, room, user_id, until_ms, banned_at_ms, by, reason)
SELECT ?1, ?2, user.id, ?3, ?4, ?5, ?6 FROM user WHERE place = ?1

-- name: ban_remove
DELETE FROM ban WHERE user = ?1 AND room = ?2

-- name: bans
SELECT ban.user, ban.user_id, user.name, user.data, ban.until_ms, ban.banned_at_ms, ban.by,
       moderator.id, ban.reason
FROM ban INDEXED BY ban_room
JOIN user ON user.place = ban.user JOIN user AS moderator ON moderator.place = ban.by
WHERE ban.room = ?1 AND ban.user_id > ?2 AND (ban.until_ms = 0 OR ban.until_ms > ?4)
ORDER BY ban.user_id LIMIT ?3

-- name: ban_count
SELECT count(*) FROM ban INDEXED BY ban_room
WHERE room = ?1 AND (until_ms = 0 OR until_ms > ?2)

-- name: room_remove_direct
DELETE FROM direct WHERE room = ?1

-- name: direct_find
SELECT room FROM direct WHERE low = ?1 AND high = ?2

-- name: direct_add
INSERT INTO direct (low, high, room) VALUES (?1, ?2, ?3)

-- name: direct_partner
SELECT iif(low = ?2, high, low) FROM direct WHERE room = ?1

-- name: block_find
SELECT blocked_at_ms FROM block WHERE blocker = ?1 AND user = ?2

-- name: block_add
INSERT INTO block (blocker, user, user_id, blocked_at_ms)
SELECT ?1, ?2, user.id, ?3 FROM user WHERE place = ?2

-- name: block_remove
DELETE FROM block WHERE blocker = ?1 AND user = ?2

-- name: blocks
SELECT block.user, block.user_id, user.name, user.data, block.blocked_at_ms
FROM block INDEXED BY block_name JOIN user ON user.place = block.user
WHERE block.blocker = ?1 AND block.user_id > ?2 ORDER BY block.user_id LIMIT ?3

-- name: block_count
SELECT count(*) FROM block WHERE blocker = ?1

-- name: tenure_open
INSERT INTO tenure (user, room, from_id, until_id) VALUES (?1, ?2, ?3, 9223372036854775807)

-- name: tenure_close
UPDATE tenure SET until_id = ?3
WHERE user = ?1 AND room = ?2 AND until_id = 9223372036854775807

-- name: tenures_of_user
SELECT room, from_id, until_id FROM tenure WHERE user = ?1 AND until_id > ?2
ORDER BY room, from_id

-- name: tenures_in_room
SELECT room, from_id, until_id FROM tenure WHERE user = ?1 AND room = ?3 AND until_id > ?2
ORDER BY room, from_id

-- name: event_add
INSERT INTO event (id, realm, place, number, kind, flags, timestamp_ms, sender, user, type_name,
                   spared, message_id, thread_id, digest, body, own_body, ordinal,
                   target, room)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
        ?18, ?19)

-- name: sender_note
INSERT OR IGNORE INTO sender (sender, place, hour) VALUES (?1, ?2, ?3)

-- name: event_find
SELECT * FROM event_told WHERE id = ?1 AND realm = ?2

-- name: event_at_or_below
SELECT event.id, event.number FROM event INDEXED BY event_realm
WHERE realm = ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1

-- name: events_up
SELECT * FROM event_told WHERE place = ?1 AND (kind <> 1) = 0 AND id > ?2 AND id < ?3
UNION ALL
SELECT * FROM event_told WHERE place = ?1 AND (kind <> 1) = 1 AND id > ?2 AND id < ?3
ORDER BY id LIMIT ?4

-- name: events_down
SELECT * FROM event_told WHERE place = ?1 AND (kind <> 1) = 0 AND id > ?2 AND id < ?3
UNION ALL
SELECT * FROM event_told WHERE place = ?1 AND (kind <> 1) = 1 AND id > ?2 AND id < ?3
ORDER BY id DESC LIMIT ?4

-- name: messages_up
SELECT * FROM event_told WHERE place = ?1 AND (kind <> 1) = 0 AND id > ?2 AND id < ?3
ORDER BY id LIMIT ?4

-- name: messages_down
SELECT * FROM event_told WHERE place = ?1 AND (kind <> 1) = 0 AND id > ?2 AND id < ?3
ORDER BY id DESC LIMIT ?4

-- name: thread_up
SELECT * FROM event_told WHERE place = ?1 AND thread_id = ?5 AND id > ?2 AND id < ?3
ORDER BY id LIMIT ?4

-- name: thread_down
SELECT * FROM event_told WHERE place = ?1 AND thread_id = ?5 AND id > ?2 AND id < ?3
ORDER BY id DESC LIMIT ?4

-- name: ids_up
SELECT id, place, kind FROM event INDEXED BY event_place
WHERE place = ?1 AND (kind <> 1) = 0 AND id > ?2 AND id < ?3
UNION ALL
SELECT id, place, kind FROM event INDEXED BY event_place
WHERE place = ?1 AND (kind <> 1) = 1 AND id > ?2 AND id < ?3
ORDER BY id LIMIT ?4

-- name: ids_down
SELECT id, place, kind FROM event INDEXED BY event_place
WHERE place = ?1 AND (kind <> 1) = 0 AND id > ?2 AND id < ?3
UNION ALL
SELECT id, place, kind FROM event INDEXED BY event_place
WHERE place = ?1 AND (kind <> 1) = 1 AND id > ?2 AND id < ?3
ORDER BY id DESC LIMIT ?4

-- name: message_ids_up
SELECT id, place, kind FROM event INDEXED BY event_place
WHERE place = ?1 AND (kind <> 1) = 0 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?4

-- name: message_ids_down
SELECT id, place, kind FROM event INDEXED BY event_place
WHERE place = ?1 AND (kind <> 1) = 0 AND id > ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4

-- name: thread_ids_up
SELECT id, place, 1 FROM event INDEXED BY event_thread
WHERE place = ?1 AND thread_id = ?5 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?4

-- name: thread_ids_down
SELECT id, place, 1 FROM event INDEXED BY event_thread
WHERE place = ?1 AND thread_id = ?5 AND id > ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4

-- name: realm_ids
SELECT id, place, kind FROM event INDEXED BY event_realm
WHERE realm = ?1 AND id > ?2 ORDER BY id LIMIT ?3

-- name: message_at_or_below
SELECT id, ordinal FROM event INDEXED BY event_place
WHERE place = ?1 AND (kind <> 1) = 0 AND id <= ?2 ORDER BY id DESC LIMIT 1

-- name: message_find
SELECT * FROM event_told WHERE place = ?1 AND message_id = ?2

-- name: messages_of_sender
SELECT event.id, event.place, event.kind
FROM sender CROSS JOIN event INDEXED BY event_place
    ON event.place = sender.place AND (event.kind <> 1) = 0
   AND event.id >= sender.hour * (3600000 << 20) AND event.id < (sender.hour + 1) * (3600000 << 20)
WHERE sender.sender = ?1 AND event.sender = ?1 LIMIT ?2

-- name: messages_of_sender_in_room
SELECT event.id, event.place, event.kind
FROM sender CROSS JOIN event INDEXED BY event_place
    ON event.place = sender.place AND (event.kind <> 1) = 0
   AND event.id >= sender.hour * (3600000 << 20) AND event.id < (sender.hour + 1) * (3600000 << 20)
WHERE sender.sender = ?1 AND event.sender = ?1 AND sender.place = ?3
  AND sender.hour >= (?4 >> 20) / 3600000 AND event.id > ?4
ORDER BY sender.hour, event.id LIMIT ?2

-- name: last_message_of_sender
SELECT event.id, event.timestamp_ms
FROM sender CROSS JOIN event INDEXED BY event_place
    ON event.place = sender.place AND (event.kind <> 1) = 0
   AND event.id >= sender.hour * (3600000 << 20) AND event.id < (sender.hour + 1) * (3600000 << 20)
WHERE sender.sender = ?1 AND event.sender = ?1 AND sender.place = ?2
ORDER BY sender.hour DESC, event.id DESC LIMIT 1

-- name: once_find
SELECT sender, id, timestamp_ms, digest FROM once
WHERE place = ?1 AND message_id = ?2 AND timestamp_ms >= ?3

-- name: once_add
INSERT OR REPLACE INTO once (place, message_id, sender, id, timestamp_ms, digest)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)

-- name: device_find
SELECT cursor, used_at_ms FROM device WHERE user = ?1 AND name = ?2

-- name: device_set
UPDATE device SET cursor = ?3, used_at_ms = ?4 WHERE user = ?1 AND name = ?2

-- name: device_add
INSERT INTO device (user, name, cursor, used_at_ms) VALUES (?1, ?2, ?3, ?4)

-- name: device_limit
DELETE FROM device WHERE user = ?1 AND name IN (
    SELECT name FROM device WHERE user = ?1 AND name <> ?2
    ORDER BY used_at_ms DESC, name LIMIT -1 OFFSET ?3 - 1)

-- name: presence_get
SELECT choice, activity, seen_ms FROM presence WHERE user = ?1

-- name: presence_set
INSERT OR REPLACE INTO presence (user, choice, activity, seen_ms) VALUES (?1, ?2, ?3, ?4)

-- name: subscription_add
INSERT OR IGNORE INTO subscription (user, target) VALUES (?1, ?2)

-- name: subscription_remove
DELETE FROM subscription WHERE user = ?1 AND target = ?2

-- name: subscription_find
SELECT 1 FROM subscription WHERE user = ?1 AND target = ?2

-- name: subscription_count
SELECT count(*) FROM subscription WHERE user = ?1

-- name: subscriptions
SELECT user.id FROM subscription CROSS JOIN user ON user.place = subscription.target
WHERE subscription.user = ?1

-- name: places_of_one
SELECT room FROM member WHERE user = ?1 AND room >= ?2 ORDER BY room

-- name: places_of_other
SELECT room FROM member WHERE user = ?1 AND room >= ?2 ORDER BY room

-- name: trim_age_upto
SELECT count(*), max(id) FROM
    (SELECT id FROM event WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3)

-- name: trim_age_rooms
UPDATE room SET gone = max(gone, trimmed.id),
                trimmed_ordinal = max(trimmed_ordinal, trimmed.ordinal) FROM
    (SELECT event.place AS place, max(event.id) AS id, max(event.ordinal) AS ordinal
     FROM event NOT INDEXED
     WHERE event.id > ?1 AND event.id <= ?2 AND NOT EXISTS
         (SELECT 1 FROM realm WHERE realm.place = event.realm AND realm.head = event.id)
     GROUP BY event.place) AS trimmed
WHERE room.place = trimmed.place

-- name: trim_age_users
UPDATE user SET gone = max(gone, trimmed.id) FROM
    (SELECT event.place AS place, max(event.id) AS id FROM event NOT INDEXED
     WHERE event.id > ?1 AND event.id <= ?2 AND NOT EXISTS
         (SELECT 1 FROM realm WHERE realm.place = event.realm AND realm.head = event.id)
     GROUP BY event.place) AS trimmed
WHERE user.place = trimmed.place

-- name: trim_age_realms
UPDATE realm SET gone = max(gone, trimmed.id) FROM
    (SELECT event.realm AS realm, max(event.id) AS id FROM event NOT INDEXED
     WHERE event.id > ?1 AND event.id <= ?2 AND NOT EXISTS
         (SELECT 1 FROM realm WHERE realm.place = event.realm AND realm.head = event.id)
     GROUP BY event.realm) AS trimmed
WHERE realm.place = trimmed.realm

-- name: trim_age_mentions
DELETE FROM mention WHERE (room, id) IN
    (SELECT place, id FROM event NOT INDEXED WHERE id > ?1 AND id <= ?2 AND NOT EXISTS
        (SELECT 1 FROM realm WHERE realm.place = event.realm AND realm.head = event.id))

-- name: trim_age_erased
DELETE FROM erased
WHERE room IN (SELECT place FROM event NOT INDEXED WHERE id > ?1 AND id <= ?2)
  AND node <= (SELECT trimmed_ordinal FROM room WHERE place = erased.room)

-- name: trim_age_delete
DELETE FROM event NOT INDEXED WHERE id > ?1 AND id <= ?2 AND NOT EXISTS
    (SELECT 1 FROM realm WHERE realm.place = event.realm AND realm.head = event.id)

-- name: trim_room_next
SELECT place FROM room WHERE place > ?1 ORDER BY place LIMIT 1

-- name: trim_room_cut
SELECT id FROM event INDEXED BY event_place WHERE place = ?1 AND (kind <> 1) = 0
UNION ALL
SELECT id FROM event INDEXED BY event_place WHERE place = ?1 AND (kind <> 1) = 1
ORDER BY id DESC LIMIT 1 OFFSET ?2

-- name: trim_room_upto
SELECT count(*), max(id) FROM
    (SELECT id FROM event INDEXED BY event_place
     WHERE place = ?1 AND (kind <> 1) = 0 AND id < ?2
     UNION ALL
     SELECT id FROM event INDEXED BY event_place
     WHERE place = ?1 AND (kind <> 1) = 1 AND id < ?2
     ORDER BY id LIMIT ?3)

-- name: trim_room_delete
DELETE FROM event INDEXED BY event_place
WHERE place = ?1 AND (kind <> 1) IN (0, 1) AND id <= ?2

-- name: trim_room_gone
UPDATE room SET gone = max(gone, ?2), trimmed_ordinal = max(trimmed_ordinal, coalesce(
    (SELECT ordinal FROM event INDEXED BY event_place
     WHERE place = ?1 AND (kind <> 1) = 0 AND id <= ?2 ORDER BY id DESC LIMIT 1), 0))
WHERE place = ?1

-- name: trim_room_mentions
DELETE FROM mention WHERE room = ?1 AND id <= ?2

-- name: trim_room_erased
DELETE FROM erased
WHERE room = ?1 AND node <= (SELECT trimmed_ordinal FROM room WHERE place = ?1 AND gone >= ?2)

-- name: trim_room_realm
UPDATE realm SET gone = max(gone, ?2) WHERE place = (SELECT realm FROM room WHERE place = ?1)

-- name: trim_once_upto
SELECT count(*), max(timestamp_ms) FROM
    (SELECT timestamp_ms FROM once INDEXED BY once_age
     WHERE timestamp_ms < ?1 ORDER BY timestamp_ms LIMIT ?2)

-- name: trim_once_delete
DELETE FROM once INDEXED BY once_age WHERE timestamp_ms <= ?1
