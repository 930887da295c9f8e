//! Parsed expressions, shared: a pattern takes kilobytes, and ten thousand jobs have a handful of schedules.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use chrono_tz::Tz;

use super::cron::Cron;
use super::error::TriggerError;
use super::policy::DstPolicy;

type Key = (String, Tz, DstPolicy);

/// Holds nothing alive: an entry goes when the last trigger that uses it does.
static POOL: LazyLock<Mutex<HashMap<Key, Weak<Pooled>>>> = LazyLock::new(Mutex::default);

/// A cron expression that is in the pool while anyone uses it.
#[derive(Debug)]
pub(super) struct Pooled(Cron);

/// The pooled cron of this expression, zone and policy; parsed when nobody uses it yet.
pub(super) fn cron(
    expression: &str,
    zone: Tz,
    policy: DstPolicy,
) -> Result<Arc<Pooled>, TriggerError> {
    let key = (expression.trim().to_owned(), zone, policy);
    if let Some(shared) = pool().get(&key).and_then(Weak::upgrade) {
        return Ok(shared);
    }
    // Parsed outside the lock; of two who do it at once, the second drops its own after the lock is released.
    let parsed = Arc::new(Pooled(Cron::parse(expression, zone, policy)?));
    let mut pool = pool();
    if let Some(shared) = pool.get(&key).and_then(Weak::upgrade) {
        return Ok(shared);
    }
    pool.insert(key, Arc::downgrade(&parsed));
    Ok(parsed)
}

fn pool() -> MutexGuard<'static, HashMap<Key, Weak<Pooled>>> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deref for Pooled {
    type Target = Cron;

    fn deref(&self) -> &Cron {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let key = (self.written().to_owned(), self.zone(), self.policy());
        let mut pool = pool();
        // Another may have parsed it again since the last user dropped this one.
        if pool
            .get(&key)
            .is_some_and(|entry| entry.strong_count() == 0)
        {
            pool.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIRITIMATI: Tz = chrono_tz::Pacific::Kiritimati;

    fn known(expression: &str) -> bool {
        pool().keys().any(|(known, ..)| known == expression)
    }

    #[test]
    fn triggers_of_one_expression_zone_and_policy_share_what_was_parsed() {
        let get = |expression, zone, policy| cron(expression, zone, policy).unwrap();
        let default = DstPolicy::default();
        let first = get("1 2 3 * * *", KIRITIMATI, default);
        assert!(Arc::ptr_eq(
            &first,
            &get(" 1 2 3 * * * ", KIRITIMATI, default)
        ));
        assert!(!Arc::ptr_eq(&first, &get("1 2 3 * * *", Tz::UTC, default)));
        assert!(!Arc::ptr_eq(
            &first,
            &get("1 2 3 * * *", KIRITIMATI, default.gap(crate::Gap::Skip))
        ));
    }

    #[test]
    fn an_expression_that_nobody_uses_leaves_nothing_behind() {
        let expression = "2 3 4 * * *";
        let (one, other) = (
            cron(expression, KIRITIMATI, DstPolicy::default()).unwrap(),
            cron(expression, KIRITIMATI, DstPolicy::default()).unwrap(),
        );
        drop(one);
        assert!(known(expression));
        drop(other);
        assert!(!known(expression));
        assert!(cron("2 3 4 * * 9", KIRITIMATI, DstPolicy::default()).is_err());
        assert!(!known("2 3 4 * * 9"));
    }

    #[test]
    fn many_threads_that_take_and_drop_one_expression_agree() {
        let expression = "3 4 5 * * *";
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let taken = cron(expression, KIRITIMATI, DstPolicy::default()).unwrap();
                        assert_eq!(taken.written(), expression);
                    }
                });
            }
        });
        assert!(!known(expression));
    }
}
