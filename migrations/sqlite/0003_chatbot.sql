-- What a chatbot's backend needs beyond conversations: runs that wait for their client, quotas, ratings, sessions.

-- When a run that waits for its client stops waiting; NULL for all others and for one that waits for good.
ALTER TABLE run ADD COLUMN expires_at INTEGER;
CREATE INDEX run_expiry ON run (expires_at) WHERE expires_at IS NOT NULL;

-- What the client said to the calls of the legs before this one. NULL, which costs no read of the seal before it, when
-- that was nothing.
ALTER TABLE leg ADD COLUMN answers TEXT;

-- The conversation's owner for a message of role user, NULL for all others. It stands here so that an owner's messages of
-- a time are one range of an index, of which no more is read than a quota has.
ALTER TABLE message ADD COLUMN sent_by TEXT;
UPDATE message SET sent_by = (SELECT owner FROM conversation WHERE id = message.conversation) WHERE role = 'user';
CREATE INDEX message_sent ON message (sent_by, created_at) WHERE sent_by IS NOT NULL;

CREATE INDEX message_rated ON message (conversation, seq) WHERE rating IS NOT NULL;

-- Who is signed in. An ended session has no row.
CREATE TABLE session (
    key        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    user       BLOB NOT NULL,
    -- The SHA-256 of the refresh token that is good for the next use.
    token      BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX session_user ON session (user);
CREATE INDEX session_expiry ON session (expires_at);
