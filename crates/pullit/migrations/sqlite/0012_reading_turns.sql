-- Members take turns at what is read for them: the second waiting document of a member waits behind the first one of every other.
ALTER TABLE source ADD COLUMN extraction_turn BIGINT NOT NULL DEFAULT 0;
-- 1: its first reading used up its time. It waits behind those that did not.
ALTER TABLE source ADD COLUMN extraction_slow INTEGER NOT NULL DEFAULT 0;
CREATE INDEX source_turns ON source (extraction_slow, extraction_turn, id) WHERE status IN ('UPLOADED', 'PROCESSING');
CREATE INDEX source_member_turns ON source (member_id, extraction_turn) WHERE status IN ('UPLOADED', 'PROCESSING');
