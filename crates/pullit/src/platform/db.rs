//! The database: SQLite in a file, or PostgreSQL.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ground::postgres::{Options, Target, UrlError};
use ground::{Database, Dialect, PostgresWake, Signal, Transaction};
use thiserror::Error;

/// A statement of the service has so long to be answered. Those that may take longer (migrations, seeding) ask for more.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(60);

/// Why the database cannot be used.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URL names no database that this program knows. Only its scheme is quoted: there may be a password in it.
    #[error("database.url must start with `sqlite:` or `postgres://`, not `{0}`")]
    Scheme(String),
    /// A PostgreSQL URL that cannot be read.
    #[error("{key}: {problem}")]
    Url {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        problem: UrlError,
    },
    /// Readers and the writer have connections of their own, which would each see another database in memory.
    #[error("database.url must name a file, such as `sqlite:///var/lib/pullit/pullit.db`")]
    NoFile,
    /// The folder of the SQLite file cannot be made.
    #[error("the folder for the database, {path}, cannot be made: {error}")]
    Folder {
        /// The folder.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Members write Korean.
    #[error(
        "the database's encoding is {0}, which cannot hold Korean; make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    /// The database does not answer, or refuses us.
    #[error("cannot connect to the database{place}: {error}")]
    Connect {
        /// Where it was looked for, if it is elsewhere.
        place: String,
        /// What the driver said.
        error: sqlx::Error,
    },
}

impl ConnectError {
    /// Whether the configuration is at fault, and not the world.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Scheme(_) | Self::Url { .. } | Self::NoFile | Self::Encoding(_)
        )
    }
}

/// How to reach the database. Not to be printed: there are passwords in the URLs.
#[derive(Clone, Default)]
pub struct DbOptions {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: String,
    /// Bounds the pool (in SQLite: the readers).
    pub max_connections: u32,
    /// Whether a pooler in transaction mode stands before PostgreSQL.
    pub transaction_pooler: bool,
    /// PostgreSQL past the pooler, for LISTEN; empty: where `url` leads, unless that is a pooler.
    pub listen_url: String,
}

/// Connections to the one database of the service.
///
/// SQLite has a single writer. Writers of this process therefore queue at a pool of one connection, in order and without polling, while
/// readers have connections of their own. In PostgreSQL both are the same pool.
#[derive(Clone, Debug)]
pub struct Db {
    write: Database,
    read: Database,
    /// How to make more of the same, and where to listen (PostgreSQL).
    server: Option<Arc<Server>>,
}

#[derive(Clone, Debug)]
struct Server {
    target: Target,
    options: Options,
    listen: Option<Target>,
}

