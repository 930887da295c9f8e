//! Seeds, with everything in place and with a guard taken out.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Broken;
use super::cluster::{Outcome, run};
use super::judge::Invariant;

/// How many seeds every run of the tests takes.
const SEEDS: u64 = 2_000;

/// What the seeds together must have shown, or they prove nothing.
const SEEN: [&str; 23] = [
    "run",
    "success",
    "failure",
    "conflict",
    "catch-up",
    "third attempt",
    "manual run",
    "foreign run",
    "found dead",
    "lease lost",
    "end refused",
    "crash",
    "freeze",
    "graceful stop",
    "clock set back",
    "clock set forwards",
    "newest slot checked",
    "broken off: taking",
    "broken off: entry",
    "broken off: extension",
    "broken off: write",
    "broken off: end",
    "broken off: giving back",
];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number of seeds, or a seed"))
}

/// The seed again, with its trace.
fn report(seed: u64, lines: usize) -> String {
    let outcome = run(seed, Broken::Nothing, true);
    let verdict = match outcome.violation {
        Some(violation) => violation.to_string(),
        None => "holds".to_owned(),
    };
    let tail = outcome.trace.tail(lines);
    format!("{tail}seed {seed}: {verdict}\n(SCHEDULER_SIM_SEED={seed} shows the whole trace)")
}

/// Runs seeds on two threads, until one breaks.
fn run_all(seeds: u64) -> BTreeMap<&'static str, u64> {
    let next = AtomicU64::new(1);
    let worker = || {
        let mut seen = BTreeMap::<_, u64>::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                return seen;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, Broken::Nothing, false)));
            let Ok(Outcome {
                violation: None,
                seen: more,
                ..
            }) = outcome
            else {
                next.store(seeds + 1, Ordering::Relaxed);
                panic!("\n{}", report(seed, 300));
            };
            for (what, count) in more {
                *seen.entry(what).or_default() += count;
            }
        }
    };
    let mut seen = BTreeMap::new();
    std::thread::scope(|scope| {
        for worker in [scope.spawn(worker), scope.spawn(worker)] {
            let more = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            for (what, count) in more {
                *seen.entry(what).or_default() += count;
            }
        }
    });
    seen
}

#[test]
fn in_no_seed_is_a_slot_run_twice_or_forgotten() {
    if let Some(seed) = number("SCHEDULER_SIM_SEED") {
        let report = report(seed, usize::MAX);
        assert!(report.contains(": holds"), "\n{report}");
        #[allow(clippy::print_stdout, reason = "asked for by hand")]
        {
            println!("{report}");
        }
        return;
    }
    let seeds = number("SCHEDULER_SIM_SEEDS").unwrap_or(SEEDS);
    let seen = run_all(seeds);
    if seeds >= SEEDS {
        for what in SEEN {
            assert!(
                seen.get(what).is_some_and(|count| *count >= 20),
                "too little of: {what}, in {seen:?}"
            );
        }
    }
}

#[test]
fn a_seed_does_again_what_it_did() {
    for seed in 1..=25 {
        let (first, second) = (
            run(seed, Broken::Nothing, false),
            run(seed, Broken::Nothing, true),
        );
        assert_eq!(first.trace.hash(), second.trace.hash(), "seed {seed}");
    }
    let another = run(2, Broken::Nothing, false).trace.hash();
    assert_ne!(run(1, Broken::Nothing, false).trace.hash(), another);
}

/// Some seed must break `invariant` without the guard.
#[allow(clippy::print_stdout, reason = "shows which seed missed which guard")]
fn is_missed(broken: Broken, invariant: Invariant) {
    for seed in 1..=SEEDS {
        if let Some(violation) = run(seed, broken, false).violation
            && violation.invariant == invariant
        {
            println!("with {broken:?}, seed {seed} breaks {violation}");
            return;
        }
    }
    panic!("{broken:?} is missed in no seed of {SEEDS}");
}

#[test]
fn without_the_slots_key_a_slot_runs_twice() {
    is_missed(Broken::SlotKey, Invariant::OneRunPerSlot);
}

#[test]
fn without_the_fence_a_run_that_is_not_of_record_writes() {
    is_missed(Broken::Fence, Invariant::FencedWrites);
}

#[test]
fn without_the_margin_a_slow_clock_trusts_a_lease_that_is_over() {
    is_missed(Broken::Margin, Invariant::TrustedSteps);
}

#[test]
fn without_one_step_for_lock_and_row_a_run_begins_without_its_lock() {
    is_missed(Broken::EntryInTwoSteps, Invariant::LockedFromTheBeginning);
}

#[test]
fn by_age_the_living_are_abandoned() {
    is_missed(Broken::AbandonedByAge, Invariant::AbandonedByLease);
}

#[test]
fn without_the_scan_the_dead_stay_running() {
    is_missed(Broken::Blind, Invariant::DeadAreFound);
}

#[test]
fn without_extensions_others_work_at_the_same_time() {
    is_missed(Broken::ForgetfulExtension, Invariant::TrustedSteps);
}

#[test]
fn without_the_look_back_a_slot_is_forgotten() {
    is_missed(Broken::Forgetful, Invariant::NothingForgotten);
}

#[test]
fn without_giving_back_a_stop_leaves_locks() {
    is_missed(Broken::NeverReleased, Invariant::StopGivesBack);
}

#[test]
fn with_the_wall_clock_alone_what_ticks_stands_still() {
    is_missed(Broken::WallAlone, Invariant::TicksGoOn);
}
