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
        include_bytes!("../../../../../examples/sejong.ko.pdf"),
        include_str!("fixtures/sejong.ko.txt"),
    );
}

#[test]
fn an_english_pdf_gives_back_every_paragraph_of_its_source_exactly() {
    assert_same_paragraphs(
        include_bytes!("../../../../../examples/solar-system.en.pdf"),
        include_str!("fixtures/solar-system.en.txt"),
    );
}

#[test]
fn the_other_examples_are_read_in_whole_sentences() {
    let extract = |kind, bytes: &[u8]| extract_bytes(kind, bytes, &Limits::default()).unwrap().text;
    let markdown = extract(
        DocumentKind::Markdown,
        include_bytes!("../../../../../examples/operating-systems.ko.md"),
    );
    let english = extract(
        DocumentKind::PlainText,
        include_bytes!("../../../../../examples/cells-and-heredity.en.txt"),
    );
    let cp949 = extract(
        DocumentKind::PlainText,
        include_bytes!("../../../../../examples/geography.ko.cp949.txt"),
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
