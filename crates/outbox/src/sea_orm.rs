//! Publishes in a transaction of SeaORM.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement, Value};
use uuid::Uuid;

use crate::{
    NewEvent,
    publish::trace_of,
    statements::{INSERT_POSTGRES, INSERT_SQLITE},
};

/// Publishes an event in SeaORM's transaction, and returns its event id, as [`publish`](crate::publish()).
///
/// # Errors
/// When the database refuses the row, or is neither PostgreSQL nor SQLite; roll the transaction back.
pub async fn publish<C: ConnectionTrait>(
    tx: &C,
    event: NewEvent,
    now: DateTime<Utc>,
) -> Result<Uuid, DbErr> {
    let event_id = Uuid::now_v7();
    let trace = trace_of(&event);
    let backend = tx.get_database_backend();
    let (insert, now): (&str, Value) = match backend {
        DatabaseBackend::Postgres => (INSERT_POSTGRES, now.into()),
        DatabaseBackend::Sqlite => (INSERT_SQLITE, ground::time_text(now).into()),
        _ => {
            return Err(DbErr::Custom(
                "an outbox stands in PostgreSQL or SQLite".to_owned(),
            ));
        }
    };
    let values = [
        event_id.to_string().into(),
        event.event_type.into(),
        event.aggregate_key.into(),
        event.payload.to_string().into(),
        trace.into(),
        now,
    ];
    let insert = Statement::from_sql_and_values(backend, insert, values);
    match tx.execute_raw(insert).await?.rows_affected() {
        1 => Ok(event_id),
        _ => Err(DbErr::RecordNotInserted),
    }
}

/// Publishes events in SeaORM's transaction, one by one and in their order, and returns how many.
///
/// # Errors
/// As [`publish`].
pub async fn publish_all<C: ConnectionTrait>(
    tx: &C,
    events: Vec<NewEvent>,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let count = events.len() as u64;
    for event in events {
        publish(tx, event, now).await?;
    }
    Ok(count)
}
