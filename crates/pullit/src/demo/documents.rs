//! The documents that are uploaded; inside the binary, so that it plays anywhere.

/// A document of `examples/`.
pub(super) struct Document {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) bytes: &'static [u8],
}

/// Two pages in Korean, with lines that break in the middle of words.
pub(super) const KOREAN_PDF: Document = Document {
    name: "sejong.ko.pdf",
    content_type: "application/pdf",
    bytes: include_bytes!("../../../../examples/sejong.ko.pdf"),
};

/// Plain text in English.
pub(super) const ENGLISH_TEXT: Document = Document {
    name: "cells-and-heredity.en.txt",
    content_type: "text/plain",
    bytes: include_bytes!("../../../../examples/cells-and-heredity.en.txt"),
};