impl Db {
    /// Connects, to SQLite or straight to PostgreSQL. `max_connections` bounds the pool (in SQLite: the readers).
    ///
    /// # Errors
    /// When the URL is not one of ours, or the database cannot be reached.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, ConnectError> {
        let url = url.to_owned();
        Self::open(DbOptions {
            url,
            max_connections,
            ..DbOptions::default()
        })
        .await
    }

    /// Connects.
    ///
    /// # Errors
    /// When the settings cannot be used, or the database cannot be reached.
    pub async fn open(options: DbOptions) -> Result<Self, ConnectError> {
        let url = options.url.as_str();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Self::open_postgres(&options).await;
        }
        let Some(path) = url.strip_prefix("sqlite:") else {
            let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
            return Err(ConnectError::Scheme(scheme.to_owned()));
        };
        Self::open_sqlite(sqlite_path(path), options.max_connections).await
    }

    async fn open_postgres(options: &DbOptions) -> Result<Self, ConnectError> {
        let server = target("database.url", &options.url)?;
        let listen = match options.listen_url.as_str() {
            "" => None,
            url => Some(target("database.listen_url", url)?),
        };
        let settings = Options {
            max_connections: options.max_connections,
            transaction_pooler: options.transaction_pooler,
            statement_deadline: Some(STATEMENT_DEADLINE),
        };
        let at_server = |error| ConnectError::Connect {
            place: format!(" at {server}"),
            error,
        };
        let pool = ground::postgres::connect(&server, &settings).await;
        let pool = pool.map_err(at_server)?;
        if let Some(postgres) = pool.postgres() {
            let encoding = ground::postgres::encoding(postgres).await;
            let encoding = encoding.map_err(at_server)?;
            if encoding != "UTF8" {
                return Err(ConnectError::Encoding(encoding));
            }
        }
        Ok(Self {
            write: pool.clone(),
            read: pool,
            server: Some(Arc::new(Server {
                target: server,
                options: settings,
                listen,
            })),
        })
    }

    async fn open_sqlite(path: &str, max_connections: u32) -> Result<Self, ConnectError> {
        if path.is_empty() || path == ":memory:" {
            return Err(ConnectError::NoFile);
        }
        let path = Path::new(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| ConnectError::Folder {
                path: folder.display().to_string(),
                error,
            })?;
        }
        let connect = async |connections| {
            let pool = ground::sqlite::connect(path, connections).await;
            pool.map_err(|error| ConnectError::Connect {
                place: format!(" {}", path.display()),
                error,
            })
        };
        Ok(Self {
            write: connect(1).await?,
            read: connect(max_connections.clamp(1, 4)).await?,
            server: None,
        })
    }

    /// A few connections beside these, for what must not wait behind everything else; made when they are first needed. In SQLite, where
    /// one file serves one machine, the same ones.
    #[must_use]
    pub fn aside(&self, connections: u32) -> Self {
        let Some(server) = &self.server else {
            return self.clone();
        };
        let options = Options {
            max_connections: connections,
            ..server.options.clone()
        };
        let pool = ground::postgres::connect_lazy(&server.target, &options);
        Self {
            write: pool.clone(),
            read: pool,
            server: self.server.clone(),
        }
    }

    /// For a statement that may take as long as it needs: DDL on a large table, a million rows at once.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self {
            write: self.write.clone().without_statement_deadline(),
            read: self.read.clone().without_statement_deadline(),
            server: self.server.clone(),
        }
    }

    /// A signal that is heard on all nodes that listen on this channel.
    pub fn signal(&self, channel: &str) -> Signal {
        let Some(server) = &self.server else {
            return Signal::new();
        };
        Signal::reaching(PostgresWake::over(
            self.write.clone(),
            server.listen.clone(),
            channel,
        ))
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        self.write.dialect()
    }

    /// For statements that change something. Never ask it for a second connection while a transaction is open: there is one.
    pub fn write(&self) -> &Database {
        &self.write
    }

    /// For statements that only read, outside a transaction.
    pub fn read(&self) -> &Database {
        &self.read
    }

    /// A transaction that will write: in SQLite it takes the write lock at once, so that it cannot fail half-way for want of it.
    ///
    /// # Errors
    /// When no connection is free in time or the database does not answer.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        self.write.begin().await
    }

    /// Closes the pools.
    pub async fn close(self) {
        self.write.close().await;
        self.read.close().await;
    }
}

fn target(key: &'static str, url: &str) -> Result<Target, ConnectError> {
    Target::parse(url).map_err(|problem| ConnectError::Url { key, problem })
}

/// What stands after `sqlite:` is a path, and taken literally: `%20` and `?` are part of it. Only a tail of the parameters that other
/// programs' drivers know is none: how the file is opened is settled here.
fn sqlite_path(text: &str) -> &str {
    let path = text.strip_prefix("//").unwrap_or(text);
    match path.rsplit_once('?') {
        Some((file, parameters)) if parameters.split('&').all(is_parameter) => file,
        _ => path,
    }
}

fn is_parameter(text: &str) -> bool {
    ["mode=", "cache=", "immutable=", "vfs="]
        .iter()
        .any(|name| text.starts_with(name))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use ground::Statements;

    use super::*;

    /// Polls a future so many times and then drops it, as a member who goes away does.
    async fn dropped_after<F: Future>(polls: u32, future: F) {
        let mut future = pin!(future);
        let mut left = polls;
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            future.as_mut().poll(context).map(drop)
        })
        .await;
    }

    #[tokio::test]
    async fn a_sqlite_path_is_taken_literally_and_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pullit.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        Db::connect(&url, 1).await.unwrap().close().await;
        assert!(file.exists());
        for name in ["a%2Fb %20.db", "what?.db", "b?mode=rwc&cache.db"] {
            let url = format!("sqlite://{}", folder.path().join(name).display());
            Db::connect(&url, 1).await.unwrap().close().await;
            assert!(folder.path().join(name).exists(), "{name}");
        }
        let refused = Db::connect("sqlite::memory:", 1).await;
        assert!(matches!(refused, Err(ConnectError::NoFile)));
    }

    testkit::on_each_database! {
        async fn a_caller_dropped_while_it_begins_costs_the_next_one_nothing(database: testkit::Database) {
            let url = database.url();
            let db = Db::connect(url, 1).await.unwrap();
            db.write().run("CREATE TABLE kept (n BIGINT)", vec![]).await.unwrap();
            for polls in 0..40 {
                dropped_after(polls, db.begin()).await;
                let insert = db.write().run("INSERT INTO kept (n) VALUES ($1)", vec![i64::from(polls).into()]);
                insert.await.unwrap();
            }
            let other = Db::connect(url, 1).await.unwrap();
            let kept = other.read().scalar::<i64, _>("SELECT COUNT(*) FROM kept", vec![]).await.unwrap();
            assert_eq!(kept, Some(40));
        }
    }
}
