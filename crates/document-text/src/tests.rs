//! The examples and small documents, read in this very process.

mod bombs;

use super::pdf::samples;
use super::{DocumentKind, Limits, code, extract_bytes};

fn rejected(kind: DocumentKind, bytes: &[u8], limits: &Limits) -> &'static str {
    extract_bytes(kind, bytes, limits).unwrap_err().code
}

#[test]
fn an_empty_or_blank_document_is_empty() {
    let limits = Limits::default();
    for kind in [
        DocumentKind::Pdf,
        DocumentKind::Markdown,
        DocumentKind::PlainText,
    ] {
        assert_eq!(rejected(kind, b"", &limits), code::DOCUMENT_EMPTY);
    }
    for blank in [&b" \r\n\t"[..], "\u{FEFF}\n".as_bytes()] {
        assert_eq!(
            rejected(DocumentKind::PlainText, blank, &limits),
            code::DOCUMENT_EMPTY
        );
    }
    assert_eq!(
        rejected(DocumentKind::Markdown, b"```\ncode\n```\n", &limits),
        code::DOCUMENT_EMPTY
    );
}

#[test]
fn a_text_is_too_long_by_its_characters_not_by_its_bytes() {
    let limits = Limits {
        max_chars: 4,
        ..Limits::default()
    };
    let text = extract_bytes(DocumentKind::PlainText, "가나다라".as_bytes(), &limits).unwrap();
    assert_eq!((text.text.as_str(), text.page_count), ("가나다라", None));
    assert_eq!(
        rejected(DocumentKind::PlainText, "가나다라마".as_bytes(), &limits),
        code::DOCUMENT_TOO_LONG
    );
}

/// Paragraphs of a fixture without their heading marks.
fn paragraphs(fixture: &str) -> Vec<&str> {
    fixture
        .trim()
        .split("\n\n")
        .map(|paragraph| paragraph.trim_start_matches(['#', ' ']))
        .collect()
}

fn assert_same_paragraphs(pdf: &[u8], fixture: &str) {
    let extracted = extract_bytes(DocumentKind::Pdf, pdf, &Limits::default()).unwrap();
    let expected = paragraphs(fixture);
    let actual: Vec<&str> = extracted.text.split("\n\n").collect();
    for (actual, expected) in actual.iter().zip(&expected) {
        assert_eq!(actual, expected);
    }
    assert_eq!(actual.len(), expected.len());
    assert_eq!(extracted.page_count, Some(2));
}

#[test]
fn a_korean_pdf_gives_back_every_paragraph_of_its_source_exactly() {
    assert_same_paragraphs(
        include_bytes!("../../../examples/sejong.ko.pdf"),
        include_str!("../fixtures/sejong.ko.txt"),
    );
}

#[test]
fn an_english_pdf_gives_back_every_paragraph_of_its_source_exactly() {
    assert_same_paragraphs(
        include_bytes!("../../../examples/solar-system.en.pdf"),
        include_str!("../fixtures/solar-system.en.txt"),
    );
}

#[test]
fn the_other_examples_are_read_in_whole_sentences() {
    let extract = |kind, bytes: &[u8]| extract_bytes(kind, bytes, &Limits::default()).unwrap().text;
    let markdown = extract(
        DocumentKind::Markdown,
        include_bytes!("../../../examples/operating-systems.ko.md"),
    );
    let english = extract(
        DocumentKind::PlainText,
        include_bytes!("../../../examples/cells-and-heredity.en.txt"),
    );
    let cp949 = extract(
        DocumentKind::PlainText,
        include_bytes!("../../../examples/geography.ko.cp949.txt"),
    );
    for (text, sentence) in [
        (
            &markdown,
            "초기의 컴퓨터에서는 작업을 모아 한꺼번에 처리하는 일괄 처리 방식이 쓰였다.",
        ),
        (
            &markdown,
            "1991년에는 헬싱키 대학교의 학생이던 리누스 토르발스가 리눅스 커널을 공개하였다.",
        ),
        (
            &english,
            "Virchow made the principle popular in 1855 that every cell comes from another cell.",
        ),
        (
            &cp949,
            "‘한국의 갯벌’은 2021년에 유네스코 세계자연유산으로 등재되었다.",
        ),
    ] {
        assert!(text.contains(sentence), "{sentence}");
    }
    for absent in [
        "sem_wait",
        "---",
        "|",
        "title:",
        "network.png",
        "https:",
        "**",
        "다음 판에는",
    ] {
        assert!(!markdown.contains(absent), "{absent}");
    }
}

const SENTENCE: &str = "The nucleus was named by Robert Brown.";

