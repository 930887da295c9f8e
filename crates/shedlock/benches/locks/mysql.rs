//! MariaDB (or MySQL).

use shedlock::MySqlLockProvider;
use sqlx::{Connection, MySqlConnection, MySqlPool, Row, mysql::MySqlPoolOptions};

use crate::rounds::{Counter, Rounds, cycle, lock};

#[path = "../../src/mysql/statements.rs"]
#[allow(
    dead_code,
    reason = "of the library's statements only some are measured"
)]
mod statements;

pub(crate) async fn run(rounds: &Rounds) {
    let server = std::env::var("PULLIT_TEST_MYSQL_URL").expect("a server");
    let admin = MySqlPool::connect(&server).await.expect("the server");
    for statement in [
        "DROP DATABASE IF EXISTS shedlock_bench",
        "CREATE DATABASE shedlock_bench CHARACTER SET utf8mb4",
    ] {
        sqlx::query(statement)
            .execute(&admin)
            .await
            .expect("a database");
    }
    let (base, _) = server.rsplit_once('/').expect("a database in the URL");
    let url = format!("{base}/shedlock_bench");
    let pool = MySqlPool::connect(&url).await.expect("the database");
    for statement in shedlock::schema::MYSQL {
        sqlx::query(*statement)
            .execute(&pool)
            .await
            .expect("the tables");
    }
    for tasks in [1, 8] {
        compare(rounds, tasks, &url).await;
    }
}

async fn compare(rounds: &Rounds, tasks: usize, url: &str) {
    let pool = MySqlPoolOptions::new()
        // One more than are used at a time, or none would be kept from one call to the next.
        .max_connections(u32::try_from(tasks + 1).expect("few tasks"))
        .test_before_acquire(false)
        .connect(url)
        .await
        .expect("a pool");
    let provider = MySqlLockProvider::new(pool, "bench");
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
            let mut connection = MySqlConnection::connect(&url).await.expect("a connection");
            let (name, owner) = (format!("bench-{task}"), format!("raw:{task}"));
            // The tables of `schema`: DATETIME columns.
            let statements = &statements::ALL[0][0];
            loop {
                let seen = sqlx::query(statements.look).bind(&name).bind(&name);
                let seen = seen.fetch_one(&mut connection).await.expect("a look");
                let token: i64 = seen.try_get("token").expect("ours made the row");
                let taken = sqlx::query(statements.take)
                    .bind(60_000_000_i64)
                    .bind(&owner)
                    .bind(&name)
                    .bind(&name)
                    .bind(token);
                let taken = taken.execute(&mut connection).await;
                assert!(taken.expect("an answer").rows_affected() > 0);
                let released = sqlx::query(statements.release)
                    .bind(0_i64)
                    .bind(&name)
                    .bind(&owner);
                let released = released.execute(&mut connection).await;
                assert_eq!(released.expect("an answer").rows_affected(), 1);
                if !counter.again() {
                    break;
                }
            }
            connection.close().await.expect("an orderly end");
        }
    };
    rounds.compare("mariadb, durable", tasks, ours, raw).await;
}
