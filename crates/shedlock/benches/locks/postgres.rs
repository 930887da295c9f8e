//! PostgreSQL.

use std::time::Duration;

use shedlock::PostgresLockProvider;
use sqlx::{Connection, PgConnection, PgPool, postgres::PgPoolOptions};

use crate::rounds::{Counter, Rounds, cycle, lock};

#[path = "../../src/postgres/statements.rs"]
#[allow(
    dead_code,
    reason = "of the library's statements only some are measured"
)]
mod statements;

pub(crate) async fn run(rounds: &Rounds) {
    let server = std::env::var(crate::SERVERS).expect("a server");
    let admin = PgPool::connect(&server).await.expect("the server");
    for statement in [
        "DROP DATABASE IF EXISTS shedlock_bench",
        "CREATE DATABASE shedlock_bench",
    ] {
        sqlx::query(statement)
            .execute(&admin)
            .await
            .expect("a database");
    }
    let (base, _) = server.rsplit_once('/').expect("a database in the URL");
    let url = format!("{base}/shedlock_bench");
    let pool = PgPool::connect(&url).await.expect("the database");
    for statement in shedlock::schema::POSTGRES {
        sqlx::query(*statement)
            .execute(&pool)
            .await
            .expect("the tables");
    }
    for (name, setup) in [
        ("postgres, durable", "SET synchronous_commit = on"),
        (
            "postgres, synchronous_commit=off",
            "SET synchronous_commit = off",
        ),
    ] {
        for tasks in [1, 8] {
            compare(rounds, name, setup, tasks, &url).await;
        }
    }
}

async fn compare(rounds: &Rounds, name: &str, setup: &'static str, tasks: usize, url: &str) {
    let pool = PgPoolOptions::new()
        // One more than are used at a time, or none would be kept from one call to the next.
        .max_connections(u32::try_from(tasks + 1).expect("few tasks"))
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move { sqlx::query(setup).execute(connection).await.map(|_| ()) })
        })
        .connect(url)
        .await
        .expect("a pool");
    let provider = PostgresLockProvider::new(pool, "bench");
    let ours = |task, counter: Counter| {
        let (provider, lock) = (provider.clone(), lock(task));
        async move {
            loop {
                cycle(&provider, &lock).await;
                if !counter.again() {
                    break;
                }
            }
        }
    };
    let raw = |task, counter: Counter| {
        let url = url.to_owned();
        async move {
            let mut connection = PgConnection::connect(&url).await.expect("a connection");
            sqlx::query(setup)
                .execute(&mut connection)
                .await
                .expect("the setting");
            let (name, owner) = (format!("bench-{task}"), format!("raw:{task}"));
            let lease = i64::try_from(Duration::from_secs(60).as_micros()).expect("it fits");
            loop {
                let taken = sqlx::query(statements::TAKE)
                    .bind(&name)
                    .bind(&owner)
                    .bind(lease);
                let taken = taken.fetch_optional(&mut connection).await;
                assert!(taken.expect("an answer").is_some());
                let released = sqlx::query(statements::RELEASE)
                    .bind(&name)
                    .bind(&owner)
                    .bind(0_i64);
                let released = released.execute(&mut connection).await;
                assert_eq!(released.expect("an answer").rows_affected(), 1);
                if !counter.again() {
                    break;
                }
            }
            connection.close().await.expect("an orderly end");
        }
    };
    rounds.compare(name, tasks, ours, raw).await;
}
