//! Objects in S3, or in what speaks like it: `s3://<bucket>/<prefix>/<key>`.
//!
//! Members PUT straight to the bucket, under URLs that bind key, media type and length. Such a URL works until it expires, whatever became
//! of its upload meanwhile; what was verified stays protected by its etag, which every reading asks for.

mod presign;
mod reason;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    Attribute, BackoffConfig, ClientOptions, Error, GetOptions, ObjectStore, RetryConfig,
};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use self::presign::PutUrl;
use self::reason::reason;
use super::{LocalObject, ObjectKey, ObjectMeta, Storage, StorageError, UploadTicket, leftovers};
use crate::platform::clock::Now;
use crate::platform::config::S3Settings;
use crate::platform::tls;

/// Whatever answers at all has taken the connection by then.
const CONNECT: Duration = Duration::from_secs(5);
/// A server that is silent for this long has gone.
const SILENCE: Duration = Duration::from_secs(10);
/// The longest time of a call that moves no object, its retries included: within what a request of our own may take.
const CALL: Duration = Duration::from_secs(20);
/// The longest time of one deletion request, its retries included.
const DELETION: Duration = Duration::from_secs(60);
/// The longest time of one download.
const DOWNLOAD: Duration = Duration::from_secs(10 * 60);
/// What one `DeleteObjects` request takes.
const BULK: usize = 1_000;

/// A bucket, or a part of one.
pub struct S3Storage {
    settings: S3Settings,
    now: Now,
    store: AmazonS3,
    /// Deletes with one request an object.
    single: AmazonS3,
    /// Where downloaded objects lie while they are read.
    downloads: PathBuf,
    /// The longest object that is read, in bytes.
    max_bytes: u64,
}

impl S3Storage {
    /// Puts the storage together, without asking the server anything. `now` dates the upload URLs; `downloads` is a folder of ours alone.
    ///
    /// # Errors
    /// When the settings do not go together, or the folder cannot be made.
    pub fn open(
        settings: S3Settings,
        downloads: impl Into<PathBuf>,
        max_bytes: u64,
        now: Now,
    ) -> Result<Self, StorageError> {
        let downloads = downloads.into();
        leftovers::clear(&downloads).map_err(failed("make its folder for downloads"))?;
        let builder = builder(&settings);
        let store = builder
            .clone()
            .with_disable_bulk_delete(!settings.bulk_delete);
        let store = store.build().map_err(unavailable("be used"))?;
        let single = builder
            .with_credentials(store.credentials().clone())
            .with_disable_bulk_delete(true);
        Ok(Self {
            single: single.build().map_err(unavailable("be used"))?,
            store,
            settings,
            now,
            downloads,
            max_bytes,
        })
    }

    fn path(&self, key: &ObjectKey) -> Result<Path, StorageError> {
        let prefix = &self.settings.prefix;
        let text = if prefix.is_empty() {
            key.as_str().to_owned()
        } else {
            format!("{prefix}/{key}")
        };
        Path::parse(text).map_err(|error| StorageError::Unavailable {
            what: "name an object so",
            reason: error.to_string(),
        })
    }

    async fn download(&self, path: &Path, etag: Option<&str>) -> Result<LocalObject, StorageError> {
        let what = "read an object";
        let options = GetOptions {
            if_match: etag.map(str::to_owned),
            ..GetOptions::default()
        };
        let found = self
            .store
            .get_opts(path, options)
            .await
            .map_err(|error| match error {
                Error::NotFound { .. } => StorageError::Missing,
                Error::Precondition { .. } => StorageError::Changed,
                error => unavailable(what)(error),
            })?;
        let size = found.meta.size;
        if size > self.max_bytes {
            return Err(StorageError::Unavailable {
                what,
                reason: format!(
                    "it has {size} bytes, more than the {} that are read",
                    self.max_bytes
                ),
            });
        }
        let downloads = self.downloads.clone();
        let file = tokio::task::spawn_blocking(move || NamedTempFile::new_in(downloads)).await;
        let file = file.map_err(std::io::Error::other).flatten();
        let (file, path) = file.map_err(failed("keep a download"))?.into_parts();
        let mut file = File::from_std(file);
        let mut chunks = found.into_stream();
        let mut arrived = 0;
        while let Some(chunk) = chunks.try_next().await.map_err(unavailable(what))? {
            arrived += chunk.len() as u64;
            if arrived > size {
                break;
            }
            file.write_all(&chunk)
                .await
                .map_err(failed("keep a download"))?;
        }
        file.flush().await.map_err(failed("keep a download"))?;
        if arrived != size {
            return Err(StorageError::Unavailable {
                what,
                reason: format!("{arrived} bytes came, {size} were announced"),
            });
        }
        Ok(LocalObject::temporary(path))
    }

    /// One request for up to [`BULK`] objects; an answer for each, in their order.
    async fn delete_chunk(&self, paths: Vec<Path>) -> Vec<Result<(), StorageError>> {
        let what = "delete an object";
        let count = paths.len();
        let deletion = self
            .store
            .delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        // A task of its own: an answer that names what was not asked about brings it down.
        let deletion = tokio::spawn(tokio::time::timeout(DELETION, deletion.collect::<Vec<_>>()));
        let refused = |reason: String| {
            let refusal = || {
                Err(StorageError::Unavailable {
                    what,
                    reason: reason.clone(),
                })
            };
            (0..count).map(|_| refusal()).collect()
        };
        match deletion.await {
            Ok(Ok(answers)) if answers.len() == count => answers
                .into_iter()
                .map(|answer| gone(answer.map(drop)))
                .collect(),
            // The request failed as a whole.
            Ok(Ok(answers)) => refused(match answers.into_iter().find_map(Result::err) {
                Some(error) => reason(&error),
                None => "the answer is about other objects".to_owned(),
            }),
            Ok(Err(_)) => refused(late(DELETION)),
            Err(_) => refused("the answer is about other objects".to_owned()),
        }
    }
}

