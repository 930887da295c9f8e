//! What the service stands on, as the configuration names it: a database's locks and wake-ups, a storage, a broker, a writer of questions.

use std::sync::Arc;
use std::time::Duration;

use question_maker::{OfflineGenerator, QuestionGenerator};
use shedlock::{LockProvider, PostgresLockProvider, SqliteLockProvider};

use super::BuildError;
use crate::auth::{SecretError, Secrets};
use crate::platform::broker::{AmqpBroker, AmqpOptions, Broker, DatabaseBroker};
use crate::platform::clock::Now;
use crate::platform::config::{Config, DATABASE_BROKER, GeneratorConfig, GeneratorKind};
use crate::platform::db::Db;
use crate::platform::storage::{FolderStorage, S3Storage, Storage, UrlSigner};
use crate::question_set::generator::{Gemini, ModelGenerator, ModelOptions, OpenAi};

/// Longest time that a message broker may take to confirm a batch, the way to it included.
const BROKER_TIMEOUT: Duration = Duration::from_secs(8);

/// Behind a pooler in transaction mode each statement of a lock is a transaction.
pub(super) fn locks(db: &Db, node: &str) -> Result<Arc<dyn LockProvider>, BuildError> {
    let database = db.write();
    if let Some(pool) = database.postgres() {
        let pool = pool.clone();
        return Ok(Arc::new(if database.is_behind_transaction_pooler() {
            PostgresLockProvider::through_transaction_pooler(pool, node)
        } else {
            PostgresLockProvider::new(pool, node)
        }));
    }
    match database.sqlite() {
        Some(pool) => Ok(Arc::new(SqliteLockProvider::new(pool.clone(), node))),
        None => Err(BuildError::Configuration(
            "no locks for this database".to_owned(),
        )),
    }
}

pub(super) fn secrets(config: &Config) -> Result<Secrets, SecretError> {
    if config.auth.jwt_secret.is_empty() {
        if config.database_url().starts_with("postgres") {
            tracing::warn!(
                data_dir = %config.data_dir.display(),
                "auth.jwt_secret is not set: nodes that do not share this data folder will refuse each other's tokens and upload URLs"
            );
        }
        Secrets::from_folder(&config.data_dir)
    } else {
        Ok(Secrets::from_text(&config.auth.jwt_secret))
    }
}

pub(super) type Storages = (Arc<dyn Storage>, Option<Arc<FolderStorage>>);

pub(super) fn storage(
    config: &Config,
    secrets: &Secrets,
    now: &Now,
) -> Result<Storages, BuildError> {
    if config.is_s3() {
        let settings = config.s3().map_err(BuildError::Configuration)?;
        let downloads = config.data_dir.join("downloads");
        let max_bytes = config.upload.max_bytes;
        let storage = S3Storage::open(settings, downloads, max_bytes, Arc::clone(now))?;
        return Ok((Arc::new(storage), None));
    }
    let signer = UrlSigner::new(&public_url(config), secrets.key("upload-url"));
    let folder = config.storage_url();
    let folder = folder.strip_prefix("file://").unwrap_or(&folder);
    let storage = Arc::new(FolderStorage::open(folder, signer)?);
    Ok((Arc::clone(&storage) as Arc<dyn Storage>, Some(storage)))
}

/// The address under which browsers reach this server.
pub(crate) fn public_url(config: &Config) -> String {
    if config.http.public_url.is_empty() {
        format!("http://{}", config.listen)
    } else {
        config.http.public_url.trim_end_matches('/').to_owned()
    }
}

pub(super) fn broker(config: &Config, db: &Db, now: &Now) -> Result<Arc<dyn Broker>, BuildError> {
    let node = config.node_id.clone();
    if config.broker.url == DATABASE_BROKER {
        let lease = config.worker.lease.duration();
        let broker = DatabaseBroker::new(db.clone(), Arc::clone(now), node, lease);
        return Ok(Arc::new(broker));
    }
    let options = AmqpOptions {
        url: config.broker.url.clone(),
        prefix: config.broker.prefix.clone(),
        confirm_timeout: BROKER_TIMEOUT,
        prefetch: u16::try_from(config.worker.concurrency).unwrap_or(u16::MAX),
        node,
    };
    let broker =
        AmqpBroker::new(options).map_err(|error| BuildError::Configuration(error.to_string()))?;
    Ok(Arc::new(broker))
}

pub(super) fn generator(
    config: &GeneratorConfig,
) -> Result<Arc<dyn QuestionGenerator>, BuildError> {
    let options = || -> Result<ModelOptions, BuildError> {
        Ok(ModelOptions {
            url: config.parsed_url().map_err(BuildError::Configuration)?,
            key: config.key.clone(),
            model: config.model.clone(),
            timeout: config.timeout.duration(),
            max_output_tokens: config.max_output_tokens,
        })
    };
    let (rate, chars) = (config.requests_per_minute, config.max_chars);
    Ok(match config.kind {
        GeneratorKind::Offline => Arc::new(OfflineGenerator),
        GeneratorKind::OpenAi => {
            Arc::new(ModelGenerator::new(OpenAi::new(options()?)?, rate, chars))
        }
        GeneratorKind::Gemini => {
            Arc::new(ModelGenerator::new(Gemini::new(options()?)?, rate, chars))
        }
    })
}
