//! Slots with all kinds of histories: which are owed a run, and when.

use super::*;
use crate::model::Cause;
use crate::store::JobRow;

fn run(attempt: u32, status: RunStatus, ended_minutes_ago: Option<i64>, now: DateTime<Utc>) -> Run {
    Run {
        id: i64::from(attempt),
        job_name: "job".into(),
        scheduled_at: now - TimeDelta::hours(1),
        started_at: now - TimeDelta::hours(1),
        finished_at: ended_minutes_ago.map(|minutes| now - TimeDelta::minutes(minutes)),
        node: "node".into(),
        attempt,
        status,
        cause: Cause::Schedule,
        affected: 0,
        retries: 0,
        error: None,
    }
}

#[test]
fn a_slot_is_tried_again_five_minutes_after_its_attempts_came_to_nothing() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let next = |runs: &[(u32, RunStatus, Option<i64>)]| {
        let runs: Vec<_> = runs
            .iter()
            .map(|(n, status, ended)| run(*n, *status, *ended, now))
            .collect();
        next_attempt(&runs.iter().collect::<Vec<_>>(), now)
    };
    assert_eq!(next(&[(1, RunStatus::Failed, Some(5))]), Some(2));
    assert_eq!(next(&[(1, RunStatus::Abandoned, Some(6))]), Some(2));
    assert_eq!(next(&[(1, RunStatus::Failed, Some(4))]), None);
    assert_eq!(next(&[(1, RunStatus::Running, None)]), None);
    assert_eq!(
        next(&[
            (1, RunStatus::Failed, Some(50)),
            (2, RunStatus::Succeeded, Some(40))
        ]),
        None
    );
    assert_eq!(
        next(&[
            (1, RunStatus::Failed, Some(50)),
            (2, RunStatus::Abandoned, Some(5))
        ]),
        Some(3)
    );
    assert_eq!(
        next(&[
            (1, RunStatus::Failed, Some(60)),
            (2, RunStatus::Failed, Some(50)),
            (3, RunStatus::Failed, Some(40))
        ]),
        None
    );
}

#[test]
fn a_run_that_was_found_dead_is_taken_up_at_once() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let dead = run(1, RunStatus::Abandoned, Some(0), now);
    assert_eq!(next_attempt(&[&dead], now), Some(2));
    let again = run(2, RunStatus::Abandoned, Some(0), now);
    assert_eq!(next_attempt(&[&dead, &again], now), Some(3));
    let third = run(3, RunStatus::Abandoned, Some(0), now);
    assert_eq!(next_attempt(&[&dead, &again, &third], now), None);
}

#[test]
fn an_end_beyond_the_pause_in_the_future_puts_nothing_off() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let next = |minutes_ahead: i64| {
        let failed = run(1, RunStatus::Failed, Some(-minutes_ahead), now);
        next_attempt(&[&failed], now)
    };
    // Another node's clock may be a little ahead.
    assert_eq!(next(2), None);
    assert_eq!(next(540), Some(2));
}

fn slots(now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    (1..=4).map(|n| now - TimeDelta::hours(n)).collect()
}

#[test]
fn every_slot_without_a_run_is_owed_the_oldest_first() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let slots = slots(now);
    let mut ran = run(1, RunStatus::Succeeded, Some(30), now);
    ran.scheduled_at = slots[1];
    let history = History {
        oldest: Some(slots[3] - TimeDelta::hours(1)),
        runs: vec![ran],
        ..History::default()
    };
    let verdict = judge(&slots, &history, now);
    assert_eq!(verdict.owed, [(slots[3], 1), (slots[2], 1), (slots[0], 1)]);
    assert!(verdict.open);
}

#[test]
fn nothing_is_owed_from_before_a_resume_a_foreign_run_a_start_or_a_new_schedule() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let slots = slots(now);
    let until = Some(slots[1]);
    let row = |row| History {
        row,
        ..History::default()
    };
    let histories = [
        row(JobRow {
            resumed_at: until,
            ..JobRow::default()
        }),
        row(JobRow {
            foreign_slot: until,
            ..JobRow::default()
        }),
        row(JobRow {
            created_at: until,
            ..JobRow::default()
        }),
        History {
            newest_other: until,
            ..History::default()
        },
    ];
    for history in histories {
        assert_eq!(
            judge(&slots, &history, now).owed,
            [(slots[0], 1)],
            "{history:?}"
        );
    }
    let paused = row(JobRow {
        paused: true,
        ..JobRow::default()
    });
    assert_eq!(
        judge(&slots, &paused, now),
        Verdict {
            owed: vec![],
            open: true
        }
    );
}

#[test]
fn a_job_is_open_until_its_slots_have_run_or_used_up_their_attempts() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let slot = now - TimeDelta::hours(1);
    let open = |runs: &[(u32, RunStatus)]| {
        let ended = |status| (status != RunStatus::Running).then_some(1);
        let runs = runs
            .iter()
            .map(|(n, status)| run(*n, *status, ended(*status), now));
        let history = History {
            runs: runs.collect(),
            ..History::default()
        };
        let verdict = judge(&[slot], &history, now);
        assert_eq!(verdict.owed, []);
        verdict.open
    };
    use RunStatus::{Abandoned, Failed, Running, Succeeded};
    assert!(!open(&[(1, Succeeded)]));
    assert!(!open(&[(1, Failed), (2, Succeeded)]));
    assert!(!open(&[(1, Failed), (2, Abandoned), (3, Failed)]));
    assert!(open(&[(1, Running)]));
    assert!(open(&[(1, Failed)]));
    assert!(open(&[(1, Abandoned), (2, Failed)]));
}
