//! What a release makes of a hold whose beginning lies in the future.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::SqlitePool;

use crate::database::time_text;
use crate::sqlite::statements::RELEASE;

/// The end after a release of a lock that was taken at `locked_at`, with this minimum hold.
async fn end_of_hold(locked_at: DateTime<Utc>, at_least: TimeDelta) -> DateTime<Utc> {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    for table in crate::schema::SQLITE {
        sqlx::query(*table).execute(&pool).await.unwrap();
    }
    let sql = "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) VALUES ('job', $1, $2, 'a:1')";
    let insert = sqlx::query(sql)
        .bind(time_text(Utc::now() + TimeDelta::days(1)))
        .bind(time_text(locked_at));
    insert.execute(&pool).await.unwrap();
    let release = sqlx::query(RELEASE).bind("job").bind("a:1");
    let release = release.bind(time_text(locked_at + at_least));
    let done = release.execute(&pool).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
    let end = sqlx::query_scalar("SELECT lock_until FROM shedlock");
    end.fetch_one(&pool).await.unwrap()
}

#[tokio::test]
async fn a_hold_that_began_in_the_future_counts_from_now() {
    let future = Utc::now() + TimeDelta::hours(9);
    for at_least in [TimeDelta::zero(), TimeDelta::minutes(10)] {
        let before = Utc::now() - TimeDelta::milliseconds(2);
        let end = end_of_hold(future, at_least).await;
        assert!(end >= before + at_least, "{end}");
        assert!(end <= Utc::now() + at_least, "{end}");
    }
}

#[tokio::test]
async fn a_hold_that_began_in_the_past_ends_when_it_is_to_the_microsecond() {
    let locked_at: DateTime<Utc> = "2026-11-22T10:00:00.123Z".parse().unwrap();
    let hold = Utc::now() - locked_at + TimeDelta::hours(1);
    let end = end_of_hold(locked_at, hold).await;
    assert_eq!(time_text(end), time_text(locked_at + hold));
}
