-- Ids are the 16 bytes of a UUID, times are milliseconds since the Unix epoch, JSON is text.
-- `key` columns are rowids: they never leave the store.

CREATE TABLE conversation (
    key                 INTEGER PRIMARY KEY,
    id                  BLOB NOT NULL UNIQUE,
    owner               TEXT NOT NULL,
    title               TEXT,
    visibility          TEXT NOT NULL,
    origin              TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    metadata            TEXT NOT NULL DEFAULT '{}',
    -- The id under which a conversation that was imported was known.
    alias               TEXT,
    -- The next free place for a message. A place is never given twice, also not after a cut.
    next_seq            INTEGER NOT NULL DEFAULT 1,
    -- Raised by every opened leg, which then carries it.
    epoch               INTEGER NOT NULL DEFAULT 0,
    tickets             TEXT NOT NULL DEFAULT '[]',
    prefix_conversation BLOB,
    prefix_seq          INTEGER,
    tokens_used         INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX conversation_alias ON conversation (alias) WHERE alias IS NOT NULL;
CREATE INDEX conversation_history ON conversation (owner, created_at, id);

CREATE TABLE message (
    key          INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    role         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    alias        TEXT,
    rating       INTEGER,
    body         TEXT NOT NULL,
    UNIQUE (conversation, seq)
);
CREATE UNIQUE INDEX message_alias ON message (alias) WHERE alias IS NOT NULL;

CREATE TABLE run (
    key          INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    -- The id that the answer has or will have. It is reserved: no message that is sent may take it.
    answer       BLOB NOT NULL UNIQUE,
    answer_seq   INTEGER NOT NULL,
    status       TEXT NOT NULL,
    error        TEXT,
    node         BLOB NOT NULL,
    epoch        INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    alias        TEXT,
    -- The conversation's id while the run holds it, NULL afterwards.
    slot         BLOB,
    UNIQUE (conversation, answer_seq)
);
CREATE UNIQUE INDEX run_alias ON run (alias) WHERE alias IS NOT NULL;
-- This index is the rule that a conversation has at most one active run.
CREATE UNIQUE INDEX run_slot ON run (slot) WHERE slot IS NOT NULL;

CREATE TABLE leg (
    key         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    run         INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE,
    idx         INTEGER NOT NULL,
    node        BLOB NOT NULL,
    epoch       INTEGER NOT NULL,
    opened_at   INTEGER NOT NULL,
    closed_at   INTEGER,
    alias       TEXT,
    settings    TEXT NOT NULL,
    echo        TEXT,
    raw_opening TEXT,
    raw_closing TEXT,
    -- All events, from the close on. Last, since it may be long and most reads do not want it.
    seal        BLOB,
    UNIQUE (run, idx)
);
CREATE INDEX leg_open ON leg (opened_at) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX leg_alias ON leg (alias) WHERE alias IS NOT NULL;

-- Events of open legs: one row holds records of several legs and goes when the last of these legs is closed.
CREATE TABLE run_log (
    key     INTEGER PRIMARY KEY,
    records BLOB NOT NULL
);

-- The ids stand here themselves, since a key outlives the cut of its leg.
CREATE TABLE idempotency (
    owner        TEXT NOT NULL,
    name         TEXT NOT NULL,
    leg          BLOB NOT NULL,
    run          BLOB NOT NULL,
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    UNIQUE (owner, name)
);
CREATE INDEX idempotency_conversation ON idempotency (conversation);

-- Messages that the index of terms has not seen as they are now.
CREATE TABLE unindexed (
    message INTEGER PRIMARY KEY REFERENCES message (key) ON DELETE CASCADE
);

-- A message's folded terms, each once, and one term that names the owner. The ascii tokenizer leaves them as they
-- are: it splits at ASCII characters that are neither letters nor digits and nowhere else.
CREATE VIRTUAL TABLE message_terms USING fts5 (
    terms,
    content = '',
    contentless_delete = 1,
    detail = none,
    tokenize = 'ascii'
);

CREATE TABLE user (
    key        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE secret (
    name  TEXT NOT NULL UNIQUE,
    value BLOB NOT NULL
);
