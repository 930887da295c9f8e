//! The documents themselves, for who can read more in them than their text.

use std::collections::HashMap;

use bytes::Bytes;
use document_text::DocumentKind;
use tokio::io::AsyncReadExt;

use super::service::Sources;
use super::store;
use crate::platform::storage::ObjectKey;

impl Sources {
    /// The PDF files among these sources, in the version that was verified, as far as they fit into `at_most` bytes together. A file that
    /// cannot be had is left out: there is its text.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pdfs(
        &self,
        ids: &[i64],
        at_most: u64,
    ) -> Result<HashMap<i64, Bytes>, sqlx::Error> {
        let mut files = HashMap::new();
        let mut left = at_most;
        for document in store::sources::documents(self.db.read(), ids).await? {
            if DocumentKind::from_content_type(&document.content_type) != Some(DocumentKind::Pdf) {
                continue;
            }
            let Ok(key) = document.file_path.parse() else {
                continue;
            };
            let size = u64::try_from(document.file_size_bytes).unwrap_or(u64::MAX);
            if size > left {
                continue;
            }
            match self.bytes(&key, document.etag.as_deref(), left).await {
                Ok(Some(bytes)) => {
                    left -= bytes.len() as u64;
                    files.insert(document.id, bytes);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(source = document.id, %error, "a document cannot be read: its text is used instead");
                }
            }
        }
        Ok(files)
    }

    /// The bytes of an object; none when it has more than that.
    async fn bytes(
        &self,
        key: &ObjectKey,
        etag: Option<&str>,
        at_most: u64,
    ) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        let object = self.storage.open(key, etag).await?;
        let mut file = tokio::fs::File::open(object.path())
            .await?
            .take(at_most + 1);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).await?;
        Ok((bytes.len() as u64 <= at_most).then(|| bytes.into()))
    }
}
