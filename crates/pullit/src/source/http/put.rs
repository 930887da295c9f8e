//! `PUT` to an upload URL of a folder.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::platform::http::{ApiError, codes};
use crate::platform::storage::{FolderStorage, ObjectMeta, StageError, StorageError, UrlError};
use crate::source::error::SourceError;
use crate::source::model::Upload;
use crate::source::service::Sources;
use crate::source::uploads::same_type;

/// A sender who is silent for this long has gone.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest time of one upload.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// How much of a refused body is still read, and for how long: a connection closed on a sender who is still sending takes the answer
/// with it.
const DRAIN_BYTES: usize = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Door {
    sources: Arc<Sources>,
    folder: Arc<FolderStorage>,
}

/// The route that the upload URLs of a folder lead to. The URL is its own ticket: no access token is asked for. The request may take
/// long and has no place under the timeout of other requests.
pub fn upload_routes(sources: Arc<Sources>, folder: Arc<FolderStorage>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(put))
        .with_state(Door { sources, folder })
}

#[derive(Deserialize)]
struct Signed {
    expires: i64,
    signature: String,
}

/// Takes the bytes of an upload, as many as announced. Before completion a later PUT replaces an earlier one.
#[utoipa::path(put, path = "/storage/uploads/{uploadId}", tag = "storage",
    params(("uploadId" = String, Path), ("expires" = i64, Query), ("signature" = String, Query)),
    request_body(content = Vec<u8>, description = "The bytes, with `Content-Type` as asked", content_type = "application/octet-stream"),
    responses((status = 200, description = "Stored; `ETag` names the version"),
        (status = 403, description = "S_008: expired, S_009: signature"), (status = 404, description = "S_004"),
        (status = 409, description = "S_006: another size or type than announced, S_007: complete already")))]
async fn put(
    State(door): State<Door>,
    Path(upload_id): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let admitted = door.admit(&upload_id, query.as_deref(), &parts.headers);
    let upload = match admitted.await {
        Ok(upload) => upload,
        Err(error) => {
            // Who waits to be asked for the body has not sent it.
            if !parts.headers.contains_key(header::EXPECT) {
                drain(body).await;
            }
            return Err(error);
        }
    };
    match door.take(&upload, &mut body).await {
        Ok(meta) => {
            let etag = format!("\"{}\"", meta.etag);
            Ok((StatusCode::OK, [(header::ETAG, etag)], Body::empty()).into_response())
        }
        Err(error) => {
            drain(body).await;
            Err(error)
        }
    }
}

impl Door {
    /// The upload that this request may put bytes to.
    async fn admit(
        &self,
        upload_id: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Upload, ApiError> {
        let signed = signed(query).ok_or(codes::UPLOAD_SIGNATURE)?;
        let now = self.sources.now();
        self.folder
            .signer()
            .verify(upload_id, signed.expires, &signed.signature, now)
            .map_err(|error| match error {
                UrlError::Signature => codes::UPLOAD_SIGNATURE,
                UrlError::Expired => codes::UPLOAD_EXPIRED,
            })?;
        let upload = self.sources.open_upload(upload_id).await?;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if !same_type(
            text(header::CONTENT_TYPE).unwrap_or_default(),
            &upload.content_type,
        ) {
            return Err(mismatch(format!(
                "Content-Type은 {}이어야 합니다",
                upload.content_type
            )));
        }
        if let Some(length) = text(header::CONTENT_LENGTH)
            && length.parse() != Ok(upload.file_size_bytes)
        {
            return Err(wrong_size(&upload));
        }
        Ok(upload)
    }

    async fn take(
        &self,
        upload: &Upload,
        body: &mut BodyDataStream,
    ) -> Result<ObjectMeta, ApiError> {
        let key = upload
            .file_path
            .parse()
            .map_err(|_| codes::UPLOAD_UNKNOWN)?;
        let size = upload.file_size_bytes.unsigned_abs();
        let staging = self
            .folder
            .stage(size, &upload.content_type, Box::pin(paced(body)));
        let staged = tokio::time::timeout(LONGEST, staging)
            .await
            .map_err(|_| codes::TIMEOUT)?
            .map_err(|error| match error {
                StageError::TooLong | StageError::TooShort(_) => wrong_size(upload),
                StageError::BrokenOff(reason) => mismatch(reason),
                StageError::Storage(error) => storage(error),
            })?;
        // It may have been completed while the bytes arrived.
        self.sources.open_upload(&upload.id).await?;
        self.folder.place(staged, &key).await.map_err(storage)
    }
}

fn signed(query: Option<&str>) -> Option<Signed> {
    let uri = format!("/?{}", query?).parse().ok()?;
    let query = axum::extract::Query::<Signed>::try_from_uri(&uri).ok()?;
    Some(query.0)
}

fn storage(error: StorageError) -> ApiError {
    SourceError::from(error).into()
}

fn mismatch(detail: String) -> ApiError {
    ApiError::with(codes::UPLOAD_MISMATCH, detail)
}

fn wrong_size(upload: &Upload) -> ApiError {
    mismatch(format!(
        "파일 크기는 {}바이트여야 합니다",
        upload.file_size_bytes
    ))
}

/// The chunks of a body, and an error when they stop coming.
fn paced(body: &mut BodyDataStream) -> impl Stream<Item = Result<Bytes, String>> + Send + '_ {
    stream::unfold(body, |body| async move {
        let chunk = match tokio::time::timeout(SILENCE, body.next()).await {
            Ok(None) => return None,
            Ok(Some(chunk)) => chunk.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "{}초 동안 아무것도 오지 않았습니다",
                SILENCE.as_secs()
            )),
        };
        Some((chunk, body))
    })
}

async fn drain(mut body: BodyDataStream) {
    let draining = async {
        let mut read = 0;
        while let Some(Ok(chunk)) = body.next().await {
            read += chunk.len();
            if read > DRAIN_BYTES {
                break;
            }
        }
    };
    // Whether it ended or not, the answer goes out now.
    let _ = tokio::time::timeout(DRAIN_TIME, draining).await;
}
