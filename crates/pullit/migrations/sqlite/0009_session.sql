-- One row per sign-in. Its refresh tokens are a family of this id, and access tokens name it: they die with it.
-- A family from before this table gets its row at its next refresh.
CREATE TABLE session (
    id         VARCHAR(36) PRIMARY KEY,
    member_id  BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    -- When its newest refresh token ends.
    expires_at TEXT NOT NULL,
    -- Set by a sign-out, a ban, or a refresh token that came back.
    ended_at   TEXT
);
CREATE INDEX session_member ON session (member_id);
CREATE INDEX session_expiry ON session (expires_at);
CREATE INDEX session_end ON session (ended_at) WHERE ended_at IS NOT NULL;

-- What an unban gives back.
ALTER TABLE member ADD COLUMN status_before_ban VARCHAR(16);
