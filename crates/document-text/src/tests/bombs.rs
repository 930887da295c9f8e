//! Texts that would cost their square in a reader that was not careful.

use std::time::{Duration, Instant};

use super::*;

/// As long as the longest text a document may have.
const LONGEST: usize = 2_000_000;
/// Unoptimised, on a busy machine. What costs its square takes minutes at this length.
const GENEROUS: Duration = Duration::from_secs(30);

const PATTERNS: &[&str] = &[
    "𐐨𐐨-\n",
    "[x",
    "[a](",
    "![",
    "[^",
    "[a][",
    "[a]: ",
    "를\n",
    "a\n",
    "a ",
    "a",
    "- ",
    "- a\n",
    "> ",
    ">>",
    "1. ",
    "*",
    "**a",
    "_a ",
    "*a_b",
    "`",
    "`a",
    "``a`",
    "```\n",
    "~~",
    "<",
    "<a ",
    "<a href=\"",
    "<!--",
    "<!a",
    "<?",
    "<![CDATA[",
    "&",
    "&a;",
    "\\",
    "|",
    "|a\n",
    "|-",
    "a|b\n-|-\n",
    "#",
    "# a\n",
    "a\n=\n",
    "---\n",
    "+++\n",
    "a: b\n",
    "\t",
    "\r",
    "\r\n",
    "\n\n",
    "\u{301}",
    "a\u{301}",
    "\u{200b}",
    "\u{1100}\u{1161}",
    "\u{2028}",
    "\u{a0}",
    "http://a",
    "(",
    ")",
    "[]()",
    "<a@b>",
    "[a](<b",
    "[a](b \"c",
    "{#",
    "# a {#",
];

#[test]
fn no_pattern_of_a_long_text_costs_its_square() {
    let limits = Limits::default();
    for pattern in PATTERNS {
        let text: String = pattern.chars().cycle().take(LONGEST).collect();
        for kind in [DocumentKind::PlainText, DocumentKind::Markdown] {
            let begin = Instant::now();
            let read = extract_bytes(kind, text.as_bytes(), &limits);
            let took = begin.elapsed();
            assert!(
                took < GENEROUS,
                "{pattern:?} {kind:?} {took:?} {}",
                read.is_ok()
            );
        }
    }
}
