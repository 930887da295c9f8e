-- The trace that a piece of work was asked for in (W3C traceparent).
ALTER TABLE work_item ADD COLUMN traceparent VARCHAR(64) NULL;
