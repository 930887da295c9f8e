//! From the wish to upload a file to the source that it becomes.

use document_text::DocumentKind;
use uuid::Uuid;

use super::error::SourceError;
use super::model::{CompleteUpload, NewUpload, Upload};
use super::service::Sources;
use super::store;
use crate::platform::clock;
use crate::platform::storage::{ObjectKey, ObjectMeta, UploadTicket};

/// Media types are kept in a column of this many characters.
const LONGEST_TYPE: usize = 100;

impl Sources {
    /// Where a member may upload a file: the ticket and its URL.
    ///
    /// # Errors
    /// When files of this type or size are not taken.
    pub async fn begin_upload(
        &self,
        member_id: i64,
        new: &NewUpload,
    ) -> Result<(UploadTicket, String), SourceError> {
        let kind = kind(&new.content_type)?;
        let size = u64::try_from(new.file_size).unwrap_or_default();
        let max_bytes = self.limits.max_bytes;
        if size > max_bytes {
            return Err(SourceError::TooLarge { max_bytes });
        }
        let now = self.now();
        let day = clock::day(self.zone, now);
        let ticket = UploadTicket {
            upload_id: Uuid::now_v7(),
            key: ObjectKey::of_upload(day, member_id, Uuid::new_v4(), extension(kind)),
            content_type: new.content_type.clone(),
            size,
            expires_at: now + self.limits.url_ttl,
        };
        let url = self.storage.upload_url(&ticket).await?;
        store::uploads::insert(self.db.write(), member_id, &new.file_name, &ticket, now).await?;
        Ok((ticket, url))
    }

    /// An upload that bytes may still be put to.
    ///
    /// # Errors
    /// When there is none such, or it is complete.
    pub(super) async fn open_upload(&self, upload_id: &str) -> Result<Upload, SourceError> {
        match store::uploads::by_id(self.db.read(), upload_id).await? {
            None => Err(SourceError::UploadUnknown),
            Some(upload) if upload.completed_at.is_some() => Err(SourceError::UploadCompleted),
            Some(upload) => Ok(upload),
        }
    }

    /// Makes an upload whose bytes are in the storage a source, and has its text read. The id of the source; asked again, the same one.
    ///
    /// # Errors
    /// When the upload is not this member's, or what is said or stored differs from what was announced.
    pub async fn complete_upload(
        &self,
        member_id: i64,
        said: &CompleteUpload,
    ) -> Result<i64, SourceError> {
        let upload = store::uploads::by_id(self.db.read(), &said.upload_id)
            .await?
            .filter(|upload| upload.member_id == member_id && upload.file_path == said.file_path)
            .ok_or(SourceError::UploadUnknown)?;
        check_words(&upload, said)?;
        if upload.completed_at.is_some() {
            return self.completed(&upload).await;
        }
        let key = upload
            .file_path
            .parse()
            .map_err(|_| SourceError::UploadUnknown)?;
        let object = self
            .storage
            .head(&key)
            .await?
            .ok_or(SourceError::UploadMissing)?;
        check_object(&upload, &object)?;

        let mut tx = self.db.begin().await?;
        let completed = store::uploads::complete(&mut tx, &upload, &object, self.now()).await?;
        tx.commit().await?;
        match completed {
            Some(source_id) => {
                self.waiting.notify_one();
                tracing::info!(
                    source_id,
                    member_id,
                    "a source was uploaded; its text is next"
                );
                Ok(source_id)
            }
            None => {
                let upload = store::uploads::by_id(self.db.read(), &upload.id)
                    .await?
                    .ok_or(SourceError::UploadUnknown)?;
                self.completed(&upload).await
            }
        }
    }

    /// The source of a completed upload. One without a source was given up and is about to be pruned.
    async fn completed(&self, upload: &Upload) -> Result<i64, SourceError> {
        let id = upload.source_id.ok_or(SourceError::UploadUnknown)?;
        if store::sources::living(self.db.read(), id).await? {
            Ok(id)
        } else {
            Err(SourceError::UploadCompleted)
        }
    }
}

/// The kind of a media type that can be kept and sent as a header.
fn kind(content_type: &str) -> Result<DocumentKind, SourceError> {
    let usable = content_type.len() <= LONGEST_TYPE
        && content_type
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    DocumentKind::from_content_type(content_type)
        .filter(|_| usable)
        .ok_or(SourceError::Type)
}

fn extension(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Pdf => "pdf",
        DocumentKind::Markdown => "md",
        DocumentKind::PlainText => "txt",
    }
}

/// Browsers add parameters and change case on the way: the type itself counts.
pub(super) fn same_type(one: &str, other: &str) -> bool {
    let essence = |text: &str| {
        let essence = text.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    };
    essence(one) == essence(other)
}

fn check_words(upload: &Upload, said: &CompleteUpload) -> Result<(), SourceError> {
    let mismatch = |field| Err(SourceError::UploadMismatch { field });
    if upload.original_name != said.original_name {
        mismatch("originalName")
    } else if !same_type(&upload.content_type, &said.content_type) {
        mismatch("contentType")
    } else if upload.file_size_bytes != said.file_size_bytes {
        mismatch("fileSizeBytes")
    } else {
        Ok(())
    }
}

fn check_object(upload: &Upload, object: &ObjectMeta) -> Result<(), SourceError> {
    if i64::try_from(object.size) != Ok(upload.file_size_bytes) {
        return Err(SourceError::UploadMismatch {
            field: "fileSizeBytes",
        });
    }
    if !same_type(&upload.content_type, &object.content_type) {
        return Err(SourceError::UploadMismatch {
            field: "contentType",
        });
    }
    Ok(())
}
