-- Who released which lock by hand. The lock's times are as they were then.
CREATE TABLE lock_audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT NOT NULL,
    actor      TEXT NOT NULL,
    lock_name  TEXT NOT NULL,
    locked_by  TEXT NOT NULL,
    locked_at  TEXT NOT NULL,
    lock_until TEXT NOT NULL,
    -- NULL while it is under way, or when its end is not known; false when the row was another by then.
    released   INTEGER
) STRICT;
CREATE INDEX lock_audit_at ON lock_audit (at);
