//! PostgreSQL databases on the throw-away server that `./scripts/test` starts.

use std::{env, str::FromStr, thread, time::Duration};

use reqwest::Url;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;
use uuid::Uuid;

const SERVER: &str = "PULLIT_TEST_POSTGRES_URL";

/// An empty database with a random name, dropped with all its connections when this is dropped.
#[derive(Debug)]
pub struct Database {
    server: Url,
    name: String,
    url: String,
}

impl Database {
    /// Makes the database on the server that `PULLIT_TEST_POSTGRES_URL` names.
    ///
    /// # Panics
    /// When the variable is missing: a test without its server fails, it is never skipped.
    pub async fn create() -> Self {
        let server = env::var(SERVER).unwrap_or_else(|_| {
            panic!("this test needs PostgreSQL: run ./scripts/test ({SERVER} is not set)")
        });
        Self::create_on(&server).await
    }

    /// Makes the database on another server, such as one of the test's own.
    ///
    /// # Panics
    /// When the server does not take it.
    pub async fn create_on(server: &str) -> Self {
        let server = Url::parse(server)
            .unwrap_or_else(|error| panic!("{server} is no URL ({error}): run ./scripts/test"));
        let name = format!("test_{}", Uuid::new_v4().simple());
        // template0: nobody can be connected to it, which would refuse a copy.
        run_on(
            &server,
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        )
        .await
        .unwrap_or_else(|error| panic!("make a database on {server}: {error}"));
        let mut url = server.clone();
        url.set_path(&name);
        Self {
            server,
            name,
            url: url.into(),
        }
    }

    /// `postgres://…/test_<random>`, as a superuser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens a new pool of up to ten connections.
    pub async fn connect(&self) -> ground::Database {
        let options = PgConnectOptions::from_str(&self.url)
            .unwrap_or_else(|error| panic!("{}: {error}", self.url));
        PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.disable_statement_logging())
            .await
            .unwrap_or_else(|error| panic!("connect to {}: {error}", self.url))
            .into()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The test's own runtime cannot be blocked on from here, so another thread brings its own.
        // What fails is left to the end of the server, which takes every database with it.
        let _ = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            if let Ok(runtime) = runtime {
                let _ = runtime.block_on(run_on(&server, &statement));
            }
        })
        .join();
    }
}

async fn run_on(server: &Url, statement: &str) -> Result<(), sqlx::Error> {
    let options = PgConnectOptions::from_str(server.as_str())?.disable_statement_logging();
    let mut connection = timeout(Duration::from_secs(10), options.connect())
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)??;
    let statement = sqlx::raw_sql(AssertSqlSafe(statement));
    statement.execute(&mut connection).await?;
    connection.close().await
}
