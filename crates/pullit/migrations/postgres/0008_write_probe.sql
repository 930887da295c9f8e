-- One row that a node changes to see whether the database takes writes.
CREATE TABLE write_probe (
    id INTEGER PRIMARY KEY,
    written_at TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 10);
INSERT INTO write_probe (id, written_at) VALUES (1, now());
