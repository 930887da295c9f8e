//! Finishes events: deletes what was delivered, and puts off or buries what was not.

mod statements;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ground::Connection;
use tracing::{debug, warn};

use self::statements::Failed;
use super::{
    batch::{Batch, Failure, Verdict},
    key_order::FailedKeys,
    row::Claimed,
    run::{Halt, Run},
};
use crate::{Event, EventStatus};

/// Finishes events that `destination` has confirmed, in a transaction of its own.
///
/// Some may be gone, because somebody else finished them meanwhile. The others were delivered all the same: keeping them
/// would deliver them twice.
pub(super) async fn confirmed(
    run: &mut Run<'_>,
    batch: &mut Batch<'_>,
    destination: Option<&str>,
    confirmed: &[Event],
) -> Result<(), Halt> {
    if confirmed.is_empty() {
        return Ok(());
    }
    let (complete, incomplete) = batch.split_complete(destination, confirmed);
    let mut tx = run.relay.db.begin().await?;
    match delete_or_note(&mut tx, &complete, &incomplete).await {
        Ok(still_there) => {
            let gone = (confirmed.len() as u64).saturating_sub(still_there);
            if gone > 0 {
                warn!(
                    gone,
                    destination, "delivered events were finished by somebody else meanwhile"
                );
            }
        }
        Err(error) => {
            tx.rollback().await;
            return Err(error.into());
        }
    }
    run.commit(tx, confirmed.len()).await?;
    run.count_delivered(complete.iter().copied());
    batch.confirm(destination, confirmed);
    Ok(())
}

/// Deletes events that are complete, and notes the destinations of those that are not. Returns how many were still there.
pub(super) async fn delete_or_note(
    tx: &mut Connection<'_>,
    complete: &[&Event],
    incomplete: &[(i64, Vec<String>)],
) -> Result<u64, sqlx::Error> {
    let ids: Vec<i64> = complete.iter().map(|event| event.id).collect();
    let deleted = statements::delete(tx, &ids).await?;
    let noted = statements::note_delivered(tx, incomplete).await?;
    Ok(deleted + noted)
}

/// Makes rows dead that cannot be read: their keys go on. Puts events off whose type has no route, and holds their keys back: a newer
/// program, which runs beside this one during a deploy, may know the type.
pub(super) async fn unroutable(
    run: &mut Run<'_>,
    claimed: Vec<Claimed>,
    failed_keys: &mut FailedKeys,
) -> Result<(), Halt> {
    let now = (run.relay.now)();
    let mut dead = Vec::new();
    let mut put_off = BTreeMap::new();
    for Claimed {
        event,
        postponed,
        unreadable,
        ..
    } in claimed
    {
        if let Some(reason) = unreadable {
            dead.push(unreadable_row(now, &event, postponed, &reason));
        } else if !failed_keys.hold_back(&event) {
            failed_keys.add(&event);
            let reason = format!("no route for event type {:?}", event.event_type);
            let failure = Failure {
                seen: event.attempts,
                reasons: vec![reason],
                postponed,
                verdict: Verdict::Failed,
            };
            put_off.insert(event.id, failure);
        }
    }
    if !dead.is_empty() {
        store(run, dead).await?;
    }
    if put_off.is_empty() {
        return Ok(());
    }
    failed(run, put_off).await
}

fn unreadable_row(now: DateTime<Utc>, event: &Event, postponed: i32, reason: &str) -> Failed {
    let last_error = format!("the row cannot be read: {reason}");
    warn!(
        event = event.id,
        event_type = event.event_type,
        last_error,
        "event given up, an operator must replay or discard it"
    );
    Failed {
        id: event.id,
        seen: event.attempts,
        attempts: event.attempts,
        postponed,
        status: EventStatus::Dead,
        next_attempt_at: now,
        last_error,
    }
}

/// Puts events off that failed. After its last attempt an event becomes dead.
pub(super) async fn failed(
    run: &mut Run<'_>,
    failures: BTreeMap<i64, Failure>,
) -> Result<(), Halt> {
    if let Some((id, first)) = failures.first_key_value() {
        let (failures, reason) = (failures.len(), first.reasons.join("; "));
        warn!(
            failures,
            event = id,
            reason,
            "events failed, their keys wait for the retry"
        );
    }
    let now = (run.relay.now)();
    let failed = failures
        .into_iter()
        .map(|(id, failure)| retry_or_bury(run, now, id, failure))
        .collect();
    store(run, failed).await
}

fn retry_or_bury(run: &Run<'_>, now: DateTime<Utc>, id: i64, failure: Failure) -> Failed {
    let backoff = &run.relay.backoff;
    let counted = failure.verdict > Verdict::Unavailable;
    let (attempts, postponed, wait) = if counted {
        let attempts = failure.seen + 1;
        (attempts, 0, backoff.after(attempts))
    } else {
        let postponed = failure.postponed + 1;
        (failure.seen, postponed, backoff.after_outage(postponed))
    };
    let last =
        failure.verdict == Verdict::Refused || (counted && attempts >= run.relay.max_attempts);
    let last_error = failure.reasons.join("; ");
    let status = if last {
        warn!(
            event = id,
            attempts, last_error, "event given up, an operator must replay or discard it"
        );
        EventStatus::Dead
    } else {
        EventStatus::Pending
    };
    Failed {
        id,
        seen: failure.seen,
        attempts,
        postponed,
        status,
        next_attempt_at: now + wait,
        last_error,
    }
}

async fn store(run: &mut Run<'_>, failed: Vec<Failed>) -> Result<(), Halt> {
    if failed.is_empty() {
        return Ok(());
    }
    let mut tx = run.relay.db.begin().await?;
    let stored = match statements::store_failed(&mut tx, &failed).await {
        Ok(stored) => stored,
        Err(error) => {
            tx.rollback().await;
            return Err(error.into());
        }
    };
    let expected = failed.len();
    run.commit(tx, expected).await?;
    if stored != expected as u64 {
        debug!(stored, expected, "some failed events had changed meanwhile");
    }
    let dead = failed
        .iter()
        .filter(|event| event.status == EventStatus::Dead)
        .count() as u64;
    run.report.dead += dead;
    run.report.failed += expected as u64 - dead;
    Ok(())
}
