//! Why there is no text: codes, and whether the document or the machine is at fault.

use serde::{Deserialize, Serialize};

/// The stable codes of documents that are rejected for good.
pub mod code {
    macro_rules! codes {
        ($($(#[$doc:meta])* $name:ident;)*) => {
            $($(#[$doc])* pub const $name: &str = stringify!($name);)*
            pub(in super::super) const ALL: &[&str] = &[$($name),*];
        };
    }

    codes! {
        /// Opens with a password only.
        DOCUMENT_ENCRYPTED;
        /// Damaged, or no such document at all.
        DOCUMENT_BROKEN;
        /// Holds no bytes, no pages or no text.
        DOCUMENT_EMPTY;
        /// Pages without a text layer: scans.
        DOCUMENT_IMAGE_ONLY;
        /// More characters than allowed.
        DOCUMENT_TOO_LONG;
        /// More pages than allowed.
        DOCUMENT_TOO_MANY_PAGES;
        /// Text in none of UTF-8, UTF-16 with a mark, CP949; or binary.
        DOCUMENT_UNKNOWN_ENCODING;
        /// Declared to be a PDF and is none, or the other way round.
        DOCUMENT_TYPE_MISMATCH;
        /// Reading it took longer than allowed.
        DOCUMENT_TIMEOUT;
        /// Reading it took more memory than allowed, or broke the reader.
        DOCUMENT_TOO_COMPLEX;
    }
}

/// Why a document is rejected for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ExtractionFailure {
    /// One of [`code`].
    pub code: &'static str,
    /// In Korean, for the person who chose the document: what is wrong, and what would help.
    pub message: String,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum ExtractionError {
    /// The document itself is at fault: trying again would end the same.
    #[error(transparent)]
    Rejected(#[from] ExtractionFailure),
    /// The machine is at fault: try again later.
    #[error("text extraction is unavailable, try again later: {0}")]
    Unavailable(String),
    /// The caller cancelled; the child is gone.
    #[error("text extraction was cancelled")]
    Cancelled,
}

/// A failure on its way from the child to its parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireFailure {
    code: String,
    message: String,
}

impl From<ExtractionFailure> for WireFailure {
    fn from(failure: ExtractionFailure) -> Self {
        Self {
            code: failure.code.to_owned(),
            message: failure.message,
        }
    }
}

impl TryFrom<WireFailure> for ExtractionFailure {
    type Error = String;

    fn try_from(wire: WireFailure) -> Result<Self, String> {
        let code = code::ALL.iter().find(|code| **code == wire.code);
        let code = code.ok_or_else(|| format!("unknown failure code {:?}", wire.code))?;
        Ok(Self {
            code,
            message: wire.message,
        })
    }
}

impl ExtractionFailure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn encrypted() -> Self {
        Self::new(
            code::DOCUMENT_ENCRYPTED,
            "암호로 보호된 PDF입니다. 암호를 해제한 파일을 올려 주세요.",
        )
    }

    pub(super) fn broken() -> Self {
        Self::new(
            code::DOCUMENT_BROKEN,
            "문서를 읽을 수 없습니다. 파일이 손상되었는지 확인해 주세요.",
        )
    }

    pub(super) fn empty() -> Self {
        Self::new(code::DOCUMENT_EMPTY, "문서에 내용이 없습니다.")
    }

    pub(super) fn image_only() -> Self {
        Self::new(
            code::DOCUMENT_IMAGE_ONLY,
            "문서에 글자 정보가 없습니다. 스캔한 이미지라면 글자를 인식(OCR)한 파일을 올려 주세요.",
        )
    }

    pub(super) fn too_long(max_chars: usize) -> Self {
        Self::new(
            code::DOCUMENT_TOO_LONG,
            format!("문서가 너무 깁니다. {max_chars}자까지 읽을 수 있습니다. 나누어 올려 주세요."),
        )
    }

    pub(super) fn too_many_pages(pages: u32, max_pages: u32) -> Self {
        Self::new(
            code::DOCUMENT_TOO_MANY_PAGES,
            format!(
                "문서가 {pages}쪽입니다. {max_pages}쪽까지 읽을 수 있습니다. 나누어 올려 주세요."
            ),
        )
    }

    pub(super) fn unknown_encoding() -> Self {
        Self::new(
            code::DOCUMENT_UNKNOWN_ENCODING,
            "글자 인코딩을 알 수 없습니다. UTF-8로 저장한 텍스트 파일을 올려 주세요.",
        )
    }

    pub(super) fn type_mismatch() -> Self {
        Self::new(
            code::DOCUMENT_TYPE_MISMATCH,
            "파일의 내용이 알려 준 형식과 다릅니다. 파일 형식을 확인해 주세요.",
        )
    }

    pub(super) fn timeout() -> Self {
        Self::new(
            code::DOCUMENT_TIMEOUT,
            "문서를 읽는 데 시간이 너무 오래 걸려 중단했습니다. 더 단순한 파일로 나누어 올려 주세요.",
        )
    }

    pub(super) fn too_complex() -> Self {
        Self::new(
            code::DOCUMENT_TOO_COMPLEX,
            "문서의 구조가 너무 복잡하여 읽지 못했습니다. 다른 프로그램으로 다시 저장해 올려 주세요.",
        )
    }
}
