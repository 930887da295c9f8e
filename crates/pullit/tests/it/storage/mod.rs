//! Where uploads are kept: what every storage does, what only S3 does, and what a storage that comes and goes leaves undone.

mod conformance;
mod outage;
mod s3;
mod streaming;

use std::path::PathBuf;

use pullit::platform::config::Config;
use pullit::platform::storage::ObjectKey;
use pullit::server::Roles;
use serde_json::Value;
use testkit::Database;
use tokio_util::sync::CancellationToken;

use crate::support::s3::S3Server;
use crate::support::{Server, Setup};

pub(super) const CLEANUP: &str = "runSourceCleanup";

/// A node that reads documents and makes questions only when the test says so, on one kind of storage.
pub(super) struct World {
    pub(super) server: Server,
    pub(super) s3: Option<S3Server>,
}

impl World {
    pub(super) async fn on_folder() -> Self {
        Self::start(None, Database::sqlite(), |_| {}).await
    }

    pub(super) async fn on_s3() -> Self {
        Self::start(Some(S3Server::start()), Database::sqlite(), |_| {}).await
    }

    pub(super) async fn start(
        s3: Option<S3Server>,
        database: Database,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let roles = Roles {
            worker: false,
            scheduler: false,
            ..Roles::ALL
        };
        let setup = Setup::new().roles(roles).config(|config| {
            if let Some(s3) = &s3 {
                s3.configure(config);
            }
            change(config);
        });
        Self {
            server: setup.start(database).await,
            s3,
        }
    }

    pub(super) fn s3(&mut self) -> &mut S3Server {
        self.s3.as_mut().unwrap()
    }

    /// Where the object of this path lies as a file.
    pub(super) fn object(&self, path: &str) -> PathBuf {
        match &self.s3 {
            Some(s3) => s3.objects().join(path),
            None => self.server.folder().join("objects").join(path),
        }
    }

    /// Reads every source that waits.
    pub(super) async fn read_sources(&self) -> u64 {
        let extraction = &self.server.app.extraction;
        extraction.drain(&CancellationToken::new()).await.unwrap()
    }

    pub(super) async fn status(&self, id: i64) -> String {
        let sql = "SELECT status FROM source WHERE id = $1";
        self.server.text(sql, vec![id.into()]).await
    }

    pub(super) async fn failure(&self, id: i64) -> String {
        let sql = "SELECT failure_code FROM source WHERE id = $1";
        self.server.text(sql, vec![id.into()]).await
    }

    pub(super) async fn sources_left(&self) -> i64 {
        self.server.number("SELECT COUNT(*) FROM source").await
    }
}

/// What a ticket or an answer calls so.
pub(super) fn text<'a>(ticket: &'a Value, field: &str) -> &'a str {
    ticket[field].as_str().unwrap()
}

pub(super) fn key(path: &str) -> ObjectKey {
    path.parse().unwrap()
}
