-- What stands beside conversations: notes, files, documents, views of threads, and passwords that were imported.

ALTER TABLE user ADD COLUMN password TEXT;

-- For going through one owner's conversations in the order of their ids.
CREATE INDEX conversation_owner ON conversation (owner, id);

CREATE TABLE summary (
    conversation BLOB PRIMARY KEY REFERENCES conversation (id) ON DELETE CASCADE,
    text         TEXT NOT NULL,
    covers_upto  INTEGER NOT NULL,
    costs        TEXT NOT NULL,
    model        TEXT,
    created_at   INTEGER NOT NULL
);

-- A pin holds for an owner or for one conversation: one of the two columns is set.
CREATE TABLE pin (
    key          INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    owner        TEXT,
    conversation BLOB REFERENCES conversation (id) ON DELETE CASCADE,
    prompt       TEXT NOT NULL,
    answer       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    CHECK ((owner IS NULL) <> (conversation IS NULL))
);
CREATE INDEX pin_owner ON pin (owner, created_at, id) WHERE owner IS NOT NULL;
CREATE INDEX pin_conversation ON pin (conversation, created_at, id) WHERE conversation IS NOT NULL;

-- The bytes lie in the folder `files` of the data directory.
CREATE TABLE file (
    key        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    owner      TEXT NOT NULL,
    name       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    sha256     BLOB NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX file_owner ON file (owner, id);

CREATE TABLE document_version (
    key        INTEGER PRIMARY KEY,
    document   BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    owner      TEXT NOT NULL,
    title      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    content    TEXT NOT NULL,
    UNIQUE (document, created_at)
);
CREATE INDEX document_owner ON document_version (owner, document);

CREATE TABLE suggestion (
    key         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    document    BLOB NOT NULL,
    version_at  INTEGER NOT NULL,
    original    TEXT NOT NULL,
    suggested   TEXT NOT NULL,
    description TEXT,
    resolved    INTEGER NOT NULL,
    user        BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    FOREIGN KEY (document, version_at) REFERENCES document_version (document, created_at) ON DELETE CASCADE
);
CREATE INDEX suggestion_document ON suggestion (document, version_at, created_at);

CREATE TABLE thread_view (
    key        INTEGER PRIMARY KEY,
    user       TEXT NOT NULL,
    thread     TEXT NOT NULL,
    name       TEXT NOT NULL,
    is_group   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (user, thread)
);
