//! The jobs are those of the contract, and configuration changes them.

use pullit::platform::config::{Config, JobConfig, MisfireConfig, Span};
use scheduler::{JobStatus, Scope};

use super::bench::{Bench, CLEANUP, HEARTBEAT, PRUNE, RELAY, RETRY, SOURCES, STREAKS, WEEKLY, at};

/// The contract's table: name, trigger, lease, at least, scope, missed slot, backoff of the conflict retry (all in seconds).
const TABLE: [(&str, &str, u32, u32, Scope, &str, u32); 8] = [
    (
        CLEANUP,
        "cron 0 */10 * * * *",
        120,
        60,
        Scope::Cluster,
        "Skip",
        1,
    ),
    (
        RETRY,
        "cron 0 */5 * * * *",
        120,
        60,
        Scope::Cluster,
        "Skip",
        1,
    ),
    (
        SOURCES,
        "cron 0 0 4 * * *",
        120,
        600,
        Scope::Cluster,
        "RunOnce",
        1,
    ),
    (
        STREAKS,
        "cron 0 0 0 * * *",
        120,
        600,
        Scope::Cluster,
        "RunOnce",
        5,
    ),
    (
        WEEKLY,
        "cron 0 0 4 * * MON",
        120,
        600,
        Scope::Cluster,
        "RunOnce",
        5,
    ),
    (RELAY, "every 1s", 5, 0, Scope::Cluster, "Skip", 1),
    (HEARTBEAT, "every 3s", 3, 0, Scope::Node, "Skip", 1),
    (
        PRUNE,
        "cron 0 30 4 * * *",
        120,
        60,
        Scope::Cluster,
        "Skip",
        1,
    ),
];

/// The settings of a job, which only their Debug shows.
fn settings(bench: &Bench, config: &Config, name: &str) -> String {
    let jobs = pullit::schedulers::jobs(config, &bench.app.rooms).unwrap();
    let job = jobs.iter().find(|job| job.name() == name).unwrap();
    format!("{job:?}")
}

async fn listed(bench: &Bench, name: &str) -> JobStatus {
    let jobs = bench.app.scheduler.list().await.unwrap();
    jobs.into_iter().find(|job| job.name == name).unwrap()
}

fn set(config: &mut Config, name: &str, job: JobConfig) {
    config.jobs.insert(name.to_owned(), job);
}

testkit::on_each_database! {
    async fn the_jobs_are_those_of_the_contract(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        let jobs = bench.app.scheduler.list().await.unwrap();
        assert_eq!(jobs.len(), TABLE.len());
        for (job, (name, trigger, lease, at_least, scope, misfire, backoff)) in jobs.iter().zip(TABLE) {
            assert_eq!((job.name.as_str(), job.trigger.as_str(), job.scope), (name, trigger, scope));
            let zone = trigger.starts_with("cron").then_some("Asia/Seoul");
            assert_eq!(job.zone.as_deref(), zone, "{name}");
            assert!(job.enabled && !job.paused && job.last_run.is_none() && job.lock.is_none(), "{job:?}");
            let settings = settings(&bench, &bench.app.config, name);
            for part in [
                format!("lease: {lease}s"),
                format!("at_least: {}", if at_least == 0 { "0ns".to_owned() } else { format!("{at_least}s") }),
                format!("misfire: {misfire}"),
                format!("attempts: 3, backoff: {backoff}s"),
            ] {
                assert!(settings.contains(&part), "{name}: {part} in {settings}");
            }
        }
        let next = |name: &str| jobs.iter().find(|job| job.name == name).unwrap().next_run.unwrap();
        assert_eq!(next(STREAKS), at("2026-11-22T15:00:00Z"));
        assert_eq!(next(SOURCES), at("2026-11-22T19:00:00Z"));
        assert_eq!(next(WEEKLY), at("2026-11-22T19:00:00Z"));
        assert_eq!(next(PRUNE), at("2026-11-22T19:30:00Z"));
    }

    async fn a_run_leaves_its_lock_in_the_table_for_as_long_as_the_contract_says(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        for (name, _, _, at_least, scope, ..) in TABLE {
            bench.run(name).await;
            let seconds = if bench.is_postgres() {
                "round(extract(epoch FROM lock_until - locked_at))"
            } else {
                "round((julianday(lock_until) - julianday(locked_at)) * 86400)"
            };
            let held = format!("SELECT max({seconds}) FROM shedlock WHERE name = '{name}'");
            let by = format!("SELECT locked_by FROM shedlock WHERE name = '{name}'");
            match scope {
                Scope::Node => assert!(bench.texts(&by).await.is_empty(), "its lock is in memory"),
                _ if at_least > 0 => {
                    assert_eq!(bench.number(&held).await, i64::from(at_least), "{name}");
                    let holder = listed(&bench, name).await.lock.unwrap().locked_by;
                    assert_eq!(bench.texts(&by).await, [holder]);
                }
                _ => assert_eq!(listed(&bench, name).await.lock, None),
            }
        }
    }

    async fn the_configuration_changes_a_job(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T10:00:00Z", |config| {
            set(config, CLEANUP, JobConfig {
                cron: Some("30 0 */2 * * *".to_owned()),
                zone: Some(chrono_tz::America::New_York),
                lease: Some(Span::seconds(7)),
                at_least: Some(Span::seconds(9)),
                attempts: Some(5),
                backoff: Some(Span::seconds(2)),
                misfire: Some(MisfireConfig::RunOnce),
                ..JobConfig::default()
            });
            set(config, &HEARTBEAT.to_lowercase(), JobConfig { every: Some(Span::seconds(11)), ..JobConfig::default() });
            set(config, STREAKS, JobConfig { enabled: Some(false), ..JobConfig::default() });
        })
        .await;
        let cleanup = listed(&bench, CLEANUP).await;
        assert_eq!((cleanup.trigger.as_str(), cleanup.zone.as_deref()), ("cron 30 0 */2 * * *", Some("America/New_York")));
        let settings = settings(&bench, &bench.app.config, CLEANUP);
        for part in ["lease: 7s", "at_least: 9s", "attempts: 5, backoff: 2s", "misfire: RunOnce"] {
            assert!(settings.contains(part), "{part} in {settings}");
        }
        assert_eq!(listed(&bench, HEARTBEAT).await.trigger, "every 11s");
        let streaks = listed(&bench, STREAKS).await;
        assert_eq!((streaks.enabled, streaks.next_run), (false, None));
        bench.members(1..=1).await;
        bench.streak(1, None).await;
        assert_eq!(bench.run(STREAKS).await.affected, 1, "it runs by hand all the same");
    }
}
