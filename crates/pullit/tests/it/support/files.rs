//! Files to upload.

pub(crate) const PDF: &str = "application/pdf";
pub(crate) const MARKDOWN: &str = "text/markdown";
pub(crate) const TEXT: &str = "text/plain";

/// A document of `examples/`.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
    /// Pages that the list shows.
    pub(crate) pages: Option<i64>,
    /// Words that stand in its text, whole.
    pub(crate) sentence: &'static str,
}

macro_rules! example {
    ($name:literal, $content_type:expr, $pages:expr, $sentence:literal) => {
        Example {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../../../examples/", $name)),
            pages: $pages,
            sentence: $sentence,
        }
    };
}

/// Every document of `examples/`.
pub(crate) const EXAMPLES: &[Example] = &[
    example!("sejong.ko.pdf", PDF, Some(2), "훈민정음"),
    example!("solar-system.en.pdf", PDF, Some(2), "Jupiter"),
    example!(
        "operating-systems.ko.md",
        MARKDOWN,
        None,
        "초기의 컴퓨터에서는 작업을 모아 한꺼번에 처리하는 일괄 처리 방식이 쓰였다."
    ),
    example!(
        "cells-and-heredity.en.txt",
        TEXT,
        None,
        "Virchow made the principle popular in 1855 that every cell comes from another cell."
    ),
    example!(
        "geography.ko.cp949.txt",
        TEXT,
        None,
        "‘한국의 갯벌’은 2021년에 유네스코 세계자연유산으로 등재되었다."
    ),
];

/// A text of some length about which many questions can be asked.
pub(crate) const ENGLISH: &str = include_str!("../../../../../examples/cells-and-heredity.en.txt");

/// A PDF with a page for each content stream; `trailer` goes into the trailer.
pub(crate) fn pdf(pages: &[&str], trailer: &str) -> Vec<u8> {
    let kids = (0..pages.len()).map(|n| format!("{} 0 R ", 4 + 2 * n));
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!(
            "<</Type/Pages/Count {}/Kids[{}]>>",
            pages.len(),
            kids.collect::<String>()
        ),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
    ];
    for (n, content) in pages.iter().enumerate() {
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>/Contents {} 0 R>>",
            5 + 2 * n
        ));
        objects.push(format!(
            "<</Length {}>>stream\n{content}\nendstream",
            content.len()
        ));
    }
    let (mut file, mut offsets) = (String::from("%PDF-1.7\n"), String::new());
    for (index, object) in objects.iter().enumerate() {
        offsets.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let (size, start) = (objects.len() + 1, file.len());
    file.push_str(&format!(
        "xref\n0 {size}\n0000000000 65535 f \n{offsets}trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n"
    ));
    file.into_bytes()
}

/// The content stream of a page with one line of text.
pub(crate) fn line(text: &str) -> String {
    format!("BT /F 12 Tf 72 700 Td ({text}) Tj ET")
}

/// What a trailer says of a PDF that opens with a password only.
pub(crate) fn encrypted() -> String {
    let key = "00".repeat(32);
    format!("/ID[<00><00>]/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -4/O<{key}>/U<{key}>>>")
}