fn pdf_of(
    contents: &[&str],
    trailer: &str,
    limits: &Limits,
) -> Result<super::Extracted, &'static str> {
    extract_bytes(DocumentKind::Pdf, &samples::pdf(contents, trailer), limits)
        .map_err(|failure| failure.code)
}

#[test]
fn a_pdf_may_have_as_many_pages_as_the_limit_says_and_no_more() {
    let limits = Limits {
        max_pages: 3,
        ..Limits::default()
    };
    let page = samples::page(&[(700.0, SENTENCE)]);
    let extracted = pdf_of(&[page.as_str(); 3], "", &limits).unwrap();
    assert_eq!(extracted.page_count, Some(3));
    assert_eq!(
        pdf_of(&[page.as_str(); 4], "", &limits),
        Err(code::DOCUMENT_TOO_MANY_PAGES)
    );
}

#[test]
fn a_pdf_is_too_long_by_the_text_of_all_its_pages() {
    let limits = Limits {
        max_chars: SENTENCE.len() + 5,
        ..Limits::default()
    };
    let (one, other) = (
        samples::page(&[(700.0, SENTENCE)]),
        samples::page(&[(690.0, "More of it.")]),
    );
    assert!(pdf_of(&[&one], "", &limits).is_ok());
    assert_eq!(
        pdf_of(&[&one, &other], "", &limits),
        Err(code::DOCUMENT_TOO_LONG)
    );
    let endless = samples::page(&[(700.0, SENTENCE); 200]);
    assert_eq!(
        pdf_of(&[&endless], "", &limits),
        Err(code::DOCUMENT_TOO_LONG)
    );
}

#[test]
fn a_pdf_that_needs_a_password_is_encrypted() {
    let key = "00".repeat(32);
    let encrypt = format!(
        "/ID[<00><00>]/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -4/O<{key}>/U<{key}>>>"
    );
    let page = samples::page(&[(700.0, SENTENCE)]);
    assert_eq!(
        pdf_of(&[&page], &encrypt, &Limits::default()),
        Err(code::DOCUMENT_ENCRYPTED)
    );
}

#[test]
fn pages_that_draw_without_text_are_images_and_pages_that_draw_nothing_are_empty() {
    let limits = Limits::default();
    assert_eq!(
        pdf_of(&["q 9 0 0 9 0 0 cm /Im Do Q"], "", &limits),
        Err(code::DOCUMENT_IMAGE_ONLY)
    );
    assert_eq!(pdf_of(&[" "], "", &limits), Err(code::DOCUMENT_EMPTY));
    assert_eq!(pdf_of(&[], "", &limits), Err(code::DOCUMENT_EMPTY));
}

#[test]
fn glyphs_without_characters_are_as_unreadable_as_an_image() {
    let page = samples::page(&[(700.0, "\\001\\002\\003 \\004\\005 a")]);
    assert_eq!(
        pdf_of(&[&page], "", &Limits::default()),
        Err(code::DOCUMENT_IMAGE_ONLY)
    );
}

#[test]
fn damaged_files_are_broken_and_other_files_are_mismatched() {
    let limits = Limits::default();
    let whole = samples::pdf(&[&samples::page(&[(700.0, SENTENCE)])], "");
    let head = &whole[..60];
    assert_eq!(
        rejected(DocumentKind::Pdf, head, &limits),
        code::DOCUMENT_BROKEN
    );
    assert_eq!(
        rejected(DocumentKind::Pdf, b"%PDF-1.4\n\x00\xff garbage", &limits),
        code::DOCUMENT_BROKEN
    );
    assert_eq!(
        rejected(DocumentKind::Pdf, SENTENCE.as_bytes(), &limits),
        code::DOCUMENT_TYPE_MISMATCH
    );
    for kind in [DocumentKind::Markdown, DocumentKind::PlainText] {
        assert_eq!(
            rejected(kind, &whole, &limits),
            code::DOCUMENT_TYPE_MISMATCH
        );
    }
}

#[test]
fn hyphenated_words_are_whole_again_and_hyphens_of_their_own_stay() {
    let page = samples::page(&[
        (
            700.0,
            "The well-known process by which green plants use the light is photo-",
        ),
        (
            686.0,
            "synthesis, and it was studied by many people before it became well-",
        ),
        (672.0, "known. Sugar and oxygen are what it gives."),
    ]);
    assert_eq!(
        pdf_of(&[&page], "", &Limits::default()).unwrap().text,
        "The well-known process by which green plants use the light is photosynthesis, and it was \
         studied by many people before it became well-known. Sugar and oxygen are what it gives."
    );
}
