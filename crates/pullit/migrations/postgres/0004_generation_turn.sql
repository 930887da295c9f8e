-- Who makes a set's questions now: the same request may be delivered twice at once, and is worked on once.
CREATE TABLE generation_turn (
    question_set_id BIGINT PRIMARY KEY REFERENCES question_set (id) ON DELETE CASCADE,
    attempt         INTEGER NOT NULL,
    holder          VARCHAR(36) NOT NULL,
    leased_until    TIMESTAMPTZ NOT NULL
);
