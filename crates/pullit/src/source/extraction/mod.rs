//! Documents in, clean text out.
//!
//! Every document is read in a child process of this same program ([`child_main`]) that bounds its
//! own memory and CPU time; [`Extractor`] is the side that starts it, waits and kills. A hostile
//! document therefore costs its own source a status and the server nothing.

mod child;
mod decode;
mod extractor;
mod failure;
mod kind;
mod limits;
mod markdown;
mod pdf;
mod plain;
mod tidy;
mod wire;

pub use child::{CHILD_COMMAND, child_main};
pub use extractor::Extractor;
pub use failure::{ExtractionError, ExtractionFailure, code};
pub use kind::DocumentKind;
pub use limits::Limits;

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// Clean prose in NFC: a paragraph a line, an empty line between paragraphs, no control
    /// characters but the line feed.
    pub text: String,
    /// Pages of a PDF; `None` for formats without pages.
    pub page_count: Option<i32>,
}

/// Reads `bytes` as a document of `kind` in this very process.
///
/// Memory and CPU are not bounded here (that is the child process's part); pages and characters are.
///
/// # Errors
/// The document is rejected for good, with a code of [`code`] and the reason in Korean.
pub fn extract_bytes(
    kind: DocumentKind,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Extracted, ExtractionFailure> {
    if bytes.is_empty() {
        return Err(ExtractionFailure::empty());
    }
    if pdf::is_pdf(bytes) != (kind == DocumentKind::Pdf) {
        return Err(ExtractionFailure::type_mismatch());
    }
    let (text, page_count) = match kind {
        DocumentKind::Pdf => {
            let document = pdf::read(bytes, limits)?;
            (document.text, Some(document.page_count))
        }
        DocumentKind::Markdown => (markdown::to_prose(&decode::decode(bytes, limits)?), None),
        DocumentKind::PlainText => (plain::unwrap(&decode::decode(bytes, limits)?), None),
    };
    let text = tidy::tidy(&text);
    if text.is_empty() {
        return Err(ExtractionFailure::empty());
    }
    if text.chars().count() > limits.max_chars {
        return Err(ExtractionFailure::too_long(limits.max_chars));
    }
    Ok(Extracted { text, page_count })
}

#[cfg(test)]
mod tests;
