-- Named statements, as in queries.sql: what is said of messages after they were sent.

-- name: event_rewrite
UPDATE event SET body = ?2, flags = flags | ?3 WHERE id = ?1

-- name: edits
SELECT id, place, kind FROM event INDEXED BY event_target
WHERE target = ?1 AND kind = 2 AND id > ?2 ORDER BY id LIMIT ?3

-- name: edit_count
SELECT count(*) FROM (SELECT 1 FROM event INDEXED BY event_target
                      WHERE target = ?1 AND kind = 2 LIMIT ?2)

-- name: reaction_find
SELECT 1 FROM reaction WHERE message = ?1 AND key = ?2 AND user = ?3

-- name: reaction_add
INSERT INTO reaction (message, key, added, user) VALUES (?1, ?2, ?3, ?4)

-- name: reaction_remove
DELETE FROM reaction WHERE message = ?1 AND key = ?2 AND user = ?3

-- name: reaction_users
SELECT user.id FROM reaction JOIN user ON user.place = reaction.user
WHERE message = ?1 AND key = ?2 ORDER BY added LIMIT ?3

-- name: reaction_clear
DELETE FROM reaction WHERE message = ?1

-- name: reaction_key_raise
INSERT INTO reaction_key (message, key, added, count) VALUES (?1, ?2, ?3, 1)
ON CONFLICT DO UPDATE SET count = count + 1

-- name: reaction_key_lower
UPDATE reaction_key SET count = count - 1 WHERE message = ?1 AND key = ?2

-- name: reaction_key_drop
DELETE FROM reaction_key WHERE message = ?1 AND key = ?2 AND count = 0

-- name: reaction_keys
SELECT key, count FROM reaction_key WHERE message = ?1 ORDER BY added

-- name: reaction_key_count
SELECT count(*), coalesce(max(key = ?2), 0) FROM reaction_key WHERE message = ?1

-- name: reaction_key_clear
DELETE FROM reaction_key WHERE message = ?1

-- name: thread_replies
SELECT replies FROM thread WHERE root = ?1

-- name: thread_waiting
SELECT count(*) FROM event INDEXED BY event_thread
WHERE place = ?1 AND thread_id = ?2 AND flags & ?3 = 0

-- name: thread_count
INSERT INTO thread (root, replies) VALUES (?1, ?2)
ON CONFLICT DO UPDATE SET replies = replies + ?2
