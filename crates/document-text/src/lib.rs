//! Clean text out of PDF, Markdown and plain text files.
//!
//! The text is prose in NFC: one paragraph a line, an empty line between paragraphs. Running headers, page
//! numbers, markup, tables and code are left out. Words that a PDF breaks at a line's end are whole again,
//! in Korean too.
//!
//! ```
//! use document_text::{DocumentKind, ExtractionFailure, Limits, extract_bytes};
//!
//! # fn main() -> Result<(), ExtractionFailure> {
//! let markdown = b"# Cells\n\nThe nucleus was named by **Robert Brown**.\n";
//! let document = extract_bytes(DocumentKind::Markdown, markdown, &Limits::default())?;
//! assert_eq!(document.text, "Cells\n\nThe nucleus was named by Robert Brown.");
//! # Ok(())
//! # }
//! ```
//!
//! # Documents of strangers
//!
//! A hostile document can use up memory or crash a reader. So a server reads each document in a child process
//! of its own program. It bounds its own memory and CPU time, and gives up files, network and other processes. [`Extractor`] starts the child, waits for it
//! and kills it when its time is over. Such a document fails, and the server goes on.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use document_text::{CHILD_COMMAND, DocumentKind, Extractor, Limits, child_main, this_program};
//! use tokio_util::sync::CancellationToken;
//!
//! fn main() -> ExitCode {
//!     let mut arguments = std::env::args_os().skip(1);
//!     if arguments.next().is_some_and(|first| first == CHILD_COMMAND) {
//!         return child_main(arguments);
//!     }
//!     serve()
//! }
//!
//! # #[tokio::main]
//! # async fn serve() -> ExitCode {
//! #     read().await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
//! # }
//! # async fn read() -> Result<(), Box<dyn std::error::Error>> {
//! let extractor = Extractor::new(this_program()?, Limits::default());
//! let cancel = CancellationToken::new();
//! let document = extractor.extract("upload.pdf".as_ref(), DocumentKind::Pdf, &cancel).await?;
//! # drop(document);
//! # Ok(())
//! # }
//! ```
//!
//! Reasons for the person who chose the document are in Korean, with a stable [`code`] beside each.

mod child;
mod confine;
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
pub use extractor::{Extractor, this_program};
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
/// Pages and characters are bounded here; memory and CPU are bounded in a child only.
///
/// # Errors
/// The document is rejected for good, with a [`code`] and the reason in Korean.
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
