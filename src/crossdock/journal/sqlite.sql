-- Every statement of the SQLite journal, by name. `/*rows*/` marks a row of values that is repeated.

-- name: setting_insert
INSERT INTO setting (name, value) VALUES (?, ?);

-- name: setting
SELECT value FROM setting WHERE name = ?;

-- name: counter_add
INSERT INTO counter (name, value) VALUES /*rows*/ (?, ?)
ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;

-- name: counter_set
INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: counter_raise
INSERT INTO counter (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value);

-- name: counter
SELECT value FROM counter WHERE name = ?;

-- name: counters
SELECT name, value FROM counter;

-- name: event_insert
INSERT INTO event (sequence, shard, source, scope, message_id, received_at, body, facts)
VALUES /*rows*/ (?, ?, ?, ?, ?, ?, ?, ?);

-- The events of a read come as one JSON text: one step of the statement, one decoding.
-- name: events_of_shard
SELECT group_concat('[' || sequence || ',' || shard || ',' || json_quote(source) || ',' || json_quote(message_id)
                    || ',' || received_at || ',' || CAST(body AS TEXT) || ',' || coalesce(facts, 'null') || ']')
FROM (SELECT * FROM event INDEXED BY event_by_shard WHERE shard = ? AND sequence >= ? ORDER BY sequence LIMIT ?);

-- name: events_of_all
SELECT group_concat('[' || sequence || ',' || shard || ',' || json_quote(source) || ',' || json_quote(message_id)
                    || ',' || received_at || ',' || CAST(body AS TEXT) || ',' || coalesce(facts, 'null') || ']')
FROM (SELECT * FROM event WHERE sequence >= ? ORDER BY sequence LIMIT ?);

-- For the rare events that cannot be decoded together.
-- name: event_rows_of_shard
SELECT sequence, shard, source, message_id, received_at, body, facts
FROM event INDEXED BY event_by_shard WHERE shard = ? AND sequence >= ? ORDER BY sequence LIMIT ?;

-- name: event_rows_of_all
SELECT sequence, shard, source, message_id, received_at, body, facts FROM event WHERE sequence >= ? ORDER BY sequence LIMIT ?;

-- name: event
SELECT sequence, shard, source, message_id, received_at, body, facts FROM event WHERE sequence = ?;

-- name: event_last
SELECT max(sequence) FROM event;

-- name: event_newest_of_shard
SELECT max(sequence) FROM event INDEXED BY event_by_shard WHERE shard = ?;

-- name: event_next
SELECT min(sequence) FROM event WHERE sequence >= ?;

-- name: event_next_of_shard
SELECT min(sequence) FROM event INDEXED BY event_by_shard WHERE shard = ? AND sequence >= ?;

-- name: event_oldest
SELECT received_at FROM event ORDER BY sequence LIMIT 1;

-- name: event_at_or_after
SELECT sequence, received_at FROM event WHERE sequence >= ? ORDER BY sequence LIMIT 1;

-- name: events_of_shard_from
SELECT count(*) FROM event INDEXED BY event_by_shard WHERE shard = ? AND sequence >= ?;

-- name: events_from
SELECT count(*) FROM event WHERE sequence >= ?;

-- name: events_below
SELECT sequence, received_at FROM event WHERE sequence < ? ORDER BY sequence LIMIT ?;

-- name: events_delete
DELETE FROM event WHERE sequence <= ?;

-- name: event_marks_after
SELECT sequence, scope, message_id, received_at FROM event WHERE sequence > ? ORDER BY sequence;

-- The newest events have their mark in memory only; a process beside the gateway finds them so.
-- name: event_by_id_after
SELECT max(sequence) FROM event WHERE sequence > ? AND scope = ? AND message_id = ?;

-- name: scope_insert
INSERT OR IGNORE INTO scope (name) VALUES (?);

-- name: scopes
SELECT name FROM scope ORDER BY name;

-- name: mark_runs
SELECT id, slot, marks, last_sequence, newest_at FROM mark_run ORDER BY id;

-- name: mark_tables
SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'mark_[0-9]*';

-- name: mark_run_insert
INSERT INTO mark_run (id, slot, marks, last_sequence, newest_at) VALUES (?, ?, ?, ?, ?);

-- name: mark_run_delete
DELETE FROM mark_run WHERE id = ?;

