//! The form of keys and values in Redis.

use chrono::{DateTime, Utc};

use crate::LockInfo;

/// The last second of 9999: the end of a key that never ends.
const FOR_EVER: i64 = 253_402_300_799_000;

/// Java ShedLock's keys of one environment.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn of(env: &str) -> Self {
        Self {
            prefix: format!("job-lock:{env}:"),
        }
    }

    pub(super) fn lock(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Where the acquisitions of `lock` are counted. In a Cluster the key lies beside that of the lock: what
    /// stands between the braces decides there, and without braces the whole key does.
    pub(super) fn fence(lock: &str) -> String {
        if has_hash_tag(lock) {
            format!("shedlock-fence:{lock}")
        } else {
            format!("shedlock-fence:{{{lock}}}")
        }
    }

    /// For `SCAN`: every lock of this environment.
    pub(super) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.prefix.len() + 1);
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push('*');
        pattern
    }

    pub(super) fn name_of<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        key.strip_prefix(self.prefix.as_bytes())
    }
}

fn has_hash_tag(key: &str) -> bool {
    key.split_once('{')
        .is_some_and(|(_, rest)| rest.contains('}'))
}

/// `ADDED:<instant>@<holder>`.
pub(super) fn parse(value: &str) -> Option<(DateTime<Utc>, &str)> {
    let (instant, holder) = value.strip_prefix("ADDED:")?.split_once('@')?;
    let instant = DateTime::parse_from_rfc3339(instant).ok()?;
    Some((instant.to_utc(), holder))
}

/// A lock as it is found. `ends`: milliseconds since 1970, negative for a key that never ends.
pub(super) fn info(name: &[u8], value: &[u8], ends: i64) -> LockInfo {
    let value = String::from_utf8_lossy(value);
    let (locked_at, locked_by) = parse(&value).unwrap_or((DateTime::UNIX_EPOCH, &value));
    let ends = if ends < 0 {
        FOR_EVER
    } else {
        ends.min(FOR_EVER)
    };
    LockInfo {
        name: String::from_utf8_lossy(name).into_owned(),
        locked_at,
        lock_until: DateTime::from_timestamp_millis(ends).unwrap_or(DateTime::<Utc>::MAX_UTC),
        locked_by: locked_by.to_owned(),
        held: true,
    }
}
