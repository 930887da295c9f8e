//! `/api/learning/source…`, and the door that upload URLs of a folder lead to.

mod put;

pub use put::upload_routes;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SourceError;
use super::model::{CompleteUpload, ListedSource, NewUpload, SourceStatus};
use super::service::Sources;
use crate::platform::clock;
use crate::platform::http::{ApiError, Caller, FieldError, Fields, Json, PathId, codes};

/// Names are kept in a column of this many characters.
const LONGEST_NAME: usize = 255;

/// The routes of the room.
pub fn routes(sources: Arc<Sources>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(upload))
        .routes(routes!(complete))
        .routes(routes!(list))
        .routes(routes!(delete))
        .with_state(sources)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UploadRequest {
    /// The file's name, without a path.
    #[schema(required)]
    file_name: Option<String>,
    /// `application/pdf`, `text/markdown` or `text/plain`.
    #[schema(required)]
    content_type: Option<String>,
    /// Size in bytes.
    #[schema(required)]
    file_size: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UploadAnswer {
    /// PUT the bytes here, with `Content-Type` as asked, within 15 minutes.
    upload_url: String,
    file_path: String,
    original_name: String,
    content_type: String,
    file_size_bytes: u64,
    upload_id: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CompleteRequest {
    #[schema(required)]
    upload_id: Option<String>,
    #[schema(required)]
    file_path: Option<String>,
    #[schema(required)]
    original_name: Option<String>,
    #[schema(required)]
    content_type: Option<String>,
    #[schema(required)]
    file_size_bytes: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SourceId {
    id: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SourceItem {
    id: i64,
    original_name: String,
    /// Always null for now.
    source_folder_name: Option<String>,
    status: SourceStatus,
    /// Living question sets made from it.
    question_set_count: i64,
    /// Pages of a PDF; null for formats without pages, and until it is READY.
    page_count: Option<i32>,
    file_size_bytes: i64,
    /// The day in the service's zone.
    created_at: NaiveDate,
    recent_question_generated_at: Option<DateTime<Utc>>,
    /// Why it FAILED.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
}

/// Asks for a URL to upload a file to.
#[utoipa::path(post, path = "/api/learning/source/upload", tag = "source", security(("bearer" = [])), request_body = UploadRequest,
    responses((status = 200, body = UploadAnswer), (status = 400, description = "C_002, C_003, S_002: type, S_003: size"),
        (status = 401, description = "A_001, A_002")))]
async fn upload(
    State(sources): State<Arc<Sources>>,
    caller: Caller,
    Json(request): Json<UploadRequest>,
) -> Result<Json<UploadAnswer>, ApiError> {
    let new = read_upload(request)?;
    let (ticket, upload_url) = sources.begin_upload(caller.id(), &new).await?;
    Ok(Json(UploadAnswer {
        upload_url,
        file_path: ticket.key.to_string(),
        original_name: new.file_name,
        content_type: ticket.content_type,
        file_size_bytes: ticket.size,
        upload_id: ticket.upload_id.to_string(),
    }))
}

/// Says that the bytes are uploaded: from now on there is a source, and its text is read. Said again, it answers the same.
#[utoipa::path(post, path = "/api/learning/source/upload-complete", tag = "source", security(("bearer" = [])), request_body = CompleteRequest,
    responses((status = 200, body = SourceId), (status = 400, description = "C_002, C_003"),
        (status = 401, description = "A_001, A_002"), (status = 404, description = "S_004: no such upload of the caller"),
        (status = 409, description = "S_005: nothing uploaded, S_006: not what was announced, S_007: deleted since")))]
async fn complete(
    State(sources): State<Arc<Sources>>,
    caller: Caller,
    Json(request): Json<CompleteRequest>,
) -> Result<Json<SourceId>, ApiError> {
    let said = read_complete(request)?;
    let id = sources.complete_upload(caller.id(), &said).await?;
    Ok(Json(SourceId { id }))
}

/// The caller's sources, newest first.
#[utoipa::path(get, path = "/api/learning/source", tag = "source", security(("bearer" = [])),
    responses((status = 200, body = Vec<SourceItem>), (status = 401, description = "A_001, A_002")))]
async fn list(
    State(sources): State<Arc<Sources>>,
    caller: Caller,
) -> Result<Json<Vec<SourceItem>>, ApiError> {
    let listed = sources.list(caller.id()).await?;
    let items = listed.into_iter().map(|source| item(&sources, source));
    Ok(Json(items.collect()))
}

