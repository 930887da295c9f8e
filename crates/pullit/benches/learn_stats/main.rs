//! What the learn-stats jobs cost for a million members, beside the bare statements that do the same in one go.
//!
//!     scripts/with-servers --durable cargo bench -p pullit --bench learn_stats
//!
//! `BENCH_MEMBERS` (1,000,000) members who have learned for 60 days, on PostgreSQL when `PULLIT_TEST_POSTGRES_URL` names a server, and
//! up to 100,000 of them on SQLite. `BENCH_ROUNDS` (3) rounds of each job, bare statements and job in turn, each with its ratio, and the
//! median of these. Each database has a process of its own, whose greatest resident memory is told at the end; it holds the service and the
//! client that reads from it. `BENCH_ONLY=sqlite` or `postgres` leaves the other out. A million members take about ten minutes, of which
//! three are for planting them.

#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark lives in real time, and is told of its size and servers by the environment"
)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it prints what it measured"
)]

mod bare;
mod reads;
mod world;

use std::process::Command;
use std::time::{Duration, Instant};

use testkit::Database;

use world::World;

const DAYS: u32 = 60;
/// Most that the jobs may take, in times of the bare statements.
const STREAK_TARGET: f64 = 1.5;
const WEEK_TARGET: f64 = 2.0;
/// MiB that the process must stay below.
const MEMORY_TARGET: u64 = 100;
/// SQLite's default is for one machine.
const SQLITE_MEMBERS: u32 = 100_000;

fn number(name: &str, usual: u32) -> u32 {
    let given = std::env::var(name).ok();
    given.map_or(usual, |text| text.parse().expect(name))
}

/// The greatest resident memory of this process so far, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// One job's rounds.
#[derive(Default)]
struct Rounds(Vec<f64>);

impl Rounds {
    fn add(&mut self, ours: Duration, bare: Duration, note: &str) {
        let ratio = ours.as_secs_f64() / bare.as_secs_f64();
        self.0.push(ratio);
        println!(
            "    round {}: job {ours:.2?}, bare {bare:.2?}, ratio {ratio:.2}{note}",
            self.0.len()
        );
    }

    fn end(mut self, target: f64) {
        self.0.sort_unstable_by(f64::total_cmp);
        let median = self.0[self.0.len() / 2];
        println!("    median ratio {median:.2} (target: at most {target})");
    }
}

async fn streaks(world: &World, rounds: u32) {
    println!("  streak check beside one bare UPDATE");
    let mut ratios = Rounds::default();
    for _ in 0..rounds {
        world.restore().await;
        let bare = world.bare_streaks().await;
        world.keep_expected().await;
        world.restore().await;
        let (ours, broken) = world.check_streaks().await;
        world.compare_with_expected().await;
        ratios.add(ours, bare, &format!("; {broken} streaks broken"));
    }
    ratios.end(STREAK_TARGET);
}

async fn weeks(world: &World, rounds: u32) {
    println!(
        "  weekly job, until the last event is applied, beside the sum of the bare statements"
    );
    let mut ratios = Rounds::default();
    for _ in 0..rounds {
        world.restore().await;
        let parts = world.bare_week().await;
        world.keep_expected().await;
        world.restore().await;
        let (published, ours) = world.reset_week().await;
        world.compare_with_expected().await;
        let bare = parts.iter().map(|(_, time)| *time).sum();
        let parts: Vec<String> = parts
            .iter()
            .map(|(what, time)| format!("{what} {time:.2?}"))
            .collect();
        let note = format!("; the run itself {published:.2?}; {}", parts.join(", "));
        ratios.add(ours, bare, &note);
    }
    ratios.end(WEEK_TARGET);
}

async fn measure(kind: &str, members: u32) {
    let began = Instant::now();
    let database = match kind {
        "postgres" => Database::postgres().await,
        _ => Database::sqlite(),
    };
    let rounds = number("BENCH_ROUNDS", 3).max(1);
    let world = World::begin(database, members, DAYS).await;
    println!("{kind}, {}", world.size().await);
    streaks(&world, rounds).await;
    weeks(&world, rounds).await;
    println!("  {}", world.end().await);
    println!(
        "  greatest resident memory: {} MiB (target: under {MEMORY_TARGET})",
        peak_memory()
    );
    println!("  all of it in {:.0?}", began.elapsed());
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
