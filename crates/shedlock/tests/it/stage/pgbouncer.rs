//! PgBouncer in transaction mode before a database of its own: a connection has a server for one
//! transaction, and another one for the next.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Stdio,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use shedlock::{LockProvider, PostgresLockProvider};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{PostgresStage, Stage};

const PROGRAM: &str = "/usr/sbin/pgbouncer";
/// Should somebody take a port between our choice and the pooler's.
const TRIES: u32 = 5;

pub(crate) struct PgBouncerStage {
    direct: PostgresStage,
    pool: PgPool,
    _pooler: Pooler,
}

impl PgBouncerStage {
    pub(crate) async fn new() -> Self {
        let direct = PostgresStage::new().await;
        let server = PgConnectOptions::from_str(direct.url()).unwrap();
        let pooler = Pooler::start(&server).await;
        // PgBouncer refuses what it does not know of a session.
        let options = server.port(pooler.port).extra_float_digits(None);
        let pool = PgPoolOptions::new().max_connections(4);
        let pool = pool.connect_with(options).await.unwrap();
        // Two at once, so that both servers are there to take turns.
        let both = [pool.begin().await.unwrap(), pool.begin().await.unwrap()];
        for one in both {
            one.rollback().await.unwrap();
        }
        Self {
            direct,
            pool,
            _pooler: pooler,
        }
    }
}

#[async_trait]
impl Stage for PgBouncerStage {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider> {
        let pool = self.pool.clone();
        let provider = PostgresLockProvider::through_transaction_pooler(pool, node);
        Arc::new(provider.with_timeout(Duration::from_secs(20)))
    }

    async fn expire(&self, name: &str) {
        self.direct.expire(name).await;
    }

    async fn take_away(&self, name: &str) {
        self.direct.take_away(name).await;
    }

    async fn delete(&self, name: &str) {
        self.direct.delete(name).await;
    }
}

/// Ends when dropped.
struct Pooler {
    port: u16,
    _process: Child,
    _folder: TempDir,
}

impl Pooler {
    async fn start(server: &PgConnectOptions) -> Self {
        for _ in 0..TRIES {
            // Below the ports that the kernel gives to outgoing connections.
            let random = uuid::Uuid::new_v4().as_u128() % 17_000;
            let port = 15_000 + u16::try_from(random).unwrap();
            match Self::start_at(port, server).await {
                Ok(pooler) => return pooler,
                Err(output) => assert!(output.contains("in use"), "{output}"),
            }
        }
        panic!("PgBouncer found no free port in {TRIES} tries");
    }

    /// An error is what it said instead.
    async fn start_at(port: u16, server: &PgConnectOptions) -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let settings = folder.path().join("pgbouncer.ini");
        let database = server.get_database().unwrap();
        let text = format!(
            "[databases]\n{database} = host={} port={} user={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 2\nserver_round_robin = 1\n",
            server.get_host(),
            server.get_port(),
            server.get_username(),
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new(PROGRAM);
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            // It refuses to be root, and reads its settings again as somebody else.
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).unwrap();
            command.args(["-u", "postgres"]);
        }
        command.arg(&settings).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = command
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{PROGRAM}: {error}: run ./scripts/test, which installs it")
            });
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut output = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("process up") {
                // Somebody must listen to the rest, or it would wait for that.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self {
                    port,
                    _process: process,
                    _folder: folder,
                });
            }
            output += &line;
        }
        Err(output)
    }
}
