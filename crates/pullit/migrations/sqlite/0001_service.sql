CREATE TABLE member (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       VARCHAR(100) NOT NULL,
    email      VARCHAR(254) NOT NULL UNIQUE,
    kakao_id   VARCHAR(64) UNIQUE,
    role       VARCHAR(16) NOT NULL DEFAULT 'MEMBER' CHECK (role IN ('MEMBER', 'ADMIN')),
    status     VARCHAR(16) NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'BANNED', 'INACTIVE')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')
);

-- One row per issued refresh token; a rotation adds a row to the family, a reuse revokes the family.
CREATE TABLE refresh_token (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    family_id  VARCHAR(36) NOT NULL,
    member_id  BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    token_hash VARCHAR(64) NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    rotated_at TEXT,
    revoked_at TEXT
);
CREATE INDEX refresh_token_family ON refresh_token (family_id);
CREATE INDEX refresh_token_member ON refresh_token (member_id);
CREATE INDEX refresh_token_expiry ON refresh_token (expires_at);

-- The remembered answer of a request that carried an Idempotency-Key.
CREATE TABLE idempotency_key (
    member_id    BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    scope        VARCHAR(32) NOT NULL,
    key          VARCHAR(255) NOT NULL,
    request_hash VARCHAR(64) NOT NULL,
    status       INTEGER NOT NULL,
    body         TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    PRIMARY KEY (member_id, scope, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);

-- An upload URL that was handed out; completed_at and source_id are set when the member says that the bytes are there.
CREATE TABLE upload (
    id              VARCHAR(36) PRIMARY KEY,
    member_id       BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    file_path       VARCHAR(512) NOT NULL UNIQUE,
    original_name   VARCHAR(255) NOT NULL,
    content_type    VARCHAR(100) NOT NULL,
    file_size_bytes BIGINT NOT NULL,
    created_at      TEXT NOT NULL,
    expires_at      TEXT NOT NULL,
    completed_at    TEXT,
    source_id       BIGINT
);
CREATE INDEX upload_open ON upload (created_at) WHERE source_id IS NULL;
CREATE INDEX upload_member ON upload (member_id);

CREATE TABLE source (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id           BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    original_name       VARCHAR(255) NOT NULL,
    content_type        VARCHAR(100) NOT NULL,
    file_path           VARCHAR(512) NOT NULL,
    file_size_bytes     BIGINT NOT NULL,
    page_count          INTEGER,
    status              VARCHAR(16) NOT NULL DEFAULT 'UPLOADED'
                        CHECK (status IN ('UPLOADED', 'PROCESSING', 'READY', 'FAILED', 'DELETED')),
    created_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'),
    updated_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'),
    deleted_at          TEXT,
    -- The version of the object that was verified at completion.
    etag                VARCHAR(255),
    failure_code        VARCHAR(64),
    failure_reason      VARCHAR(500),
    -- Who extracts the text, and until when it may be believed alive.
    extraction_owner    VARCHAR(255),
    extraction_until    TEXT,
    extraction_attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX source_member ON source (member_id, id);
CREATE INDEX source_extraction ON source (id) WHERE status IN ('UPLOADED', 'PROCESSING');
CREATE INDEX source_deleted ON source (id) WHERE status = 'DELETED';

-- The extracted text of a READY source.
CREATE TABLE source_text (
    source_id BIGINT PRIMARY KEY REFERENCES source (id) ON DELETE CASCADE,
    content   TEXT NOT NULL
);

CREATE TABLE question_set (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id        BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    title           VARCHAR(200) NOT NULL,
    difficulty      VARCHAR(16) NOT NULL CHECK (difficulty IN ('EASY', 'MEDIUM', 'HARD')),
    type            VARCHAR(16) NOT NULL CHECK (type IN ('MULTIPLE_CHOICE', 'TRUE_FALSE', 'SHORT_ANSWER')),
    question_length INTEGER NOT NULL,
    status          VARCHAR(16) NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'COMPLETE', 'FAILED')),
    retry_count     INTEGER NOT NULL DEFAULT 0,
    retryable       BOOLEAN NOT NULL DEFAULT TRUE,
    failure_reason  VARCHAR(64),
    -- The reason in words, for the member.
    failure_message VARCHAR(500),
    version         BIGINT NOT NULL DEFAULT 0,
    pending_since   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'),
    created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'),
    updated_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'),
    deleted_at      TEXT
);
CREATE INDEX question_set_owner ON question_set (owner_id, id);
CREATE INDEX question_set_pending ON question_set (pending_since) WHERE status = 'PENDING';
CREATE INDEX question_set_failed ON question_set (updated_at) WHERE status = 'FAILED';

CREATE TABLE question_set_source (
    question_set_id BIGINT NOT NULL REFERENCES question_set (id) ON DELETE CASCADE,
    source_id       BIGINT NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    PRIMARY KEY (question_set_id, source_id)
);
CREATE INDEX question_set_source_source ON question_set_source (source_id);

CREATE TABLE question (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    question_set_id BIGINT NOT NULL REFERENCES question_set (id) ON DELETE CASCADE,
    position        INTEGER NOT NULL,
    question_type   VARCHAR(16) NOT NULL,
    question_text   TEXT NOT NULL,
    options         TEXT,
    answer          TEXT NOT NULL,
    explanation     TEXT NOT NULL,
    UNIQUE (question_set_id, position)
);

CREATE TABLE marking_result (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id   BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    question_id BIGINT NOT NULL REFERENCES question (id) ON DELETE CASCADE,
    is_correct  BOOLEAN NOT NULL,
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')
);
CREATE INDEX marking_result_correct ON marking_result (member_id) WHERE is_correct;
CREATE INDEX marking_result_question ON marking_result (question_id);

CREATE TABLE learn_stats (
    member_id                       BIGINT PRIMARY KEY REFERENCES member (id) ON DELETE CASCADE,
    total_solved_question_set_count BIGINT NOT NULL DEFAULT 0,
    total_solved_question_count     BIGINT NOT NULL DEFAULT 0,
    total_correct_question_count    BIGINT NOT NULL DEFAULT 0,
    total_question_count            BIGINT NOT NULL DEFAULT 0,
    weekly_solved_question_count    BIGINT NOT NULL DEFAULT 0,
    consecutive_learning_days       BIGINT NOT NULL DEFAULT 0,
    last_learning_date              DATE
);

CREATE TABLE learn_stats_daily (
    id                        INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id                 BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    activity_date             DATE NOT NULL,
    solved_question_count     BIGINT NOT NULL DEFAULT 0,
    solved_question_set_count BIGINT NOT NULL DEFAULT 0,
    UNIQUE (member_id, activity_date)
);

CREATE TABLE notification (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id  BIGINT NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    event_name VARCHAR(64) NOT NULL,
    payload    TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')
);
CREATE INDEX notification_member ON notification (member_id, id);
CREATE INDEX notification_age ON notification (created_at);

-- Work for the workers where no message broker is configured: one row per request that nobody has finished.
CREATE TABLE work_item (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    queue        VARCHAR(64) NOT NULL,
    event_id     VARCHAR(36) NOT NULL,
    payload      TEXT NOT NULL,
    available_at TEXT NOT NULL,
    leased_by    VARCHAR(255),
    leased_until TEXT,
    deliveries   INTEGER NOT NULL DEFAULT 0,
    created_at   TEXT NOT NULL,
    UNIQUE (queue, event_id)
);
CREATE INDEX work_item_ready ON work_item (queue, available_at);
