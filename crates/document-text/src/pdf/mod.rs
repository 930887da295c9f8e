//! PDF: glyph runs with positions in, paragraphs out.

mod furniture;
mod korean;
mod line;
mod paragraph;
#[cfg(test)]
pub(super) mod samples;
mod seam;
mod vocabulary;

use std::io::Cursor;

use oxidize_pdf::parser::{ParseError, PdfDocument, PdfReader};
use oxidize_pdf::text::{ExtractionOptions, TextExtractor};

use super::{ExtractionFailure, Limits};

/// Readers accept some bytes before the header; so do we.
const HEADER_WITHIN: usize = 1024;

/// What the pages of a PDF say.
pub(super) struct PdfText {
    pub(super) text: String,
    pub(super) page_count: i32,
}

/// Whether the file claims to be a PDF.
pub(super) fn is_pdf(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEADER_WITHIN)];
    head.windows(5).any(|window| window == b"%PDF-")
}

/// Reads the paragraphs of a PDF, an empty line between them, without running headers and footers.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<PdfText, ExtractionFailure> {
    let reader = PdfReader::new(Cursor::new(bytes)).map_err(failure)?;
    if !reader.is_unlocked() {
        return Err(ExtractionFailure::encrypted());
    }
    let document = PdfDocument::new(reader);
    let page_count = document.page_count().map_err(failure)?;
    if page_count > limits.max_pages {
        return Err(ExtractionFailure::too_many_pages(
            page_count,
            limits.max_pages,
        ));
    }
    if page_count == 0 {
        return Err(ExtractionFailure::empty());
    }
    let pages = read_pages(&document, page_count, limits)?;
    if pages.iter().all(Vec::is_empty) {
        return Err(if draws_something(&document, page_count) {
            ExtractionFailure::image_only()
        } else {
            ExtractionFailure::empty()
        });
    }
    let text = paragraph::rebuild(&furniture::without(pages));
    if is_unreadable(&text) {
        return Err(ExtractionFailure::image_only());
    }
    Ok(PdfText {
        text,
        page_count: i32::try_from(page_count).unwrap_or(i32::MAX),
    })
}

type Document<'a> = PdfDocument<Cursor<&'a [u8]>>;

fn read_pages(
    document: &Document<'_>,
    page_count: u32,
    limits: &Limits,
) -> Result<Vec<Vec<line::Line>>, ExtractionFailure> {
    let longest = limits.max_chars.saturating_mul(4);
    // One extractor for all pages: it keeps the fonts that it has parsed.
    let mut extractor = TextExtractor::with_options(ExtractionOptions {
        preserve_layout: true,
        sort_by_position: false,
        merge_hyphenated: false,
        max_extracted_bytes: Some(longest),
        ..ExtractionOptions::default()
    })
    .with_non_breaking_space_normalization(true);
    let mut extracted = 0;
    let mut pages = Vec::new();
    let mut first_error = None;
    for index in 0..page_count {
        match extractor.extract_from_page(document, index) {
            Ok(page) => {
                extracted += page.fragments.iter().map(|f| f.text.len()).sum::<usize>();
                if page.truncated || extracted > longest {
                    return Err(ExtractionFailure::too_long(limits.max_chars));
                }
                pages.push(line::lines(&page.fragments));
            }
            // One damaged page does not cost the others.
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if pages.is_empty() => Err(failure(error)),
        _ => Ok(pages),
    }
}

/// Whether the file does not say which characters most of its glyphs are.
fn is_unreadable(text: &str) -> bool {
    let (mut known, mut unknown) = (0_usize, 0_usize);
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        let is_known = c != char::REPLACEMENT_CHARACTER
            && !c.is_control()
            && !('\u{E000}'..='\u{F8FF}').contains(&c);
        *if is_known { &mut known } else { &mut unknown } += 1;
    }
    unknown >= known
}

/// Whether any page holds drawing operators at all.
fn draws_something(document: &Document<'_>, page_count: u32) -> bool {
    (0..page_count).any(|index| {
        let page = document.get_page(index);
        let content = page.and_then(|page| document.get_combined_page_content_stream(&page));
        content.is_ok_and(|content| content.iter().any(|byte| byte.is_ascii_graphic()))
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
