//! What holds for every trigger, against a walk over the minutes of five years that shares nothing with it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use scheduler::{DstPolicy, Gap, Overlap, Trigger, TriggerError};

use crate::triggers_naive::{
    FROM, STRETCHES, Stretch, TO, Written, ZONES, brute_force, time, written,
};

/// The slots that begin a walk of the trigger: all when they are few, else some hundreds around each change of the
/// clock and at places spread over the years.
fn beginnings(slots: &[i64], stretches: &[Stretch]) -> Vec<(i64, usize)> {
    const ALL: usize = 400;
    if slots.len() <= ALL {
        return vec![(FROM - 1, slots.len())];
    }
    let changes = stretches
        .iter()
        .skip(1)
        .map(|stretch| (stretch.from - 181, 60));
    let spread = (0..8).map(|n| (FROM - 1 + (TO - FROM) / 8 * n, 30));
    changes.chain(spread).collect()
}

fn check(written: &Written, picks: &[(i64, i64)]) -> Result<(), TestCaseError> {
    let expression = written.expression();
    for (zone, stretches) in ZONES.iter().zip(STRETCHES.iter()) {
        let slots = brute_force(written, stretches);
        let trigger = match Trigger::cron(&expression, *zone) {
            Ok(trigger) => trigger,
            Err(TriggerError::Never(_)) => {
                prop_assert_eq!(
                    slots.len(),
                    0,
                    "{} in {} is said never to fire",
                    expression,
                    zone
                );
                continue;
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let read = Read {
            text: format!("{expression} in {zone}"),
            trigger,
            slots,
        };
        for (from, count) in beginnings(&read.slots, stretches) {
            read.check_upcoming(from, count)?;
        }
        for (a, b) in picks {
            read.check_between((*a).min(*b), (*a).max(*b))?;
        }
    }
    Ok(())
}

/// A trigger beside the slots that it must have.
struct Read {
    text: String,
    trigger: Trigger,
    slots: Vec<i64>,
}

impl Read {
    fn check_upcoming(&self, from: i64, count: usize) -> Result<(), TestCaseError> {
        let first = self.slots.partition_point(|slot| *slot <= from);
        let expected = self.slots[first..].iter().take(count);
        let mut found = self
            .trigger
            .upcoming(time(from), count + 1)
            .take_while(|slot| *slot < time(TO));
        for expected in expected.map(|slot| time(*slot)) {
            prop_assert_eq!(
                found.next(),
                Some(expected),
                "{} after {}",
                &self.text,
                time(from)
            );
        }
        if self.slots.len() <= first + count {
            prop_assert_eq!(found.next(), None, "{} goes on", &self.text);
        }
        Ok(())
    }

    fn check_between(&self, after: i64, now: i64) -> Result<(), TestCaseError> {
        let later = self.slots.partition_point(|slot| *slot <= after);
        let newest = self.slots.partition_point(|slot| *slot <= now);
        prop_assert_eq!(
            self.trigger.newest_due(time(after), time(now)),
            (newest > later).then(|| time(self.slots[newest - 1])),
            "{}: the newest in ({}, {}]",
            &self.text,
            time(after),
            time(now)
        );
        let next = self.slots.get(later).map(|slot| time(*slot));
        prop_assert_eq!(
            self.trigger
                .next_after(time(after))
                .filter(|slot| *slot < time(TO)),
            next,
            "{} after {}",
            &self.text,
            time(after)
        );
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_slots_of_five_years_are_those_a_walk_over_every_minute_finds(
        written in written(),
        picks in prop::collection::vec((FROM..TO, FROM..TO), 8),
    ) {
        check(&written, &picks)?;
    }

    #[test]
    fn no_time_makes_a_trigger_panic(
        seconds in DateTime::<Utc>::MIN_UTC.timestamp()..=DateTime::<Utc>::MAX_UTC.timestamp(),
        zone in prop::sample::select(&ZONES[..]),
    ) {
        for t in [DateTime::from_timestamp(seconds, 0).unwrap(), DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            for trigger in [
                Trigger::cron("0 30 2 * * *", zone).unwrap(),
                Trigger::cron("0 30 2 L-3 * *", zone).unwrap(),
                Trigger::fixed_rate(Duration::from_secs(3)).unwrap(),
                Trigger::fixed_delay(Duration::from_secs(3)).unwrap(),
                Trigger::once(t),
            ] {
                let _ = trigger.next_after(t);
                prop_assert!(trigger.next_after(DateTime::<Utc>::MIN_UTC).is_some() || t == DateTime::<Utc>::MIN_UTC);
                let _ = trigger.newest_due(t, t);
                let _ = trigger.newest_due(DateTime::<Utc>::MIN_UTC, t);
                let _ = trigger.clone().jitter(Duration::from_secs(2)).unwrap().start_of("job", t);
            }
        }
    }
}

fn any_policy() -> impl Strategy<Value = DstPolicy> {
    let gap = prop::sample::select(vec![Gap::RunAtEnd, Gap::Skip]);
    let overlap = prop::sample::select(vec![Overlap::First, Overlap::Second, Overlap::Both]);
    (gap, overlap).prop_map(|(gap, overlap)| DstPolicy::default().gap(gap).overlap(overlap))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn under_every_policy_the_next_slot_is_later_matches_and_is_then_the_newest_due(
        written in written(),
        second in 0_u32..60,
        policy in any_policy(),
        zone in prop::sample::select(&ZONES[..]),
        millis in FROM * 60_000..TO * 60_000,
    ) {
        let expression = format!("{second}{}", &written.expression()[1..]);
        let trigger = match Trigger::cron_with(&expression, zone, policy) {
            Err(TriggerError::Never(_)) => return Ok(()),
            trigger => trigger.unwrap(),
        };
        let mut t = DateTime::from_timestamp_millis(millis).unwrap();
        for _ in 0..20 {
            let Some(next) = trigger.next_after(t) else { break };
            prop_assert!(next > t, "{} after {}", next, t);
            let wall = next.with_timezone(&zone).naive_local();
            let matches = wall.second() == second && written.matches_minute(wall.minute())
                && written.matches_hour(wall.hour()) && written.matches_date(wall.date());
            let before = (next - TimeDelta::seconds(1)).with_timezone(&zone).naive_local();
            let after_a_gap = wall - before > TimeDelta::seconds(1);
            prop_assert!(matches || after_a_gap, "{} at {}", expression, next);
            prop_assert_eq!(trigger.newest_due(t, next), Some(next));
            prop_assert_eq!(trigger.newest_due(t, next - TimeDelta::microseconds(1)), None);
            t = next;
        }
    }

    #[test]
    fn what_is_shown_of_a_cron_trigger_reads_back_as_the_same_trigger(
        written in written(),
        zone in prop::sample::select(&ZONES[..]),
    ) {
        let Ok(trigger) = Trigger::cron(&written.expression(), zone) else { return Ok(()) };
        let shown = trigger.to_string();
        let again = Trigger::cron(shown.strip_prefix("cron ").unwrap(), zone).unwrap();
        prop_assert_eq!(again.to_string(), shown);
        let some = |trigger: &Trigger| trigger.upcoming(time(FROM), 20).collect::<Vec<_>>();
        prop_assert_eq!(some(&again), some(&trigger));
    }

    #[test]
    fn no_text_makes_reading_panic(text in any::<String>()) {
        let _ = Trigger::cron(&text, Tz::UTC);
    }

    #[test]
    fn no_text_of_the_right_letters_makes_reading_panic(
        fields in prop::collection::vec("[0-9*?/,LW#A-Z-]{1,8}", 6),
        macro_like in "@[a-z]{0,8}",
    ) {
        let _ = Trigger::cron(&fields.join(" "), Tz::UTC);
        let _ = Trigger::cron(&macro_like, Tz::UTC);
    }
}
