//! Rounds on one database: a node, its death, a look at the books, and the next node.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Asia::Seoul;
use ground::{Dialect, Statements};
use pullit::platform::db::Db;
use tempfile::TempDir;
use testkit::{Database, server, wait};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::broker::Broker;
use crate::child::MARK;
use crate::plan::{BATCH, Part, Plan, Round, STEPS, STEPS_OUTSIDE, VARIABLE};
use crate::{books, taps};

/// The longest that a child may be silent, and that an end may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One database with everything that has happened to it.
pub(crate) struct Lane<'s> {
    name: &'static str,
    url: String,
    /// None: work goes by a table.
    broker: Option<(Arc<Broker>, String)>,
    db: Db,
    folder: TempDir,
    server: Option<&'s mut server::Postgres>,
    /// How many seconds the nodes' clocks are ahead.
    ahead: i64,
    /// How often the nodes died of what.
    deaths: BTreeMap<String, u32>,
}

impl<'s> Lane<'s> {
    pub(crate) async fn new(
        name: &'static str,
        database: &Database,
        broker: Option<Arc<Broker>>,
        server: Option<&'s mut server::Postgres>,
    ) -> Self {
        let url = database.url().trim_end_matches("?mode=rwc").to_owned();
        let db = Db::connect(&url, 1).await.unwrap();
        taps::lay(&db).await;
        let broker = match broker {
            Some(broker) => {
                let url = broker.url(name).await;
                Some((broker, url))
            }
            None => None,
        };
        Self {
            name,
            url,
            broker,
            db,
            folder: TempDir::with_prefix("pullit-crash-").unwrap(),
            server,
            ahead: 0,
            deaths: BTreeMap::new(),
        }
    }

    /// Plays the rounds, then brings everything to its end and closes the books. What the nodes died of.
    pub(crate) async fn run(mut self, seed: u64, rounds: Range<u64>) -> BTreeMap<String, u32> {
        let mut witness = Witness {
            lane: self.name,
            seed,
            round: None,
            logs: ["child", "companion"].map(|of| self.log(of)),
        };
        let mut steps = STEPS.to_vec();
        if self.broker.is_some() {
            // Twice: in many rounds the broker is away, and they are not reached.
            steps.extend([STEPS_OUTSIDE, STEPS_OUTSIDE].concat());
        }
        let mut outages = Vec::new();
        for number in rounds {
            let round = Round::new(seed, number, &steps);
            witness.round = Some(round.clone());
            self.round(&round, &mut outages).await;
        }
        witness.round = None;
        for outage in outages {
            outage.await.unwrap();
        }
        let broker = self.broker.as_ref().map(|(broker, _)| Arc::clone(broker));
        let _peace = match &broker {
            Some(broker) => Some(broker.at_peace().await),
            None => None,
        };
        self.drain().await;
        let repeated = self.close().await;
        let today = self.reset().await;
        books::recalibrated(&self.db, today).await;
        self.tell(repeated).await;
        self.deaths
    }

    /// How often a request reached the broker again.
    async fn close(&mut self) -> usize {
        let Some((broker, url)) = &self.broker else {
            let delivered = books::enqueued(&self.db).await;
            return books::closed(&self.db, self.folder.path(), &delivered, 0).await;
        };
        self.deaths.insert("RabbitMQ".to_owned(), broker.crashes());
        let crashes: u32 = self.deaths.values().sum();
        let delivered = broker.tapped(url).await;
        let most = (crashes * BATCH) as usize;
        books::closed(&self.db, self.folder.path(), &delivered, most).await
    }

    async fn round(&mut self, round: &Round, outages: &mut Vec<JoinHandle<()>>) {
        self.ahead += round.leap;
        let node = |name: &str| format!("n{}{name}", round.number);
        let plan = Plan {
            seed: round.seed,
            death: round.death.clone(),
            ..self.plan(&node("a"), Part::Work)
        };
        let companion = Plan {
            seed: round.seed.wrapping_add(1),
            ..self.plan(&node("b"), Part::Work)
        };
        let mut child = Child::start(&plan, &self.log("child"));
        let mut other = round
            .companion
            .then(|| Child::start(&companion, &self.log("companion")));
        let (cause, outage) = self.until_it_dies(&mut child, round, outages).await;
        *self.deaths.entry(cause).or_default() += 1;
        self.bury(&plan.node).await;
        if let Some(other) = &mut other {
            while other.says().await.is_some_and(|said| said != "done") {}
            other.kill().await;
        }
        // The last statement of a dead node may have been under way when it was buried.
        self.nobody_is_at_work().await;
        self.bury(&plan.node).await;
        self.bury(&companion.node).await;
        for child in [Some(child), other].into_iter().flatten() {
            assert!(outage || child.odd.is_empty(), "{:#?}", child.odd);
        }
        books::between(&self.db).await;
    }

    /// What it died of, and whether its database was away meanwhile.
    async fn until_it_dies(
        &mut self,
        child: &mut Child,
        round: &Round,
        outages: &mut Vec<JoinHandle<()>>,
    ) -> (String, bool) {
        let (mut deeds, mut outage) = (0, false);
        let mut cause = "outside".to_owned();
        while deeds < round.killed_after {
            if let Some(server) = &mut self.server
                && round.database_crashes_after == Some(deeds)
                && !outage
            {
                outage = true;
                server.restart().await;
                // The books' own connection died, too. One that was just used is not asked whether it still lives: this finds out.
                let _ = self.db.write().run("SELECT 1", vec![]).await;
                *self.deaths.entry("PostgreSQL".to_owned()).or_default() += 1;
            }
            match child.says().await.as_deref() {
                Some("deed") => {
                    deeds += 1;
                    // While it works: what is on its way then must not be taken for delivered.
                    if let Some((broker, _)) = &self.broker
                        && round.broker_crashes_after == Some(deeds)
                    {
                        outages.push(broker.crash());
                    }
                }
                Some(_) => break,
                None => {
                    if let Some(death) = &round.death {
                        cause.clone_from(&death.step);
                    }
                    break;
                }
            }
        }
        child.kill().await;
        (cause, outage)
    }

