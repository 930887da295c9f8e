-- Up to which id a member's notifications may have been pruned: a client whose last event id is smaller may have missed some of them.
CREATE TABLE notification_horizon (
    member_id BIGINT PRIMARY KEY REFERENCES member (id) ON DELETE CASCADE,
    pruned_to BIGINT NOT NULL
);
