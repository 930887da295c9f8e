//! What an error of the driver means.

use redis::{ErrorKind, RedisError};

use crate::LockError;

/// Sorts a driver's error by what the caller should do.
pub(super) fn lock_error(error: RedisError) -> LockError {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse => return LockError::Unavailable(error.into()),
        _ => {}
    }
    match code(&error) {
        // Slots on the move, or another script that takes its time.
        "TRYAGAIN" | "BUSY" => LockError::Contended(error.into()),
        // Starting, failing over, or cut off from its replicas.
        "LOADING" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY" | "NOREPLICAS" => {
            LockError::Unavailable(error.into())
        }
        "WRONGTYPE" => LockError::Schema(error.into()),
        _ => LockError::Database(error.into()),
    }
}

/// The error's code. Redis 6 wraps that of a command in a script into the text of another.
fn code(error: &RedisError) -> &str {
    const WITHIN_SCRIPTS: [&str; 7] = [
        "WRONGTYPE",
        "READONLY",
        "NOREPLICAS",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "LOADING",
        "TRYAGAIN",
    ];
    let outer = error.code().unwrap_or_default();
    let Some(detail) = error.detail() else {
        return outer;
    };
    if outer == "ERR" && detail.starts_with("Error running script") {
        let within = WITHIN_SCRIPTS.iter().find(|code| detail.contains(**code));
        return within.unwrap_or(&outer);
    }
    outer
}

#[cfg(test)]
mod tests {
    use redis::{RedisError, Value};

    use super::lock_error;
    use crate::LockError;

    fn sorted(answer: &str) -> LockError {
        let answer = format!("-{answer}\r\n");
        let Ok(Value::ServerError(error)) = redis::parse_redis_value(answer.as_bytes()) else {
            panic!("not an error: {answer}");
        };
        lock_error(RedisError::from(error))
    }

    #[test]
    fn errors_are_sorted_by_what_to_do_next() {
        for answer in [
            "BUSY Redis is busy running a script.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
        ] {
            let error = sorted(answer);
            assert!(
                matches!(error, LockError::Contended(_)),
                "{answer}: {error:?}"
            );
        }
        for answer in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica. script: 1, on @user_script:9.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "CLUSTERDOWN The cluster is down",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR Error running script (call to f_1): @user_script:2: @user_script: 2: -READONLY You can't write",
        ] {
            let error = sorted(answer);
            assert!(
                matches!(error, LockError::Unavailable(_)),
                "{answer}: {error:?}"
            );
        }
        for answer in [
            "WRONGTYPE Operation against a key holding the wrong kind of value script: 1, on @user_script:9.",
            "ERR Error running script (call to f_1): @user_script:2: WRONGTYPE Operation against a key",
        ] {
            let error = sorted(answer);
            assert!(matches!(error, LockError::Schema(_)), "{answer}: {error:?}");
        }
        for answer in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "NOPERM this user has no permissions to run the 'incr' command",
            "MOVED 3999 127.0.0.1:6381",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "ERR unknown command",
            "ERR value is not an integer or out of range",
        ] {
            let error = sorted(answer);
            assert!(
                matches!(error, LockError::Database(_)),
                "{answer}: {error:?}"
            );
        }
    }
}