    fn plan(&self, node: &str, part: Part) -> Plan {
        Plan {
            database: self.url.clone(),
            broker: match &self.broker {
                Some((_, url)) => url.clone(),
                None => "database:".to_owned(),
            },
            folder: self.folder.path().to_owned(),
            node: format!("{}-{node}", self.name),
            seed: 0,
            ahead: self.ahead,
            death: None,
            part,
        }
    }

    fn log(&self, of: &str) -> PathBuf {
        self.folder.path().join(of).with_extension("log")
    }

    /// The locks of a dead node have run out.
    async fn bury(&self, node: &str) {
        let sql = "UPDATE shedlock SET lock_until = locked_at WHERE locked_by LIKE $1";
        let values = vec![format!("{node}:%").into()];
        self.db.write().run(sql, values).await.unwrap();
    }

    /// PostgreSQL may still be ending what the dead had begun.
    async fn nobody_is_at_work(&self) {
        if self.db.dialect() == Dialect::Postgres {
            let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                          AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
            wait::until("the dead nodes' transactions end", TIMEOUT, async || {
                self.number(others).await == 0
            })
            .await;
        }
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let number = self.db.write().scalar::<i64, _>(sql, Vec::new()).await;
        number.unwrap().unwrap()
    }

    /// One last node has all the time it needs.
    async fn drain(&mut self) {
        self.ahead += 20_000;
        let plan = self.plan("drain", Part::Drain);
        let mut child = Child::start(&plan, &self.log("child"));
        self.settled(&mut child).await;
        child.kill().await;
        self.nobody_is_at_work().await;
        self.bury(&plan.node).await;
        books::between(&self.db).await;
    }

    async fn settled(&self, child: &mut Child) {
        let open = "SELECT (SELECT count(*) FROM outbox_event WHERE status = 'PENDING') \
                    + (SELECT count(*) FROM work_item) + (SELECT count(*) FROM question_set WHERE status = 'PENDING')";
        wait::until("everything has come to its end", TIMEOUT, async || {
            assert!(child.is_alive(), "the node ended before its work did");
            self.number(open).await == 0
        })
        .await;
    }

    /// Resets the week and recalibrates, at noon, so that the day is the same when it is looked at.
    async fn reset(&mut self) -> DateTime<chrono_tz::Tz> {
        let now = (Utc::now() + TimeDelta::seconds(self.ahead)).with_timezone(&Seoul);
        self.ahead += (36 - i64::from(now.hour())) * 3600;
        let plan = self.plan("reset", Part::Reset);
        let mut child = Child::start(&plan, &self.log("child"));
        assert_eq!(child.says().await.as_deref(), Some("done"));
        self.settled(&mut child).await;
        child.kill().await;
        (Utc::now() + TimeDelta::seconds(self.ahead)).with_timezone(&Seoul)
    }

    #[expect(clippy::print_stderr, reason = "what the matrix has seen")]
    async fn tell(&self, repeated: usize) {
        eprintln!(
            "{} by {}: {} events, {} sets, {} markings, {} notifications, {repeated} requests delivered again; deaths: {:?}",
            self.name,
            if self.broker.is_some() {
                "RabbitMQ"
            } else {
                "table"
            },
            self.number("SELECT count(*) FROM tap_published").await,
            self.number("SELECT count(*) FROM question_set").await,
            self.number("SELECT count(*) FROM marking_result").await,
            self.number("SELECT count(*) FROM notification").await,
            self.deaths
        );
    }
}

/// A node in a process of its own.
struct Child {
    process: tokio::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it did not expect.
    odd: Vec<String>,
}

impl Child {
    fn start(plan: &Plan, log: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(VARIABLE, serde_json::to_string(plan).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log).unwrap())
            .kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            process,
            lines,
            odd: Vec::new(),
        }
    }

    /// The next thing that it tells; nothing when it is dead.
    async fn says(&mut self) -> Option<String> {
        loop {
            let line = tokio::time::timeout(TIMEOUT, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("a node was silent for {TIMEOUT:?}"));
            let line = line.unwrap()?;
            match line.strip_prefix(MARK) {
                Some(odd) if odd.starts_with("odd") => self.odd.push(odd.to_owned()),
                Some(said) => return Some(said.to_owned()),
                None => {}
            }
        }
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Kills it, unless it has killed itself.
    async fn kill(&mut self) {
        // An error means that it is dead already.
        let _ = self.process.start_kill();
        let status = self.process.wait().await.unwrap();
        assert_eq!(status.signal(), Some(9), "a node ended by itself: {status}");
    }
}

/// Says where a matrix broke.
struct Witness {
    lane: &'static str,
    seed: u64,
    round: Option<Round>,
    logs: [PathBuf; 2],
}

impl Drop for Witness {
    #[expect(clippy::print_stderr, reason = "a failed test is read there")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "{}: broke with PULLIT_CRASH_SEED={} in {:?}",
                self.lane, self.seed, self.round
            );
            for log in &self.logs {
                let text = fs::read_to_string(log).unwrap_or_default();
                eprintln!("---- {} ----\n{text}", log.display());
            }
        }
    }
}