-- name: mark_table_create
CREATE TABLE IF NOT EXISTS mark_run_0 (
  digest   BLOB PRIMARY KEY,
  sequence INTEGER NOT NULL,
  at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- name: mark_table_drop
DROP TABLE mark_run_0;

-- name: mark_insert
INSERT INTO mark_run_0 (digest, sequence, at) VALUES /*rows*/ (?, ?, ?);

-- name: mark
SELECT sequence, at FROM mark_run_0 WHERE digest = ?;

-- name: marks
SELECT digest, sequence, at FROM mark_run_0;

-- name: mark_filter_set
INSERT INTO mark_filter (plane, cells) VALUES (?, ?) ON CONFLICT (plane) DO UPDATE SET cells = excluded.cells;

-- name: mark_filters
SELECT plane, cells FROM mark_filter;

-- name: cursor_insert
INSERT OR IGNORE INTO cursor (destination, shard, sequence, payload, passed, totals) VALUES (?, ?, ?, 0, ?, '{}');

-- name: cursor
SELECT destination, shard, sequence, payload, passed, totals FROM cursor WHERE destination = ? AND shard = ?;

-- Events set aside are settled by a lane that may have no cursor: their totals go to the destination's first.
-- name: cursor_for_totals
SELECT shard, totals FROM cursor WHERE destination = ? ORDER BY shard = ? DESC, shard LIMIT 1;

-- name: cursors
SELECT destination, shard, sequence, payload, passed, totals FROM cursor ORDER BY destination, shard;

-- name: cursor_lowest
SELECT min(sequence) FROM cursor;

-- name: cursor_move
UPDATE cursor SET sequence = ?, payload = ?, passed = passed + ? WHERE destination = ? AND shard = ?;

-- name: cursor_totals
UPDATE cursor SET totals = ? WHERE destination = ? AND shard = ?;

-- name: request_insert
INSERT INTO request (destination, shard, first_sequence, first_payload, last_sequence, last_payload, payloads,
                     mapping_version, at, duration, status, outcome, answer)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: requests
SELECT destination, shard, first_sequence, first_payload, last_sequence, last_payload, payloads,
       mapping_version, at, duration, status, outcome, answer
FROM request
WHERE last_sequence >= :sequence AND first_sequence <= :sequence
  AND (:destination IS NULL OR destination = :destination AND shard = :shard)
  AND (:destination IS NOT NULL OR shard = -1
       OR shard = coalesce((SELECT shard FROM event WHERE sequence = :sequence), shard))
ORDER BY id;

-- name: requests_expire
DELETE FROM request WHERE id IN (
  SELECT id FROM request WHERE id <= (SELECT max(id) FROM request) - :keep OR at < :before ORDER BY id LIMIT :step
);

-- name: dead_letter_put
INSERT INTO dead_letter (destination, sequence, payload_index, message_id, source, preset, action, reason, code,
                         mapping_version, at, received_at, event, payload, replays, facts)
VALUES /*rows*/ (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (destination, sequence, payload_index) DO UPDATE SET
  preset = excluded.preset, action = excluded.action, reason = excluded.reason, code = excluded.code,
  mapping_version = excluded.mapping_version, at = excluded.at, payload = excluded.payload,
  replays = max(replays, excluded.replays);

-- name: dead_letters
SELECT id, destination, sequence, payload_index, message_id, source, preset, action, reason, code,
       mapping_version, at, received_at, event, payload, replays, facts
FROM dead_letter
WHERE (:destination IS NULL OR destination = :destination) AND (:before IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit;

-- name: dead_letter
SELECT id, destination, sequence, payload_index, message_id, source, preset, action, reason, code,
       mapping_version, at, received_at, event, payload, replays, facts
FROM dead_letter WHERE id = ?;

-- name: dead_letter_ids
SELECT id FROM dead_letter WHERE :destination IS NULL OR destination = :destination ORDER BY id;

-- name: dead_letter_delete
DELETE FROM dead_letter WHERE id = ?;

-- name: dead_letter_replayed
UPDATE dead_letter SET replays = replays + 1 WHERE id = ?;

-- name: dead_letter_counts
SELECT destination, count(*) FROM dead_letter GROUP BY destination;

-- name: aside_insert
INSERT INTO aside (destination, visitor, kind, ready, sequence, payload, only, message_id, source, received_at,
                   event, due_at, attempts, reason, dead_letter, force, facts)
VALUES /*rows*/ (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: aside_delete
DELETE FROM aside WHERE id = ? RETURNING destination, visitor, kind;

-- name: aside_postpone
UPDATE aside SET due_at = ?, attempts = ?, payload = ?, reason = ? WHERE id = ?;

-- name: aside_unready
UPDATE aside SET ready = 0
WHERE destination = ? AND visitor = ? AND kind IN ('retry', 'later') AND ready = 1;

-- name: aside_ready
UPDATE aside SET ready = 1 WHERE id = (
  SELECT id FROM aside WHERE destination = ? AND visitor = ? AND kind IN ('retry', 'later')
  ORDER BY sequence, payload LIMIT 1
);

-- name: asides_due
SELECT destination, visitor, kind, sequence, payload, only, message_id, source, received_at, event, due_at,
       attempts, reason, dead_letter, force, id, facts
FROM aside WHERE destination = ? AND ready = 1 AND due_at <= ? ORDER BY due_at, id LIMIT ?;

-- name: aside_next
SELECT min(due_at) FROM aside WHERE destination = ? AND ready = 1;

-- name: aside_visitors
SELECT visitor, count(*) FROM aside WHERE destination = ? AND kind IN ('retry', 'later') GROUP BY visitor;

-- name: aside_counts
SELECT destination, count(*) FROM aside GROUP BY destination;

-- name: aside_of_dead_letter
SELECT 1 FROM aside WHERE dead_letter = ?;

-- name: aside_delete_of_dead_letter
DELETE FROM aside WHERE dead_letter = ?;

-- name: claims_wanted
WITH wanted (destination, within, slice, digest) AS (VALUES /*rows*/ (?, ?, ?, ?))
SELECT within, slice, digest, key, at, sequence, payload, message_id, suppressed
FROM wanted CROSS JOIN claim USING (destination, within, slice, digest);

-- name: claim_put
INSERT INTO claim (destination, within, slice, digest, key, at, taken_at, sequence, payload, message_id, suppressed)
VALUES /*rows*/ (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (destination, within, slice, digest) DO UPDATE SET
  sequence = excluded.sequence, payload = excluded.payload, message_id = excluded.message_id,
  suppressed = excluded.suppressed;

-- name: claim_part_insert
INSERT OR IGNORE INTO claim_part (destination, sequence, payload, digest, within, slice)
VALUES /*rows*/ (?, ?, ?, ?, ?, ?);

-- name: claims_of_payload
SELECT claim.within, claim.slice, claim.digest, claim.sequence, claim.payload, suppressed
FROM claim_part JOIN claim USING (destination, within, slice, digest)
WHERE destination = ? AND claim_part.sequence = ? AND claim_part.payload = ?;

-- name: claims_of_event
SELECT DISTINCT key, coalesce(message_id, ''), claim.sequence IS claim_part.sequence
FROM claim_part JOIN claim USING (destination, within, slice, digest)
WHERE destination = ? AND claim_part.sequence = ?;

-- name: claim_copies
SELECT DISTINCT claim.key, copy.value ->> 2
FROM claim_part JOIN claim USING (destination, within, slice, digest), json_each(claim.suppressed) AS copy
WHERE destination = ? AND claim_part.sequence = ? AND claim.sequence = claim_part.sequence;
-- name: claim_hand_over
UPDATE claim SET sequence = ?, payload = ?, message_id = ?, suppressed = ?
WHERE destination = ? AND within = ? AND slice = ? AND digest = ?;

-- name: claim_windows
SELECT DISTINCT destination, within FROM claim;

-- The slice that ends a step of expiry.
-- name: claim_step
SELECT slice FROM claim WHERE destination = ? AND within = ? AND slice BETWEEN ? AND ? ORDER BY slice LIMIT 1 OFFSET ?;

-- name: claim_parts_expire
DELETE FROM claim_part WHERE (destination, sequence, payload, digest) IN (
  SELECT destination, sequence, payload, digest FROM claim
  WHERE destination = :destination AND within = :within AND slice BETWEEN :first AND :last AND taken_at < :before
  UNION ALL
  SELECT destination, value ->> 0, value ->> 1, digest FROM claim, json_each(suppressed)
  WHERE destination = :destination AND within = :within AND slice BETWEEN :first AND :last AND taken_at < :before
);

-- name: claims_expire
DELETE FROM claim
WHERE destination = :destination AND within = :within AND slice BETWEEN :first AND :last AND taken_at < :before;

-- name: quarantine_insert
INSERT INTO quarantine (source, message_id, code, reason, channel, received_at, body)
VALUES /*rows*/ (?, ?, ?, ?, ?, ?, ?);

-- name: quarantine_size
SELECT count(*), coalesce(sum(length(body)), 0) FROM quarantine;

-- name: quarantine_oldest
SELECT id, length(body) FROM quarantine ORDER BY id LIMIT ?;

-- name: quarantine_delete_up_to
DELETE FROM quarantine WHERE id <= ?;

-- name: quarantine_delete
DELETE FROM quarantine WHERE id = ? RETURNING length(body);

-- name: quarantine_expired
SELECT id FROM quarantine WHERE received_at < ? ORDER BY id LIMIT ?;

-- name: quarantined
SELECT id, source, message_id, code, reason, body, received_at, channel FROM quarantine
WHERE :before IS NULL OR id < :before ORDER BY id DESC LIMIT :limit;

-- name: quarantined_event
SELECT id, source, message_id, code, reason, body, received_at, channel FROM quarantine WHERE id = ?;

-- name: command_insert
INSERT INTO command (kind, arguments, at) VALUES (?, ?, ?);

-- name: commands
SELECT id, kind, arguments FROM command WHERE result IS NULL ORDER BY id;

-- name: command_newest
SELECT max(id) FROM command WHERE result IS NULL;

-- A request to forget somebody must not be what remembers them.
-- name: command_finish
UPDATE command SET result = ?, arguments = CASE kind WHEN 'forget' THEN '{}' ELSE arguments END WHERE id = ?;

-- name: command_result
SELECT result FROM command WHERE id = ?;

-- name: commands_expire
DELETE FROM command WHERE result IS NOT NULL AND at < ?;

-- name: mail_put
INSERT INTO mail (id, destination, visitor, sequence, payload, message_id, action, command, precious,
                  queued_at, expires_at)
VALUES /*rows*/ (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (destination, sequence, payload) DO NOTHING;

-- name: mail_count
SELECT count(*) FROM mail WHERE destination = ? AND visitor = ? AND settled_at IS NULL;

-- name: mail_surplus
SELECT seq, action FROM mail
WHERE destination = ? AND visitor = ? AND settled_at IS NULL AND leased_until <= ?
ORDER BY precious, seq LIMIT ?;

-- name: mail_settle
UPDATE mail SET state = ?, reason = ?, settled_at = ? WHERE seq = ?;

-- name: mail_waiting
SELECT count(*), max(leased_until) FROM mail
WHERE visitor = ? AND destination IN (SELECT value FROM json_each(?)) AND settled_at IS NULL AND expires_at > ?;

-- name: mail_next
SELECT seq, id, destination, visitor, sequence, payload, message_id, action, command, precious, queued_at,
       expires_at, state, reason, settled_at, leased_until, leases
FROM mail
WHERE visitor = ? AND destination IN (SELECT value FROM json_each(?)) AND settled_at IS NULL AND expires_at > ?
ORDER BY seq LIMIT ?;

-- name: mail_lease
UPDATE mail SET leased_until = ?, leases = leases + 1 WHERE seq = ?;

-- name: mail_held
SELECT seq, destination, action FROM mail WHERE id = ? AND visitor = ? AND settled_at IS NULL AND leases > 0;

-- name: mail_overdue
SELECT seq, destination, action FROM mail
WHERE settled_at IS NULL AND expires_at <= ? AND leased_until <= ? ORDER BY expires_at LIMIT ?;

-- name: mail_retain
DELETE FROM mail WHERE seq IN (
  SELECT seq FROM mail WHERE settled_at IS NOT NULL AND settled_at < ? ORDER BY settled_at LIMIT ?
);

-- name: mail_erase
DELETE FROM mail WHERE visitor IN (SELECT value FROM json_each(?));

-- name: mail_of_event
SELECT seq, id, destination, visitor, sequence, payload, message_id, action, command, precious, queued_at,
       expires_at, state, reason, settled_at, leased_until, leases
FROM mail WHERE destination = ? AND sequence = ? ORDER BY payload;

-- name: visitors_wanted
WITH wanted (key) AS (VALUES /*rows*/ (?)) SELECT key, seen_at, record FROM wanted CROSS JOIN visitor USING (key);

-- name: visitor_put
INSERT INTO visitor (key, seen_at, record) VALUES /*rows*/ (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET seen_at = excluded.seen_at, record = excluded.record;

-- name: visitor_delete
DELETE FROM visitor WHERE key = ?;

-- name: visitors_expire
DELETE FROM visitor WHERE id > :after AND id <= :last AND seen_at < :before RETURNING key;

-- The record that ends a step through them.
-- name: visitor_step
SELECT id FROM visitor WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?;

-- name: visitor_last
SELECT max(id) FROM visitor;

-- Erasure. What an event is about comes as JSON: [userId, anonymousId, previousId].

-- name: visitors_from
SELECT id, key, record FROM visitor WHERE id > ? ORDER BY id LIMIT ?;

-- name: event_identities
SELECT sequence, json_extract(CAST(body AS TEXT), '$.userId', '$.anonymousId', '$.previousId'),
       json_extract(facts, '$.userId', '$.anonymousId')
FROM event WHERE sequence > ? AND sequence < ? ORDER BY sequence LIMIT ?;

-- name: dead_letter_identities
SELECT id, sequence, json_extract(CAST(event AS TEXT), '$.userId', '$.anonymousId', '$.previousId'),
       json_extract(facts, '$.userId', '$.anonymousId')
FROM dead_letter WHERE id > ? ORDER BY id LIMIT ?;

-- name: aside_identities
SELECT id, sequence, json_extract(CAST(event AS TEXT), '$.userId', '$.anonymousId', '$.previousId'),
       json_extract(facts, '$.userId', '$.anonymousId')
FROM aside WHERE id > ? ORDER BY id LIMIT ?;

-- name: events_to_erase
SELECT sequence, shard, CAST(body AS TEXT) ->> '$.type' FROM event
WHERE sequence IN (SELECT value FROM json_each(?)) ORDER BY sequence;

-- name: event_erase
DELETE FROM event WHERE sequence = ?;

-- name: cursors_pass
UPDATE cursor SET passed = passed + 1 WHERE shard IN (?, -1) AND sequence <= ?;

-- Whether the owner's event still stands comes last.
-- name: claims_from
SELECT destination, within, slice, digest, key, sequence, suppressed,
       EXISTS (SELECT 1 FROM event WHERE event.sequence = claim.sequence)
FROM claim WHERE (destination, within, slice, digest) > (?, ?, ?, ?)
ORDER BY destination, within, slice, digest LIMIT ?;

-- name: claim_erase
DELETE FROM claim WHERE destination = ? AND within = ? AND slice = ? AND digest = ?;

-- name: claim_part_erase
DELETE FROM claim_part WHERE destination = ? AND sequence = ? AND digest = ?;

-- name: claim_suppressed
UPDATE claim SET suppressed = ? WHERE destination = ? AND within = ? AND slice = ? AND digest = ?;

-- name: requests_from
SELECT id, shard, first_sequence, last_sequence FROM request WHERE id > ? ORDER BY id LIMIT ?;

-- name: event_between
SELECT 1 FROM event WHERE sequence BETWEEN ? AND ? AND (? = -1 OR shard = ?) LIMIT 1;

-- name: request_erase
DELETE FROM request WHERE id = ?;

-- name: request_blank
UPDATE request SET answer = '' WHERE id = ?;

-- name: quarantine_from
SELECT id, body FROM quarantine WHERE id > ? ORDER BY id LIMIT ?;

-- name: quarantine_replace
UPDATE quarantine SET body = ? WHERE id = ?;

-- name: vendor_keys_erase
DELETE FROM vendor_key WHERE visitor IN (SELECT value FROM json_each(?));

-- name: vendor_keys
SELECT own, key, seen_at FROM vendor_key WHERE destination = ? AND own IN (SELECT value FROM json_each(?));

-- name: vendor_keys_touch
UPDATE vendor_key SET seen_at = ? WHERE destination = ? AND own IN (SELECT value FROM json_each(?));

-- name: vendor_key_put
INSERT INTO vendor_key (destination, own, key, visitor, seen_at) VALUES /*rows*/ (?, ?, ?, ?, ?)
ON CONFLICT (destination, own) DO NOTHING;

-- name: vendor_keys_from
SELECT destination, own, seen_at FROM vendor_key WHERE (destination, own) > (?, ?) ORDER BY destination, own LIMIT ?;

-- name: vendor_key_delete
DELETE FROM vendor_key WHERE destination = ? AND own = ?;
