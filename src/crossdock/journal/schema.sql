-- The tables, as numbered migrations: each block runs once, in order, and `user_version` keeps the last number.
-- Times are microseconds since 1970 UTC; shard -1 is a lane over the whole journal.

-- migration: 1

-- What was fixed when the journal was made.
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Running numbers: events ever appended by shard, totals by source, events deleted, the highest sequence deleted.
CREATE TABLE counter (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The log. Sequences are given by the writer and never used again.
CREATE TABLE event (
  sequence    INTEGER PRIMARY KEY,
  shard       INTEGER NOT NULL,
  source      TEXT    NOT NULL,
  scope       TEXT    NOT NULL,
  message_id  TEXT    NOT NULL,
  received_at INTEGER NOT NULL,
  body        BLOB    NOT NULL
) STRICT;
CREATE INDEX event_by_shard ON event (shard, sequence);

-- Every scope ever seen, so that an event is found by its id alone.
CREATE TABLE scope (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Sorted runs of dedup marks. Each has a table of its own, mark_<id>, so that it expires by one DROP.
CREATE TABLE mark_run (
  id            INTEGER PRIMARY KEY,
  slot          INTEGER NOT NULL,   -- its bit in the filter
  marks         INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,   -- events up to here have their mark in this run or an older one
  newest_at     INTEGER NOT NULL
) STRICT;

-- The filter over the runs, eight slots to a plane, so that a start need not read the marks.
CREATE TABLE mark_filter (
  plane INTEGER PRIMARY KEY,
  cells BLOB NOT NULL
) STRICT;

CREATE TABLE cursor (
  destination TEXT    NOT NULL,
  shard       INTEGER NOT NULL,
  sequence    INTEGER NOT NULL,
  payload     INTEGER NOT NULL,
  passed      INTEGER NOT NULL,
  totals      TEXT    NOT NULL,
  PRIMARY KEY (destination, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  destination     TEXT    NOT NULL,
  shard           INTEGER NOT NULL,
  first_sequence  INTEGER NOT NULL,
  first_payload   INTEGER NOT NULL,
  last_sequence   INTEGER NOT NULL,
  last_payload    INTEGER NOT NULL,
  payloads        INTEGER NOT NULL,
  mapping_version TEXT    NOT NULL,
  at              INTEGER NOT NULL,
  duration        REAL    NOT NULL,
  status          INTEGER,
  outcome         TEXT    NOT NULL,
  answer          TEXT    NOT NULL
) STRICT;
CREATE INDEX request_by_range ON request (last_sequence, first_sequence);

CREATE TABLE dead_letter (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  destination     TEXT    NOT NULL,
  sequence        INTEGER NOT NULL,
  payload_index   INTEGER NOT NULL,
  message_id      TEXT    NOT NULL,
  source          TEXT    NOT NULL,
  preset          TEXT    NOT NULL,
  action          TEXT    NOT NULL,
  reason          TEXT    NOT NULL,
  code            TEXT,
  mapping_version TEXT    NOT NULL,
  at              INTEGER NOT NULL,
  received_at     INTEGER NOT NULL,
  event           BLOB    NOT NULL,
  payload         BLOB    NOT NULL,
  replays         INTEGER NOT NULL,
  UNIQUE (destination, sequence, payload_index)
) STRICT;

-- What is delivered out of a lane's order. `ready`: nothing of the same visitor stands before it.
CREATE TABLE aside (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  destination   TEXT    NOT NULL,
  visitor       TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  ready         INTEGER NOT NULL,
  sequence      INTEGER NOT NULL,
  payload       INTEGER NOT NULL,
  only          INTEGER NOT NULL,
  message_id    TEXT    NOT NULL,
  source        TEXT    NOT NULL,
  received_at   INTEGER NOT NULL,
  event         BLOB    NOT NULL,
  due_at        INTEGER NOT NULL,
  attempts      INTEGER NOT NULL,
  reason        TEXT    NOT NULL,
  dead_letter   INTEGER,
  force         INTEGER NOT NULL
) STRICT;
CREATE INDEX aside_due ON aside (destination, due_at) WHERE ready = 1;
CREATE INDEX aside_by_visitor ON aside (destination, visitor, sequence, payload) WHERE kind IN ('retry', 'later');
CREATE INDEX aside_by_dead_letter ON aside (dead_letter) WHERE dead_letter IS NOT NULL;

-- Slices of event time lead the key, so that taking a claim touches recent pages only.
-- `sequence` is NULL while the claim stands vacant; `suppressed` is JSON: [[sequence, payload, message id], …].
CREATE TABLE claim (
  destination TEXT    NOT NULL,
  within      INTEGER NOT NULL,
  slice       INTEGER NOT NULL,
  digest      BLOB    NOT NULL,
  key         TEXT    NOT NULL,
  at          INTEGER NOT NULL,
  taken_at    INTEGER NOT NULL,
  sequence    INTEGER,
  payload     INTEGER,
  message_id  TEXT,
  suppressed  TEXT    NOT NULL,
  PRIMARY KEY (destination, within, slice, digest)
) STRICT, WITHOUT ROWID;

-- Which claims an event takes part in, as owner or suppressed.
CREATE TABLE claim_part (
  destination TEXT    NOT NULL,
  sequence    INTEGER NOT NULL,
  payload     INTEGER NOT NULL,
  digest      BLOB    NOT NULL,
  within      INTEGER NOT NULL,
  slice       INTEGER NOT NULL,
  PRIMARY KEY (destination, sequence, payload, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  source      TEXT    NOT NULL,
  message_id  TEXT,
  code        TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  channel     TEXT,
  received_at INTEGER NOT NULL,
  body        BLOB    NOT NULL
) STRICT;

CREATE TABLE command (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  kind      TEXT    NOT NULL,
  arguments TEXT    NOT NULL,
  at        INTEGER NOT NULL,
  result    TEXT
) STRICT;
CREATE INDEX command_open ON command (id) WHERE result IS NULL;

-- migration: 2

-- Commands that wait for a visitor's own browser, and what became of them.
CREATE TABLE mail (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT    NOT NULL UNIQUE,
  destination  TEXT    NOT NULL,
  visitor      TEXT    NOT NULL,
  sequence     INTEGER NOT NULL,
  payload      INTEGER NOT NULL,
  message_id   TEXT    NOT NULL,
  action       TEXT    NOT NULL,
  command      TEXT    NOT NULL,
  precious     INTEGER NOT NULL,
  queued_at    INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  state        TEXT    NOT NULL DEFAULT 'queued',
  reason       TEXT    NOT NULL DEFAULT '',
  settled_at   INTEGER,
  leased_until INTEGER NOT NULL DEFAULT 0,
  leases       INTEGER NOT NULL DEFAULT 0,
  UNIQUE (destination, sequence, payload)
) STRICT;
CREATE INDEX mail_by_visitor ON mail (visitor, seq);
CREATE INDEX mail_by_expiry ON mail (expires_at) WHERE settled_at IS NULL;
CREATE INDEX mail_by_settling ON mail (settled_at) WHERE settled_at IS NOT NULL;

-- migration: 3

-- What an event's presets may read of its visitor beyond the event itself, as JSON; NULL: nothing.
ALTER TABLE event ADD COLUMN facts TEXT;
ALTER TABLE dead_letter ADD COLUMN facts TEXT;
ALTER TABLE aside ADD COLUMN facts TEXT;

-- What is remembered of visitors, by id: 'a' and an anonymousId, 'u' and a userId. Records are JSON.
-- A table in order of arrival with an index beside it: records of visitors who are here now lie together,
-- so updating them writes few pages.
CREATE TABLE visitor (
  id      INTEGER PRIMARY KEY,
  key     TEXT    NOT NULL UNIQUE,
  seen_at INTEGER NOT NULL,
  record  TEXT    NOT NULL
) STRICT;

-- Keys that a vendor made for ids of ours.
CREATE TABLE vendor_key (
  destination TEXT    NOT NULL,
  own         TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  visitor     TEXT    NOT NULL,
  seen_at     INTEGER NOT NULL,
  PRIMARY KEY (destination, own)
) STRICT, WITHOUT ROWID;
