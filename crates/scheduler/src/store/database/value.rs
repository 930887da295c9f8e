//! Where the two databases differ in values.

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{DbBackend, Value};

/// A time as the tables keep it: PostgreSQL's own type, or in SQLite text with microseconds that sorts.
pub(crate) fn time(backend: DbBackend, t: DateTime<Utc>) -> Value {
    match backend {
        DbBackend::Sqlite => t.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string().into(),
        _ => t.trunc_subsecs(6).into(),
    }
}

/// A time that may be missing.
pub(crate) fn optional_time(backend: DbBackend, t: Option<DateTime<Utc>>) -> Value {
    match (t, backend) {
        (Some(t), _) => time(backend, t),
        (None, DbBackend::Sqlite) => Option::<String>::None.into(),
        (None, _) => Option::<DateTime<Utc>>::None.into(),
    }
}
