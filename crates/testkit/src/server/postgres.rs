//! A PostgreSQL of its own for a test, and a standby of it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;

use super::daemon::{Daemon, Home, TRIES, free_port};

/// Someone who stands by takes over in a moment.
const PROMOTION: Duration = Duration::from_secs(60);

/// A PostgreSQL server that a test may crash.
#[derive(Debug)]
pub struct Postgres {
    daemon: Daemon,
    port: u16,
    programs: PathBuf,
    home: Home,
    settings: Vec<String>,
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`start`](Self::start), with settings (`name=value`) of its own.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_with(settings: &[&str]) -> Self {
        let programs = programs();
        let home = Home::new("postgres");
        let mut initdb = home.command(programs.join("initdb"));
        initdb.args([
            "--pgdata=data",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        let made = initdb.output().expect("run initdb");
        assert!(
            made.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let settings = settings.iter().map(|setting| (*setting).to_owned());
        Self::serve(programs, home, settings.collect()).await
    }

    async fn serve(programs: PathBuf, home: Home, settings: Vec<String>) -> Self {
        for _ in 0..TRIES {
            let port = free_port();
            let mut daemon = boot(&programs, &home, port, &settings);
            if is_ready(&mut daemon, &home).await {
                return Self {
                    daemon,
                    port,
                    programs,
                    home,
                    settings,
                };
            }
            assert!(
                daemon.output().contains("could not bind"),
                "PostgreSQL did not start: {}",
                daemon.output()
            );
        }
        panic!("PostgreSQL found no free port in {TRIES} tries");
    }

    /// A standby that follows this server, and takes reads.
    ///
    /// # Panics
    /// When it cannot be copied or does not start.
    pub async fn standby(&self) -> Self {
        let home = Home::new("postgres");
        let mut copy = home.command(self.programs.join("pg_basebackup"));
        copy.args(["--pgdata=data", "--write-recovery-conf", "--no-sync"]);
        let copied = copy.args(["--checkpoint=fast", "--dbname", &self.url()]);
        let copied = copied.output().expect("run pg_basebackup");
        assert!(
            copied.status.success(),
            "pg_basebackup failed: {}",
            String::from_utf8_lossy(&copied.stderr)
        );
        Self::serve(self.programs.clone(), home, self.settings.clone()).await
    }

    /// Makes a standby the primary, and returns when it takes writes.
    ///
    /// # Panics
    /// When it does not become one.
    pub async fn promote(&self) {
        let mut promote = self.home.command(self.programs.join("pg_ctl"));
        let promoted = promote
            .args(["promote", "--pgdata=data", "--wait"])
            .output();
        let promoted = promoted.expect("run pg_ctl");
        assert!(
            promoted.status.success(),
            "pg_ctl promote failed: {}",
            String::from_utf8_lossy(&promoted.stderr)
        );
        let signal = self.home.path().join("data/standby.signal");
        crate::wait::until("the standby is the primary", PROMOTION, async || {
            !signal.exists()
        })
        .await;
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its folder, for files that its settings name; it belongs to the server's user.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// The server, as a superuser; it stays the same over restarts.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// An immediate stop: nothing is finished or written out, every connection is cut.
    pub async fn crash(&mut self) {
        self.daemon.end(Signal::QUIT).await;
    }

    /// Crashes it and starts it again on the same port and the same data. Returns when it takes connections.
    ///
    /// # Panics
    /// When it does not come back.
    pub async fn restart(&mut self) {
        self.crash().await;
        self.daemon = boot(&self.programs, &self.home, self.port, &self.settings);
        let back = is_ready(&mut self.daemon, &self.home).await;
        assert!(
            back,
            "PostgreSQL did not come back: {}",
            self.daemon.output()
        );
    }
}

fn boot(programs: &Path, home: &Home, port: u16, settings: &[String]) -> Daemon {
    let mut command = home.command(programs.join("postgres"));
    command.args(["-D", "data", "-p"]).arg(port.to_string());
    // Commits are in the hands of the kernel when they are confirmed; no socket file, whose path may not be long. A zone
    // that is not UTC catches what leans on the server's zone.
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=on",
        "max_connections=100",
        "timezone=America/New_York",
    ] {
        command.args(["-c", setting]);
    }
    for setting in settings {
        command.args(["-c", setting]);
    }
    Daemon::start("postgres", home, &mut command)
}

/// The server keeps its process id in the first line of this file and its state in the eighth.
async fn is_ready(daemon: &mut Daemon, home: &Home) -> bool {
    let file = home.path().join("data/postmaster.pid");
    let ready = |daemon: &Daemon| {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.first() == Some(&daemon.id().to_string().as_str())
            && lines.get(7).is_some_and(|state| state.starts_with("ready"))
    };
    daemon.ready(ready).await
}

/// The newest of Debian's versions.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .map(|version| version.path().join("bin"))
        .filter(|programs| programs.join("initdb").exists())
        .max_by_key(|programs| {
            let version = programs.parent().and_then(|version| version.file_name());
            version
                .and_then(|name| name.to_str()?.parse::<u32>().ok())
                .unwrap_or_default()
        });
    newest.unwrap_or_else(|| {
        panic!("this test needs PostgreSQL: run ./scripts/test, which installs it")
    })
}
