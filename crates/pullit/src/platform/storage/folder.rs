//! Objects as plain files in a folder: `<root>/<key>`.
//!
//! A folder keeps no media types, so each object has a side file under `<root>/.meta/` with its type and its etag (the SHA-256 of the
//! bytes). Files being written wait in `<root>/.tmp/`, in the same file system, until one rename makes them an object. No key starts with
//! a dot, so the three never meet.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempPath};
use thiserror::Error;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use super::leftovers::{self, present};
use super::{LocalObject, ObjectKey, ObjectMeta, Storage, StorageError, UploadTicket, UrlSigner};

/// Why the bytes of an upload were not taken. Nothing of them is kept.
#[derive(Debug, Error)]
pub enum StageError {
    /// More bytes than announced.
    #[error("more bytes arrived than were announced")]
    TooLong,
    /// Fewer bytes than announced.
    #[error("only {0} bytes arrived, fewer than were announced")]
    TooShort(u64),
    /// The sender went away.
    #[error("the upload broke off: {0}")]
    BrokenOff(String),
    /// The folder cannot take them.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A folder of objects, whose upload URLs this service answers itself.
#[derive(Debug)]
pub struct FolderStorage {
    root: PathBuf,
    signer: UrlSigner,
    /// An object and its side file change places together.
    placing: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SideFile {
    content_type: String,
    etag: String,
}

/// Bytes that arrived whole and are on the disk, but are no object yet. Dropped, they are gone.
#[derive(Debug)]
pub struct Staged {
    file: TempPath,
    meta: ObjectMeta,
}

impl FolderStorage {
    /// Opens a folder, making it if need be, and clears away what killed processes left half-written a day ago.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(root: impl Into<PathBuf>, signer: UrlSigner) -> Result<Self, StorageError> {
        let root = root.into();
        let storage = Self {
            root: std::path::absolute(&root).map_err(failed("find its folder"))?,
            signer,
            placing: Mutex::new(()),
        };
        leftovers::clear(&storage.waiting()).map_err(failed("make its folder"))?;
        Ok(storage)
    }

    /// Knows the upload URLs of this folder again.
    pub fn signer(&self) -> &UrlSigner {
        &self.signer
    }

    /// Writes bytes to the disk as they arrive, never more than announced.
    ///
    /// # Errors
    /// When there are more or fewer, the sender goes away, or the disk cannot take them.
    pub async fn stage<S, E>(
        &self,
        size: u64,
        content_type: &str,
        mut body: S,
    ) -> Result<Staged, StageError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: std::fmt::Display,
    {
        let waiting = self.waiting();
        let (file, path) = blocking(move || NamedTempFile::new_in(waiting))
            .await
            .map_err(failed("take an upload"))?
            .into_parts();
        let mut file = fs::File::from_std(file);
        let mut hash = Sha256::new();
        let mut arrived = 0_u64;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| StageError::BrokenOff(error.to_string()))?;
            arrived += chunk.len() as u64;
            if arrived > size {
                return Err(StageError::TooLong);
            }
            hash.update(&chunk);
            file.write_all(&chunk)
                .await
                .map_err(failed("write an upload"))?;
        }
        if arrived < size {
            return Err(StageError::TooShort(arrived));
        }
        file.sync_all().await.map_err(failed("write an upload"))?;
        Ok(Staged {
            file: path,
            meta: ObjectMeta {
                size,
                content_type: content_type.to_owned(),
                etag: hex(&hash.finalize()),
            },
        })
    }

    /// Makes staged bytes the object of a key, in the place of any before.
    ///
    /// # Errors
    /// When the disk does not take it; the object before it then stays.
    pub async fn place(&self, staged: Staged, key: &ObjectKey) -> Result<ObjectMeta, StorageError> {
        let (object, side) = (self.object(key), self.side_file(key));
        let waiting = self.waiting();
        let _together = self.placing.lock().await;
        blocking(move || place(staged, &waiting, &object, &side))
            .await
            .map_err(failed("store an upload"))
    }

    fn waiting(&self) -> PathBuf {
        self.root.join(".tmp")
    }

    fn object(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    fn side_file(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(".meta").join(key.as_str())
    }
}