/// Deletes a source: it is listed no more at once; its file goes when no question set needs it.
#[utoipa::path(delete, path = "/api/learning/source/{id}", tag = "source", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 204), (status = 401, description = "A_001, A_002"), (status = 404, description = "S_001")))]
async fn delete(
    State(sources): State<Arc<Sources>>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    sources.delete(caller.id(), id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn read_upload(request: UploadRequest) -> Result<NewUpload, ApiError> {
    let mut fields = Fields::new();
    let file_name = fields.text("fileName", request.file_name, LONGEST_NAME);
    if file_name
        .as_ref()
        .is_some_and(|name| name.contains(['/', '\\']))
    {
        fields.wrong("fileName", "경로를 포함할 수 없습니다");
    }
    let content_type = fields.required("contentType", request.content_type);
    let file_size = fields.required("fileSize", request.file_size);
    if file_size.is_some_and(|size| size <= 0) {
        fields.wrong("fileSize", "0보다 커야 합니다");
    }
    fields.check()?;
    Ok(NewUpload {
        file_name: file_name.unwrap_or_default(),
        content_type: content_type.unwrap_or_default().trim().to_owned(),
        file_size: file_size.unwrap_or_default(),
    })
}

fn read_complete(request: CompleteRequest) -> Result<CompleteUpload, ApiError> {
    let mut fields = Fields::new();
    let upload_id = fields.required("uploadId", request.upload_id);
    let file_path = fields.required("filePath", request.file_path);
    let original_name = fields.required("originalName", request.original_name);
    let content_type = fields.required("contentType", request.content_type);
    let file_size_bytes = fields.required("fileSizeBytes", request.file_size_bytes);
    fields.check()?;
    let upload_id = upload_id.unwrap_or_default();
    // What is no UUID names no upload, and PostgreSQL would choke on some of it.
    let upload_id = uuid::Uuid::parse_str(&upload_id).map_err(|_| codes::UPLOAD_UNKNOWN)?;
    Ok(CompleteUpload {
        upload_id: upload_id.to_string(),
        file_path: file_path.unwrap_or_default(),
        original_name: original_name.unwrap_or_default().trim().to_owned(),
        content_type: content_type.unwrap_or_default(),
        file_size_bytes: file_size_bytes.unwrap_or_default(),
    })
}

fn item(sources: &Sources, source: ListedSource) -> SourceItem {
    SourceItem {
        id: source.id,
        original_name: source.original_name,
        source_folder_name: None,
        status: source.status,
        question_set_count: source.question_set_count,
        page_count: source.page_count,
        file_size_bytes: source.file_size_bytes,
        created_at: clock::day(sources.zone, source.created_at),
        recent_question_generated_at: source.recent_question_generated_at,
        failure_reason: source
            .failure_reason
            .filter(|_| source.status == SourceStatus::Failed),
    }
}

impl From<SourceError> for ApiError {
    fn from(error: SourceError) -> Self {
        let field = |code, field: &str, message: String| ApiError {
            errors: vec![FieldError {
                field: field.to_owned(),
                message,
            }],
            ..ApiError::new(code)
        };
        match error {
            SourceError::NotFound => codes::SOURCE_NOT_FOUND.into(),
            SourceError::Type => field(
                codes::SOURCE_TYPE,
                "contentType",
                "application/pdf, text/markdown, text/plain 중 하나여야 합니다".to_owned(),
            ),
            SourceError::TooLarge { max_bytes } => field(
                codes::SOURCE_TOO_LARGE,
                "fileSize",
                format!("{max_bytes}바이트를 넘을 수 없습니다"),
            ),
            SourceError::UploadUnknown => codes::UPLOAD_UNKNOWN.into(),
            SourceError::UploadMissing => codes::UPLOAD_MISSING.into(),
            SourceError::UploadMismatch { field: name } => field(
                codes::UPLOAD_MISMATCH,
                name,
                "업로드를 요청할 때와 다릅니다".to_owned(),
            ),
            SourceError::UploadCompleted => codes::UPLOAD_COMPLETED.into(),
            SourceError::Storage(error) => {
                tracing::error!(%error, "a request failed for a storage error");
                codes::UNAVAILABLE.into()
            }
            SourceError::Database(error) => error.into(),
        }
    }
}
