//! What is particular to Redis.

mod connection;
mod foreign;
mod server;

use std::time::Duration;

use chrono::TimeDelta;
use redis::Cmd;
use shedlock::{LockProvider, RedisLockProvider};

use crate::stage::{HOUR, MINUTE, RedisStage, Stage, is_held, lock, row, taken, unique, until};

const NO_TIME: Duration = Duration::ZERO;

#[tokio::test]
async fn keys_values_and_ends_are_exactly_those_of_java() {
    let stage = RedisStage::in_env("default".to_owned()).await;
    let name = unique("exact");
    let provider = RedisLockProvider::new(stage.client.clone(), "host");
    let guard = taken(&provider, &lock(&name, MINUTE, 10 * MINUTE)).await;
    let key = format!("job-lock:default:{name}");
    let at = guard.locked_at().format("%Y-%m-%dT%H:%M:%S%.3fZ");
    let value = format!("ADDED:{at}@{}", guard.locked_by());
    assert_eq!(
        value.len(),
        "ADDED:2026-11-22T10:00:00.123Z@host:".len() + 32
    );
    assert_eq!(stage.value(&key).await.unwrap(), value);
    let end = guard.locked_at() + TimeDelta::minutes(1);
    let ends: i64 = stage.run(&Cmd::pexpire_time(&key)).await;
    assert_eq!(ends, end.timestamp_millis());
    let (second, micro): (i64, i64) = stage.run(&redis::cmd("TIME")).await;
    let age = second * 1000 + micro / 1000 - guard.locked_at().timestamp_millis();
    assert!((0..15_000).contains(&age), "{age}");

    let fence = format!("shedlock-fence:{{{key}}}");
    assert_eq!(
        stage.value(&fence).await.unwrap(),
        guard.fencing_token().to_string()
    );
    let ends: i64 = stage.run(&Cmd::pttl(&fence)).await;
    assert_eq!(ends, -1, "tokens stay for ever");

    let tail = guard.locked_at() + TimeDelta::minutes(10);
    guard.unlock().await.unwrap();
    assert_eq!(stage.value(&key).await.unwrap(), value);
    let ends: i64 = stage.run(&Cmd::pexpire_time(&key)).await;
    assert_eq!(ends, tail.timestamp_millis());
    stage.delete(&name).await;
    taken(&provider, &lock(&name, MINUTE, NO_TIME))
        .await
        .unlock()
        .await
        .unwrap();
    assert_eq!(stage.value(&key).await, None, "deleted");
}

#[tokio::test]
async fn durations_are_rounded_up_to_milliseconds() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("a");
    let odd = Duration::new(60, 1);
    let guard = taken(&*provider, &lock("job", odd, 2 * odd)).await;
    let left = async || row(&*provider, "job").await.lock_until - guard.locked_at();
    assert_eq!(left().await, TimeDelta::milliseconds(60_001));
    let at = guard.locked_at();
    guard.unlock().await.unwrap();
    let left = row(&*provider, "job").await.lock_until - at;
    assert_eq!(left, TimeDelta::milliseconds(120_001));
}

#[tokio::test]
async fn a_lease_ends_by_itself_and_its_token_does_not() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("a");
    let short = lock("job", Duration::from_millis(1), NO_TIME);
    let mut last = 0;
    for _ in 0..3 {
        let guard = provider.lock(&short, MINUTE).await.unwrap().unwrap();
        assert_eq!(guard.fencing_token(), last + 1);
        last = guard.fencing_token();
        until("the end of the lease", || async {
            !is_held(&*provider, "job").await
        })
        .await;
        assert!(guard.unlock().await.is_err());
    }
}

