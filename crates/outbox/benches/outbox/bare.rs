//! The limit: nothing but the statements, straight through the driver on a connection that is kept. It keeps no order, knows
//! neither faults nor late commits, and believes what it reads.

use outbox::Database;
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::{
    effect::{ADD_POSTGRES, ADD_SQLITE, sums},
    setting::BATCH,
};

const FIRST: &str = "SELECT MIN(id) FROM outbox_event WHERE status = 'PENDING'";
const TAKE_POSTGRES: &str = "DELETE FROM outbox_event
    WHERE status = 'PENDING' AND id >= $1 AND id < $2 RETURNING id, payload::text";
const TAKE_SQLITE: &str = "DELETE FROM outbox_event
    WHERE status = 'PENDING' AND id >= $1 AND id < $2 RETURNING id, payload";

fn payload(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// Applies and deletes everything, and returns how many events that were.
pub(crate) async fn relay(db: &Database) -> u64 {
    if let Some(pool) = db.postgres() {
        postgres(&mut pool.acquire().await.unwrap()).await
    } else {
        let pool = db.sqlite().unwrap();
        sqlite(&mut pool.acquire().await.unwrap()).await
    }
}

async fn postgres(connection: &mut PgConnection) -> u64 {
    let first: Option<i64> = sqlx::query_scalar(FIRST)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let Some(mut from) = first else { return 0 };
    let mut total = 0;
    loop {
        let mut tx = connection.begin().await.unwrap();
        let rows = sqlx::query(TAKE_POSTGRES)
            .bind(from)
            .bind(from + i64::try_from(BATCH).unwrap())
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        if rows.is_empty() {
            tx.rollback().await.unwrap();
            return total;
        }
        let payloads: Vec<_> = rows.iter().map(|row| payload(row.get(1))).collect();
        sqlx::query(ADD_POSTGRES)
            .bind(sums(payloads.iter()))
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        total += rows.len() as u64;
        from += i64::try_from(BATCH).unwrap();
    }
}

async fn sqlite(connection: &mut SqliteConnection) -> u64 {
    let first: Option<i64> = sqlx::query_scalar(FIRST)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let Some(mut from) = first else { return 0 };
    let mut total = 0;
    loop {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let rows = sqlx::query(TAKE_SQLITE)
            .bind(from)
            .bind(from + i64::try_from(BATCH).unwrap())
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        if rows.is_empty() {
            tx.rollback().await.unwrap();
            return total;
        }
        let payloads: Vec<_> = rows.iter().map(|row| payload(row.get(1))).collect();
        sqlx::query(ADD_SQLITE)
            .bind(sums(payloads.iter()))
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        total += rows.len() as u64;
        from += i64::try_from(BATCH).unwrap();
    }
}
