//! Both column types that exist in the wild, in sessions of several time zones.

use chrono::{TimeDelta, Utc};
use shedlock::{LockProvider, PostgresLockProvider, fence};

use crate::{
    stage::{MINUTE, PostgresStage, Stage, about, lock, row, taken},
    warnings::Warnings,
};

const TIMESTAMPTZ: &[&str] = &[
    "ALTER TABLE shedlock ALTER lock_until TYPE TIMESTAMPTZ",
    "ALTER TABLE shedlock ALTER locked_at TYPE TIMESTAMPTZ",
];

async fn stage_with(columns: &[&'static str]) -> PostgresStage {
    let stage = PostgresStage::new().await;
    for statement in columns {
        sqlx::query(*statement).execute(&stage.pool).await.unwrap();
    }
    stage
}

/// A whole life of a lock as seen from sessions in `zone`, checked by the UTC sessions of the stage.
async fn a_life_in(zone: &'static str, columns: &[&'static str]) {
    let stage = stage_with(columns).await;
    let pool = stage.pool_with(2, zone).await;
    let (here, utc) = (
        PostgresLockProvider::new(pool.clone(), "here"),
        stage.provider("utc"),
    );
    let config = lock("job", MINUTE, 10 * MINUTE);
    let by_hand = lock("job", MINUTE, MINUTE);

    // The row is new, then it is one that exists: two paths of the statement.
    for _ in 0..2 {
        let mut guard = taken(&here, &config).await;
        assert!(about(guard.locked_at(), Utc::now()));
        let seen = row(&*utc, "job").await;
        assert_eq!(seen, row(&here, "job").await);
        assert!(seen.held);
        assert_eq!(seen.locked_at, guard.locked_at());
        assert_eq!(seen.lock_until - seen.locked_at, TimeDelta::minutes(1));
        let (lease, left) = stage.spans("job").await;
        assert_eq!(lease, 60_000_000, "microseconds are kept");
        assert!(left > 45_000_000 && left <= 60_000_000, "{left}");
        assert!(utc.try_lock(&config).await.unwrap().is_none());
        assert!(here.try_lock(&config).await.unwrap().is_none());
        let check = sqlx::query(fence::POSTGRES_CHECK);
        let check = check.bind("job").bind(guard.locked_by().to_owned());
        assert!(check.fetch_optional(&pool).await.unwrap().is_some());

        guard.extend(2 * MINUTE).await.unwrap();
        let (_, left) = stage.spans("job").await;
        assert!(left > 105_000_000 && left <= 120_000_000, "{left}");

        let (at, owner) = (guard.locked_at(), guard.locked_by().to_owned());
        guard.unlock().await.unwrap();
        let tail = at + TimeDelta::minutes(10);
        assert_eq!(row(&*utc, "job").await.lock_until, tail);
        let over = utc.try_lock_over(&by_hand, &owner);
        let over = over.await.unwrap().unwrap();
        let owner = over.locked_by().to_owned();
        over.unlock().await.unwrap();
        let over = here.try_lock_over(&by_hand, &owner);
        over.await.unwrap().unwrap().unlock().await.unwrap();
        assert_eq!(row(&*utc, "job").await.lock_until, tail);

        stage.expire("job").await;
        assert!(!row(&here, "job").await.held);
    }
}

macro_rules! zones {
    ($($module:ident: $zone:literal,)*) => {
        $(
            mod $module {
                const ZONE: &str = concat!("SET TIME ZONE '", $zone, "'");

                #[tokio::test]
                async fn timestamp() {
                    super::a_life_in(ZONE, &[]).await;
                }

                #[tokio::test]
                async fn timestamptz() {
                    super::a_life_in(ZONE, super::TIMESTAMPTZ).await;
                }

                #[tokio::test]
                async fn one_of_each() {
                    super::a_life_in(ZONE, &super::TIMESTAMPTZ[..1]).await;
                }
            }
        )*
    };
}

zones! {
    utc: "UTC",
    seoul: "Asia/Seoul",
    new_york: "America/New_York",
}

#[tokio::test]
async fn a_column_type_that_changes_under_way_is_no_trouble() {
    let stage = PostgresStage::new().await;
    let pool = stage.pool_with(1, "SET TIME ZONE 'Asia/Seoul'").await;
    let provider = PostgresLockProvider::new(pool, "a");
    let config = lock("job", MINUTE, MINUTE);
    taken(&provider, &config).await.unlock().await.unwrap();
    stage.expire("job").await;
    for statement in TIMESTAMPTZ {
        sqlx::query(*statement).execute(&stage.pool).await.unwrap();
    }
    // A prepared statement of the old shape may fail once; it must not write a shifted time.
    let guard = match provider.try_lock(&config).await {
        Ok(guard) => guard.unwrap(),
        Err(_) => taken(&provider, &config).await,
    };
    assert!(about(guard.locked_at(), Utc::now()));
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn the_check_warns_of_columns_that_shift_javas_times() {
    let stage = stage_with(&TIMESTAMPTZ[..1]).await;
    let warnings = Warnings::default();
    let listening = tracing::subscriber::set_default(warnings.clone());
    stage.provider("a").check_schema().await.unwrap();
    drop(listening);
    let said = warnings.said();
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].starts_with("lock_until: shedlock's times are TIMESTAMPTZ"),
        "{}",
        said[0]
    );
}