#[async_trait]
impl Storage for S3Storage {
    async fn upload_url(&self, ticket: &UploadTicket) -> Result<String, StorageError> {
        let what = "sign an upload URL";
        let path = self.path(&ticket.key)?;
        let credential = in_time(what, self.store.credentials().get_credential()).await?;
        let credential = credential.map_err(unavailable(what))?;
        Ok(PutUrl {
            bucket_url: &self.settings.bucket_url,
            region: &self.settings.region,
            key: path.as_ref(),
            content_type: &ticket.content_type,
            size: ticket.size,
            now: (self.now)(),
            expires_at: ticket.expires_at,
        }
        .sign(&credential))
    }

    fn urls_outlive_uploads(&self) -> bool {
        true
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        let what = "look for an object";
        let path = self.path(key)?;
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let found = match in_time(what, self.store.get_opts(&path, options)).await? {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(unavailable(what)(error)),
        };
        let content_type = found.attributes.get(&Attribute::ContentType);
        Ok(Some(ObjectMeta {
            size: found.meta.size,
            content_type: content_type
                .map(|value| value.to_string())
                .unwrap_or_default(),
            etag: found.meta.e_tag.ok_or_else(|| StorageError::Unavailable {
                what,
                reason: "it names no ETag, so that versions cannot be told apart".to_owned(),
            })?,
        }))
    }

    async fn open(&self, key: &ObjectKey, etag: Option<&str>) -> Result<LocalObject, StorageError> {
        let path = self.path(key)?;
        let download = tokio::time::timeout(DOWNLOAD, self.download(&path, etag));
        download.await.unwrap_or_else(|_| {
            Err(StorageError::Unavailable {
                what: "read an object",
                reason: late(DOWNLOAD),
            })
        })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let path = self.path(key)?;
        let mut deletion = self.single.delete_stream(stream::iter([Ok(path)]).boxed());
        let answer = in_time("delete an object", deletion.try_next()).await?;
        gone(answer.map(drop))
    }

    async fn delete_many(&self, keys: &[ObjectKey]) -> Vec<Result<(), StorageError>> {
        let mut answers = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BULK) {
            // None of ours is unusable; one that an operator's script made keeps the others from nothing.
            let paths = keys.iter().map(|key| self.path(key)).collect::<Vec<_>>();
            let usable = paths.iter().filter_map(|path| path.as_ref().ok().cloned());
            let mut deleted = self.delete_chunk(usable.collect()).await.into_iter();
            answers.extend(paths.into_iter().map(|path| match path {
                Ok(_) => deleted.next().unwrap_or(Err(StorageError::Missing)),
                Err(error) => Err(error),
            }));
        }
        answers
    }

    async fn check(&self) -> Result<(), StorageError> {
        let what = "be listed";
        // Nothing stands there, so the answer is short; it takes the right that a HEAD of what is missing needs.
        let nowhere: ObjectKey = "readiness".parse().map_err(|_| StorageError::Missing)?;
        let nowhere = self.path(&nowhere)?;
        let mut listed = self.store.list(Some(&nowhere));
        let answer = in_time(what, listed.try_next()).await?;
        answer.map(drop).map_err(unavailable(what))
    }
}

fn builder(settings: &S3Settings) -> AmazonS3Builder {
    let plain = settings.bucket_url.starts_with("http://");
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT)
        .with_read_timeout(SILENCE)
        .with_timeout(DOWNLOAD)
        .with_allow_http(plain)
        .with_no_system_certificates(
            plain && !settings.chain.contains_key("AWS_WEB_IDENTITY_TOKEN_FILE"),
        );
    let retries = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(10),
    };
    tls::install();
    let mut builder = AmazonS3Builder::new();
    match &settings.keys {
        // All or nothing: a session's token in the environment belongs to other keys.
        Some(keys) => {
            builder = builder
                .with_access_key_id(&keys.access_key)
                .with_secret_access_key(&keys.secret_key);
        }
        None => {
            for (name, value) in &settings.chain {
                // The names of the variables are those of the builder's settings, in capitals.
                if let Ok(key) = name.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
        }
    }
    builder
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        // Already with the bucket in it, wherever it stands.
        .with_endpoint(&settings.bucket_url)
        .with_virtual_hosted_style_request(true)
        .with_client_options(client)
        .with_retry(retries)
}

/// What is not there is deleted already.
fn gone(answer: Result<(), Error>) -> Result<(), StorageError> {
    match answer {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(unavailable("delete an object")(error)),
    }
}

async fn in_time<T>(what: &'static str, call: impl Future<Output = T>) -> Result<T, StorageError> {
    tokio::time::timeout(CALL, call)
        .await
        .map_err(|_| StorageError::Unavailable {
            what,
            reason: late(CALL),
        })
}

fn late(bound: Duration) -> String {
    format!("no answer within {} s", bound.as_secs())
}

fn unavailable(what: &'static str) -> impl Fn(Error) -> StorageError {
    move |error| StorageError::Unavailable {
        what,
        reason: reason(&error),
    }
}

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> StorageError {
    move |error| StorageError::Unavailable {
        what,
        reason: error.to_string(),
    }
}
