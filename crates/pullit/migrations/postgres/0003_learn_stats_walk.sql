-- How far the learn-stats jobs have come through the members for a slot: written with each page, so that another attempt goes on from there.
CREATE TABLE learn_stats_walk (
    task     VARCHAR(32) NOT NULL,
    slot     TIMESTAMPTZ NOT NULL,
    after_id BIGINT NOT NULL,
    checked  BIGINT NOT NULL,
    affected BIGINT NOT NULL,
    PRIMARY KEY (task, slot)
);