#[tokio::test]
async fn java_and_rust_exclude_each_other() {
    // What Java ShedLock sends with `safeUpdate`.
    const DELETE: &str = r#"
        if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end"#;
    const PROLONG: &str = "
        if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end";
    const VALUE: &str =
        "ADDED:2026-11-22T10:00:00.123Z@java-host:0c2ad1d4-6b0a-4f6d-9c3e-3a5f2b1e8d77";
    let stage = RedisStage::new().await;
    let rust = stage.provider("rust");
    let key = stage.key("job");
    let java = async || -> bool {
        let mut set = Cmd::set(&key, VALUE);
        stage.run(set.arg("NX").arg("PX").arg(60_000)).await
    };
    let script = async |text: &str, value: &str| -> i64 {
        let mut eval = redis::cmd("EVAL");
        eval.arg(text).arg(1).arg(&key).arg(value).arg(120_000);
        stage.run(&eval).await
    };
    let config = lock("job", MINUTE, NO_TIME);
    for _ in 0..3 {
        assert!(java().await);
        assert!(rust.try_lock(&config).await.unwrap().is_none());
        let held = row(&*rust, "job").await;
        assert_eq!(
            held.locked_by,
            "java-host:0c2ad1d4-6b0a-4f6d-9c3e-3a5f2b1e8d77"
        );
        assert_eq!(held.locked_at.to_rfc3339(), "2026-11-22T10:00:00.123+00:00");
        assert_eq!(script(PROLONG, VALUE).await, 1);
        assert!(row(&*rust, "job").await.lock_until > held.lock_until);
        assert_eq!(script(DELETE, VALUE).await, 1);

        let guard = taken(&*rust, &config).await;
        let before = row(&*rust, "job").await;
        assert!(!java().await);
        assert_eq!(
            script(PROLONG, VALUE).await + script(DELETE, VALUE).await,
            0
        );
        assert_eq!(row(&*rust, "job").await, before);
        guard.unlock().await.unwrap();
    }
}

#[tokio::test]
async fn environments_have_nothing_to_do_with_one_another() {
    let stage = RedisStage::new().await;
    let one = stage.of(stage.client.clone(), "a");
    let config = lock("job", MINUTE, NO_TIME);
    let guard = taken(&one, &config).await;
    // All that a pattern could mean, and what it would then match.
    let odd = unique(r"a?b*[cd]\e^-");
    let like = odd
        .replace('?', "x")
        .replace('*', "yy")
        .replace(r"[cd]\e", "ce");
    for env in [like, odd] {
        let other = one.clone().with_env(&env);
        assert!(other.locks().await.unwrap().is_empty());
        let guard = taken(&other, &config).await;
        assert_eq!(other.locks().await.unwrap().len(), 1, "{env}");
        assert_eq!(other.locks().await.unwrap()[0].name, "job");
        guard.unlock().await.unwrap();
        let kept = taken(&other, &config).await;
        drop(kept);
    }
    assert_eq!(one.locks().await.unwrap().len(), 1);
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn any_name_and_any_node_will_do() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("me@host ADDED:{node}");
    let names = [
        "a b",
        "{a}",
        "x{a}y",
        "{}",
        "a{}b{c}",
        "a{b",
        "a}b",
        "}{",
        "잠금 🔒",
        "a:b",
        "a@b",
        "*",
        "%s\r\n",
    ];
    for (count, name) in names.into_iter().enumerate() {
        let mut guard = taken(&*provider, &lock(name, MINUTE, HOUR)).await;
        assert_eq!(guard.fencing_token(), 1, "of its own");
        guard.extend(2 * MINUTE).await.unwrap();
        assert_eq!(row(&*provider, name).await.locked_by, guard.locked_by());
        guard.unlock().await.unwrap();
        assert_eq!(provider.locks().await.unwrap().len(), count + 1);
    }
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let listed = provider.locks().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|lock| lock.name.as_str()).collect();
    assert_eq!(listed, sorted);
}

#[tokio::test]
async fn a_cluster_keeps_a_lock_and_its_token_in_one_place() {
    let stage = RedisStage::new().await;
    let provider = stage.provider("a");
    for name in ["job", "a b", "{a}", "x{a}y", "{a}{b}", "a{b", "잠금"] {
        taken(&*provider, &lock(name, MINUTE, NO_TIME))
            .await
            .unlock()
            .await
            .unwrap();
        let mut keys = redis::cmd("KEYS");
        let pattern = format!("shedlock-fence:*job-lock:{}:*", stage.env);
        let keys: Vec<String> = stage.run(keys.arg(pattern)).await;
        let [fence] = &keys[..] else {
            panic!("{keys:?}")
        };
        assert_eq!(slot(fence), slot(&stage.key(name)), "{fence}");
        let () = stage.run(&Cmd::del(fence)).await;
    }
}

/// As the Cluster specification has it: CRC-16 (XMODEM) of what stands in the first braces, if anything does, or
/// of the whole key.
fn slot(key: &str) -> u16 {
    let tag = key.find('{').and_then(|from| {
        let length = key[from + 1..].find('}')?;
        (length > 0).then(|| &key[from + 1..from + 1 + length])
    });
    let mut crc = 0_u16;
    for byte in tag.unwrap_or(key).bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
        }
    }
    crc % 16384
}
