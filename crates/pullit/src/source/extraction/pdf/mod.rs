use std::io::Cursor;

use oxidize_pdf::parser::{ParseError, PdfDocument, PdfReader};

use super::{ExtractionFailure, Limits};

/// What the pages of a PDF say.
pub(super) struct PdfText {
    pub(super) text: String,
    pub(super) page_count: i32,
}

/// Readers accept some bytes before the header; so do we.
const HEADER_WITHIN: usize = 1024;

/// Whether the file claims to be a PDF.
pub(super) fn is_pdf(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEADER_WITHIN)];
    head.windows(5).any(|window| window == b"%PDF-")
}

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<PdfText, ExtractionFailure> {
    let reader = PdfReader::new(Cursor::new(bytes)).map_err(failure)?;
    if !reader.is_unlocked() {
        return Err(ExtractionFailure::encrypted());
    }
    let document = PdfDocument::new(reader);
    let pages = document.page_count().map_err(failure)?;
    if pages > limits.max_pages {
        return Err(ExtractionFailure::too_many_pages(pages, limits.max_pages));
    }
    let mut text = String::new();
    for page in document.extract_text().map_err(failure)? {
        text.push_str(&page.text);
        text.push_str("\n\n");
    }
    if pages == 0 {
        return Err(ExtractionFailure::empty());
    }
    if text.trim().is_empty() {
        return Err(ExtractionFailure::image_only());
    }
    Ok(PdfText {
        text,
        page_count: i32::try_from(pages).unwrap_or(i32::MAX),
    })
}

fn failure(error: ParseError) -> ExtractionFailure {
    match error {
        ParseError::EmptyFile => ExtractionFailure::empty(),
        ParseError::EncryptionNotSupported | ParseError::WrongPassword | ParseError::PdfLocked => {
            ExtractionFailure::encrypted()
        }
        _ => ExtractionFailure::broken(),
    }
}
