//! What the learn-stats jobs cost for a million members, beside the bare statements that do the same in one go.
//!
//!     scripts/with-servers --durable cargo bench -p pullit --bench learn_stats
//!
//! `BENCH_MEMBERS` (1,000,000) members who have learned for 60 days, on PostgreSQL when `PULLIT_TEST_POSTGRES_URL` names a server, and
//! up to 100,000 of them on SQLite. `BENCH_ROUNDS` (3) rounds of each job, bare statements and job in turn, and the medians of their times.
//! Each database has a process of its own, whose greatest resident memory is told at the end; it holds the service and the client that
//! reads from it. `BENCH_ONLY=sqlite` or `postgres` leaves the other out.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

mod bare;
mod reads;
mod world;

use std::process::Command;
use std::time::Duration;

use testkit::Database;

use world::World;

const DAYS: u32 = 60;
/// SQLite's default is for one machine.
const SQLITE_MEMBERS: u32 = 100_000;

fn number(name: &str, usual: u32) -> u32 {
    let given = std::env::var(name).ok();
    given.map_or(usual, |text| text.parse().expect(name))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The greatest resident memory of this process so far, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

fn ratio(ours: Duration, bare: Duration) -> String {
    format!("{:.2}x", ours.as_secs_f64() / bare.as_secs_f64())
}

async fn measure(kind: &str, members: u32) {
    let database = match kind {
        "postgres" => Database::postgres().await,
        _ => Database::sqlite(),
    };
    let rounds = number("BENCH_ROUNDS", 3);
    let world = World::begin(database, members, DAYS).await;
    println!("{kind}, {}", world.size().await);

    let (mut bare, mut ours, mut broken) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        world.restore().await;
        bare.push(world.bare_streaks().await);
        world.restore().await;
        let (time, affected) = world.check_streaks().await;
        ours.push(time);
        broken = affected;
    }
    let (bare, ours) = (median(&mut bare), median(&mut ours));
    println!(
        "  streak check: {ours:.2?}; one bare UPDATE: {bare:.2?}; {} ({broken} streaks broken)",
        ratio(ours, bare)
    );

    let (mut bare, mut ours, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        world.restore().await;
        let statements = world.bare_week().await;
        bare.push(statements.iter().map(|(_, time)| *time).sum());
        parts = statements;
        world.keep_expected().await;
        world.restore().await;
        ours.push(world.reset_week().await);
        world.compare_with_expected().await;
    }
    let (bare, ours) = (median(&mut bare), median(&mut ours));
    let parts: Vec<String> = parts
        .iter()
        .map(|(what, time)| format!("{what} {time:.2?}"))
        .collect();
    println!(
        "  weekly job, until the last event is applied: {ours:.2?}; bare statements: {bare:.2?}; {} (last round: {})",
        ratio(ours, bare),
        parts.join(", ")
    );
    println!("  {}", world.end().await);
    println!("  greatest resident memory: {} MiB", peak_memory());
}

fn main() {
    let members = number("BENCH_MEMBERS", 1_000_000);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, kind, members] = arguments.as_slice()
        && first == "--child"
    {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(measure(kind, members.parse().unwrap()));
        return;
    }
    let only = std::env::var("BENCH_ONLY").ok();
    let wanted = |kind: &str| only.as_deref().is_none_or(|only| only == kind);
    let mut kinds = Vec::new();
    if wanted("postgres") && std::env::var_os("PULLIT_TEST_POSTGRES_URL").is_some() {
        kinds.push(("postgres", members));
    }
    if wanted("sqlite") {
        kinds.push(("sqlite", members.min(SQLITE_MEMBERS)));
    }
    for (kind, members) in kinds {
        let this = std::env::current_exe().unwrap();
        let ended = Command::new(this)
            .args(["--child", kind, &members.to_string()])
            .status();
        assert!(ended.unwrap().success(), "{kind}");
    }
}
