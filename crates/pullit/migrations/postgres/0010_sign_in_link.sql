-- One-time links for operators. A row stays as the record of who made it and who used it.
CREATE TABLE sign_in_link (
    id         VARCHAR(36) PRIMARY KEY,
    token_hash VARCHAR(64) NOT NULL UNIQUE,
    member_id  BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    -- The process that made it.
    made_by    VARCHAR(255) NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ,
    -- The address that used it.
    used_from  VARCHAR(64)
);
CREATE INDEX sign_in_link_age ON sign_in_link (created_at);
