//! Where the uploaded files are.
//!
//! A file goes straight from the member to the storage, under a signed URL that expires; the service itself only asks what is there,
//! reads the version that it verified, and deletes. Every step can be repeated.

mod folder;
mod key;
mod leftovers;
mod s3;
mod signed_url;

pub use folder::{FolderStorage, StageError, Staged};
pub use key::{InvalidKey, ObjectKey};
pub use s3::S3Storage;
pub use signed_url::{UrlError, UrlSigner};

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tempfile::TempPath;
use thiserror::Error;
use uuid::Uuid;

/// Why the storage did not do it.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The storage does not answer or refuses: try again later.
    #[error("the storage cannot {what}, try again later: {reason}")]
    Unavailable {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        reason: String,
    },
    /// There is no such object: trying again would end the same.
    #[error("there is no such object in the storage")]
    Missing,
    /// The object is another version than the one that was verified: trying again would end the same.
    #[error("the object was changed after it was verified")]
    Changed,
}

/// An upload that may take place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadTicket {
    /// The upload's id.
    pub upload_id: Uuid,
    /// Where the object goes.
    pub key: ObjectKey,
    /// Its media type, as the member announced it.
    pub content_type: String,
    /// Its size in bytes, as the member announced it.
    pub size: u64,
    /// When the URL stops working.
    pub expires_at: DateTime<Utc>,
}

/// What the storage knows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Size in bytes.
    pub size: u64,
    /// Media type, as it was uploaded.
    pub content_type: String,
    /// Tells this version from every other of the same key.
    pub etag: String,
}

/// An object as a local file, readable for as long as this value lives.
#[derive(Debug)]
pub struct LocalObject {
    path: PathBuf,
    _temporary: Option<TempPath>,
}

impl LocalObject {
    /// The storage's own file, which stays.
    pub fn kept(path: PathBuf) -> Self {
        Self {
            path,
            _temporary: None,
        }
    }

    /// A file that goes with this value.
    pub fn temporary(path: TempPath) -> Self {
        Self {
            path: path.to_path_buf(),
            _temporary: Some(path),
        }
    }

    /// Where to read it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A store of objects by key.
#[async_trait]
pub trait Storage: Send + Sync {
    /// The absolute URL under which the bytes of this upload may be PUT until it expires.
    ///
    /// # Errors
    /// When the URL cannot be signed.
    async fn upload_url(&self, ticket: &UploadTicket) -> Result<String, StorageError>;

    /// Whether an upload URL takes bytes until it expires, even when its upload is complete by then.
    fn urls_outlive_uploads(&self) -> bool {
        false
    }

    /// What is stored under a key, if anything.
    ///
    /// # Errors
    /// When the storage does not answer.
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError>;

    /// The object as a local file: the version with this etag, or any version without one.
    ///
    /// # Errors
    /// [`StorageError::Missing`] or [`StorageError::Changed`] for good, [`StorageError::Unavailable`] for now.
    async fn open(&self, key: &ObjectKey, etag: Option<&str>) -> Result<LocalObject, StorageError>;

    /// Deletes an object. Deleting what is not there is done already.
    ///
    /// # Errors
    /// When the object may still be there.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError>;

    /// Deletes many objects, each for itself: one answer for each key, in their order.
    async fn delete_many(&self, keys: &[ObjectKey]) -> Vec<Result<(), StorageError>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.delete(key).await);
        }
        answers
    }

    /// Whether objects can be stored and read now, for readiness.
    ///
    /// # Errors
    /// With what stands in the way.
    async fn check(&self) -> Result<(), StorageError>;
}
