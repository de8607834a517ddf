-- The newest schema of the embedded state, as a fresh file gets it. Older files reach it through the migrations of
-- `src/state/sqlite/schema.rs`; whoever edits this file adds one there.

-- What each link's journal folds into. Not `WITHOUT ROWID`: heads are larger than what fits into the inner pages of
-- such a table, and reading ten thousand of them is what `plan` does.
CREATE TABLE link (
  tenant     TEXT    NOT NULL,
  link       TEXT    NOT NULL,
  generation INTEGER NOT NULL,
  head       TEXT    NOT NULL, -- JSON
  UNIQUE (tenant, link)
) STRICT;

-- The journals. `id` is the order of writing over all links, whatever the writers' clocks said.
CREATE TABLE event (
  id         INTEGER PRIMARY KEY,
  tenant     TEXT    NOT NULL,
  link       TEXT    NOT NULL,
  generation INTEGER NOT NULL,
  at         TEXT    NOT NULL, -- RFC 3339, UTC, nine digits of the second: sorts as text
  author     TEXT    NOT NULL, -- JSON; before: a name
  event      TEXT    NOT NULL, -- JSON
  previous   TEXT,             -- the digest of the event before it; before: NULL
  UNIQUE (tenant, link, generation)
) STRICT;

-- One row per link that was ever leased; it stays, so that its epoch never falls.
CREATE TABLE lease (
  tenant   TEXT    NOT NULL,
  link     TEXT    NOT NULL,
  epoch    INTEGER NOT NULL,
  beat     INTEGER NOT NULL,
  owner    TEXT,             -- JSON; NULL: free
  duration INTEGER NOT NULL, -- seconds
  PRIMARY KEY (tenant, link)
) STRICT, WITHOUT ROWID;

-- Open requests. AUTOINCREMENT, so that the id of one that was taken into account is never given to another.
CREATE TABLE request (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  link   TEXT NOT NULL,
  at     TEXT NOT NULL,
  author TEXT NOT NULL, -- JSON; before: a name
  why    TEXT,
  ask    TEXT NOT NULL -- JSON
) STRICT;

CREATE INDEX request_by_link ON request (tenant, link);

-- The journal of consents: no row is removed, and only `stands` and `evidence_for` change.
CREATE TABLE consent (
  id           INTEGER PRIMARY KEY,
  stands       INTEGER NOT NULL,
  consent      TEXT    NOT NULL, -- JSON
  evidence_for TEXT              -- the commit that it is evidence for, until that is withdrawn
) STRICT;

CREATE INDEX consent_standing ON consent (id) WHERE stands = 1;
CREATE INDEX consent_evidence ON consent (evidence_for) WHERE evidence_for IS NOT NULL;

-- The log of checkpoints: no row is changed or removed.
CREATE TABLE checkpoint (
  number INTEGER PRIMARY KEY,
  batch  TEXT    NOT NULL -- leaves, a line each, and a signed note
) STRICT;
