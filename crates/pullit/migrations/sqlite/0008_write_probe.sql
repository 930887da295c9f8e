-- One row that a node changes to see whether the database takes writes.
CREATE TABLE write_probe (
    id INTEGER PRIMARY KEY,
    written_at TEXT NOT NULL
) STRICT;
INSERT INTO write_probe (id, written_at) VALUES (1, strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now'));
