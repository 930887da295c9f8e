//! A PgBouncer of its own for a test.

use std::{fs, path::Path};

use super::daemon::{Daemon, Home, TRIES, free_port};

/// PgBouncer in transaction mode before a PostgreSQL server. The next transaction of a connection may get another server.
#[derive(Debug)]
pub struct PgBouncer {
    _daemon: Daemon,
    port: u16,
    database: String,
    _home: Home,
}

impl PgBouncer {
    /// Starts one before the database that a URL names, with so many connections to it. What it refuses is the default.
    ///
    /// # Panics
    /// When PgBouncer is not installed or does not start.
    pub async fn start(url: &str, servers: u32) -> Self {
        let url = reqwest::Url::parse(url).expect("the URL of a server");
        let host = url.host_str().expect("a host");
        let port = url.port().unwrap_or(5432);
        let database = url.path().trim_start_matches('/').to_owned();
        let home = Home::new("postgres");
        for _ in 0..TRIES {
            let listen = free_port();
            let settings = format!(
                "[databases]\n{database} = host={host} port={port} dbname={database} user=postgres\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {listen}\nauth_type = any\n\
                 pool_mode = transaction\nmax_client_conn = 500\ndefault_pool_size = {servers}\n\
                 unix_socket_dir =\n"
            );
            // The folder is the server's alone, and we are root or the server's user.
            let file = home.path().join("pgbouncer.ini");
            fs::write(&file, settings).expect("write pgbouncer.ini");
            let mut command = home.command(program());
            let mut daemon = Daemon::start("pgbouncer", &home, command.arg("pgbouncer.ini"));
            let up = |daemon: &Daemon| daemon.output().contains("process up");
            if daemon.ready(up).await {
                return Self {
                    _daemon: daemon,
                    port: listen,
                    database,
                    _home: home,
                };
            }
            assert!(
                daemon.output().contains("in use"),
                "PgBouncer did not start: {}",
                daemon.output()
            );
        }
        panic!("PgBouncer found no free port in {TRIES} tries");
    }

    /// The database through the pooler.
    pub fn url(&self) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{}",
            self.port, self.database
        )
    }
}

fn program() -> &'static Path {
    let programs = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
    let found = programs
        .into_iter()
        .map(Path::new)
        .find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!("this test needs PgBouncer: run ./scripts/test, which installs it")
    })
}
