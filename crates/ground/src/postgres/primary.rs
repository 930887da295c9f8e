//! Which of several hosts takes writes.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Row, postgres::PgConnectOptions};
use tokio::time::{sleep, timeout};

use super::Target;
use crate::database::Health;

/// How often the primary is asked whether it still is one.
const EVERY: Duration = Duration::from_secs(1);
/// A host has so long to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Whether this server takes writes now.
pub(super) async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // A simple query: a pooler in transaction mode takes it, too.
    let asked = sqlx::raw_sql("SHOW transaction_read_only");
    let row = sqlx::Executor::fetch_one(connection, asked).await?;
    Ok(row.try_get::<String, _>(0)? == "off")
}

/// The first host that takes writes.
pub(super) async fn find(target: &Target) -> Option<usize> {
    for host in 0..target.hosts() {
        if let Some(connection) = reach(&target.host(host)).await {
            drop(connection.close().await);
            return Some(host);
        }
    }
    None
}

/// A connection to this host, if it takes writes.
async fn reach(options: &PgConnectOptions) -> Option<PgConnection> {
    let reached = async {
        let mut connection = options.connect().await?;
        let writable = takes_writes(&mut connection).await?;
        Ok::<_, sqlx::Error>(writable.then_some(connection))
    };
    timeout(ANSWER, reached).await.ok()?.ok()?
}

/// Leads the pool to the host that takes writes, whenever that has become another one, until the pool is closed.
pub(super) async fn follow(pool: PgPool, target: Target, health: Health, host: usize) {
    let closed = pool.close_event();
    let mut primary = Primary {
        pool,
        target,
        health,
        host,
        connection: None,
    };
    tokio::select! {
        () = closed => {}
        () = primary.watch() => {}
    }
}

struct Primary {
    pool: PgPool,
    target: Target,
    health: Health,
    host: usize,
    /// Asks the same question over and over.
    connection: Option<PgConnection>,
}

impl Primary {
    async fn watch(&mut self) {
        loop {
            if !self.still_takes_writes().await {
                self.connection = None;
                self.look_around().await;
            }
            sleep(EVERY).await;
        }
    }

    async fn still_takes_writes(&mut self) -> bool {
        if self.connection.is_none() {
            self.connection = reach(&self.target.host(self.host)).await;
        }
        match &mut self.connection {
            Some(connection) => matches!(
                timeout(ANSWER, takes_writes(connection)).await,
                Ok(Ok(true))
            ),
            None => false,
        }
    }

    async fn look_around(&mut self) {
        let Some(host) = find(&self.target).await else {
            return;
        };
        // The same one, too: connections from before its fault need not lead to what it is now.
        self.health.suspect();
        if host != self.host {
            let options = self.target.host(host);
            tracing::warn!(
                host = options.get_host(),
                port = options.get_port(),
                "another database server takes writes now: new connections go there"
            );
            self.pool.set_connect_options(options);
            self.host = host;
        }
    }
}