#[async_trait]
impl Storage for FolderStorage {
    async fn upload_url(&self, ticket: &UploadTicket) -> Result<String, StorageError> {
        Ok(self.signer.sign(ticket.upload_id, ticket.expires_at))
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, StorageError> {
        let what = "look for an object";
        let Some(file) = present(fs::metadata(self.object(key)).await).map_err(failed(what))?
        else {
            return Ok(None);
        };
        let Some(side) = present(fs::read(self.side_file(key)).await).map_err(failed(what))? else {
            return Ok(None);
        };
        let side: SideFile =
            serde_json::from_slice(&side).map_err(|error| failed(what)(error.into()))?;
        Ok(Some(ObjectMeta {
            size: file.len(),
            content_type: side.content_type,
            etag: side.etag,
        }))
    }

    async fn open(&self, key: &ObjectKey, etag: Option<&str>) -> Result<LocalObject, StorageError> {
        let what = "read an object";
        let path = self.object(key);
        let found = match etag {
            Some(_) => {
                let path = path.clone();
                present(blocking(move || fingerprint(&path)).await).map_err(failed(what))?
            }
            None => present(fs::metadata(&path).await)
                .map_err(failed(what))?
                .map(|_| String::new()),
        };
        match (found, etag) {
            (None, _) => Err(StorageError::Missing),
            (Some(found), Some(etag)) if found != etag => Err(StorageError::Changed),
            (Some(_), _) => Ok(LocalObject::kept(path)),
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let (object, side) = (self.object(key), self.side_file(key));
        let (objects, sides) = (self.root.clone(), self.root.join(".meta"));
        let _together = self.placing.lock().await;
        blocking(move || {
            // The object first: a side file alone is nothing.
            remove(&object, &objects)?;
            remove(&side, &sides)
        })
        .await
        .map_err(failed("delete an object"))
    }

    async fn check(&self) -> Result<(), StorageError> {
        let waiting = self.waiting();
        blocking(move || NamedTempFile::new_in(waiting))
            .await
            .map(drop)
            .map_err(failed("write to its folder"))
    }
}

fn place(staged: Staged, waiting: &Path, object: &Path, side: &Path) -> io::Result<ObjectMeta> {
    let content = serde_json::to_vec(&SideFile {
        content_type: staged.meta.content_type.clone(),
        etag: staged.meta.etag.clone(),
    })?;
    let mut side_file = NamedTempFile::new_in(waiting)?;
    io::Write::write_all(&mut side_file, &content)?;
    side_file.as_file().sync_all()?;
    // The object last: without it there is nothing, whatever the side file says.
    move_to(side_file.into_temp_path(), side)?;
    move_to(staged.file, object)?;
    Ok(staged.meta)
}

fn move_to(mut file: TempPath, target: &Path) -> io::Result<()> {
    let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
    loop {
        std::fs::create_dir_all(folder)?;
        match file.persist(target) {
            Ok(()) => return std::fs::File::open(folder)?.sync_all(),
            // Another process took the folder away for being empty.
            Err(error) if error.error.kind() == io::ErrorKind::NotFound && error.path.exists() => {
                file = error.path;
            }
            Err(error) => return Err(error.error),
        }
    }
}

/// Removes a file, and the folders that this leaves empty, up to `root`.
fn remove(file: &Path, root: &Path) -> io::Result<()> {
    present(std::fs::remove_file(file))?;
    let emptied = file
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != root);
    for folder in emptied {
        // Not empty, or gone already: then so are those above.
        if std::fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

fn fingerprint(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> StorageError {
    move |error| StorageError::Unavailable {
        what,
        reason: error.to_string(),
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
