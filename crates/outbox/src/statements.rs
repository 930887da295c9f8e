//! The INSERT of a publish, for another driver, ORM or language: tokio-postgres, diesel, a Java service.
//!
//! Run it in the transaction whose commit makes the event happen. Then wake the relay, or let its next tick find the
//! event.
//!
//! | parameter | PostgreSQL | SQLite | what it is |
//! |---|---|---|---|
//! | `$1` | text | text | `event_id`: the event's name everywhere, unique. Version 7 (RFC 9562) keeps the index dense |
//! | `$2` | text | text | `event_type`: by this the relay chooses the destinations |
//! | `$3` | text | text | `aggregate_key`: events of one key are delivered in the order of their ids |
//! | `$4` | text (JSON) | text (JSON) | `payload` |
//! | `$5` | text or NULL | text or NULL | `traceparent` of W3C Trace Context |
//! | `$6` | `timestamptz` | text, `2026-11-30T12:00:00.000000+00:00` | now: `next_attempt_at` and `created_at` |
//!
//! It inserts one row. The database gives it its `id`.

use ground::Dialects;

/// For PostgreSQL.
pub const INSERT_POSTGRES: &str = "INSERT INTO outbox_event
        (event_id, event_type, aggregate_key, payload, traceparent, next_attempt_at, created_at)
    VALUES ($1::text::uuid, $2, $3, $4::text::jsonb, $5, $6, $6)";

/// For SQLite.
pub const INSERT_SQLITE: &str = "INSERT INTO outbox_event
        (event_id, event_type, aggregate_key, payload, traceparent, next_attempt_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6)";

pub(crate) const INSERT: Dialects = Dialects {
    postgres: INSERT_POSTGRES,
    sqlite: INSERT_SQLITE,
};
