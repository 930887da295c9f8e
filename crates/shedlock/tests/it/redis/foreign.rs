//! What other programs leave under our keys.

use std::time::Duration;

use chrono::DateTime;
use redis::Cmd;
use shedlock::{LockError, SchemaError};

use crate::stage::{MINUTE, RedisStage, Stage, lock, row, taken};

const NO_TIME: Duration = Duration::ZERO;

#[tokio::test]
async fn values_of_other_programs_are_locks_and_are_listed_as_they_are() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("a");
    let unknown = "1970-01-01T00:00:00+00:00";
    let values: [(&[u8], &str, &str); 8] = [
        (b"hello", "hello", unknown),
        (b"", "", unknown),
        (b"\xff@\xfe", "\u{fffd}@\u{fffd}", unknown),
        (b"ADDED:", "ADDED:", unknown),
        (b"ADDED:yesterday@host", "ADDED:yesterday@host", unknown),
        (
            b"ADDED:2026-02-30T00:00:00.000Z@host",
            "ADDED:2026-02-30T00:00:00.000Z@host",
            unknown,
        ),
        // Java ShedLock 2 and its older forms.
        (
            b"ADDED:2020-01-02T03:04:05Z@host",
            "host",
            "2020-01-02T03:04:05+00:00",
        ),
        (
            b"ADDED:2020-01-02T03:04:05.123456Z@",
            "",
            "2020-01-02T03:04:05.123456+00:00",
        ),
    ];
    for (number, (value, ..)) in values.iter().enumerate() {
        let () = stage
            .run(&Cmd::set(stage.key(&number.to_string()), *value))
            .await;
    }
    let locks = provider.locks().await.unwrap();
    assert_eq!(locks.len(), values.len());
    for (number, ((_, holder, at), found)) in values.iter().zip(&locks).enumerate() {
        assert_eq!(found.name, number.to_string());
        assert_eq!(found.locked_by, *holder);
        assert_eq!(found.locked_at, DateTime::parse_from_rfc3339(at).unwrap());
        assert_eq!(found.lock_until.to_rfc3339(), "9999-12-31T23:59:59+00:00");
        assert!(found.held);
        let config = lock(&found.name, MINUTE, NO_TIME);
        assert!(provider.try_lock(&config).await.unwrap().is_none());
        // A value that is no holder's cannot be a tail of ours.
        if *at == unknown {
            let over = provider.try_lock_over(&config, holder).await;
            assert!(over.unwrap().is_none());
        }
        assert_eq!(row(&*provider, &found.name).await, *found);
    }
    let far: bool = stage
        .run(&Cmd::pexpire_at(stage.key("0"), 8_000_000_000_000_000))
        .await;
    assert!(far);
    assert_eq!(row(&*provider, "0").await, locks[0]);
    provider.check_schema().await.unwrap();
}

#[tokio::test]
async fn a_key_that_holds_something_else_is_an_error_and_the_check_names_it() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    let guard = taken(&*provider, &lock("fine", MINUTE, NO_TIME)).await;
    let () = stage.run(&Cmd::lpush(stage.key("job"), "x")).await;
    let error = provider.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Schema(_)), "{error:?}");
    assert!(!error.is_transient());
    let error = provider.lock_info("job").await.unwrap_err();
    assert!(matches!(error, LockError::Schema(_)), "{error:?}");
    let locks = provider.locks().await.unwrap();
    assert_eq!(locks.len(), 1);
    assert_eq!(locks[0].name, "fine");
    let Err(SchemaError::Unusable(problems)) = provider.check_schema().await else {
        panic!("the check passed");
    };
    let expected = format!(
        "key {:?} holds a list, so nobody can take that lock: delete it",
        stage.key("job")
    );
    assert_eq!(problems, [expected]);
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn a_token_that_cannot_be_counted_takes_no_lock() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("a");
    let fence = format!("shedlock-fence:{{{}}}", stage.key("job"));
    let () = stage.run(&Cmd::lpush(&fence, "x")).await;
    let error = provider
        .try_lock(&lock("job", MINUTE, NO_TIME))
        .await
        .unwrap_err();
    assert!(matches!(error, LockError::Schema(_)), "{error:?}");
    assert_eq!(stage.value(&stage.key("job")).await, None);
}

#[tokio::test]
async fn a_database_full_of_other_keys_hides_no_lock() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("a");
    // More than one step of the server's search, for locks and for others.
    let fill = "for i = 1, tonumber(ARGV[1]) do
        redis.call('SET', KEYS[1] .. i, 'ADDED:2026-01-01T00:00:00.000Z@java', 'EX', 60)
        redis.call('SET', 'other-' .. KEYS[1] .. i, '', 'EX', 60)
    end";
    let mut eval = redis::cmd("EVAL");
    eval.arg(fill).arg(1).arg(stage.key("job-")).arg(3000);
    let () = stage.run(&eval).await;
    let locks = provider.locks().await.unwrap();
    assert_eq!(locks.len(), 3000);
    assert!(locks.is_sorted_by(|a, b| a.name < b.name));
}
