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
