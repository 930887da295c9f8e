//! Markdown: prose without its markup.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The prose of a Markdown document, an empty line between blocks.
///
/// Headings and list items become paragraphs of their own; links leave their text; code blocks,
/// tables, images, HTML, comments and front matter leave nothing.
pub(super) fn to_prose(markdown: &str) -> String {
    // Strikethrough stays off: it would swallow the tildes of Korean ranges such as 10~20.
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS
        | Options::ENABLE_HEADING_ATTRIBUTES;
    let mut prose = Prose::default();
    for event in Parser::new_ext(markdown, options) {
        prose.take(event);
    }
    // Korean particles touch the closing mark, which then does not close by CommonMark.
    prose.text.replace("**", "").replace("~~", "")
}

#[derive(Default)]
struct Prose {
    text: String,
    /// How many of the enclosing elements are left out.
    dropped: usize,
}

impl Prose {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) if is_left_out(&tag) => self.dropped += 1,
            Event::End(tag) if ends_left_out(tag) => self.dropped = self.dropped.saturating_sub(1),
            _ if self.dropped > 0 => {}
            Event::Start(tag) if is_block(&tag) => self.end_paragraph(),
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item) | Event::Rule => {
                self.end_paragraph();
            }
            // Korean particles touch the closing mark, which then does not close by CommonMark.
            Event::Text(text) => self
                .text
                .push_str(&text.replace("**", "").replace("~~", "")),
            Event::Code(code) => self.text.push_str(&code),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push_str("\n\n");
        }
    }
}

fn is_left_out(tag: &Tag<'_>) -> bool {
    matches!(
        tag,
        Tag::CodeBlock(_)
            | Tag::HtmlBlock
            | Tag::Table(_)
            | Tag::Image { .. }
            | Tag::MetadataBlock(_)
    )
}

fn ends_left_out(tag: TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::CodeBlock
            | TagEnd::HtmlBlock
            | TagEnd::Table
            | TagEnd::Image
            | TagEnd::MetadataBlock(_)
    )
}

fn is_block(tag: &Tag<'_>) -> bool {
    matches!(
        tag,
        Tag::Paragraph
            | Tag::Heading { .. }
            | Tag::BlockQuote(_)
            | Tag::List(_)
            | Tag::Item
            | Tag::FootnoteDefinition(_)
    )
}

#[cfg(test)]
mod tests {
    use super::to_prose;

    fn paragraphs(markdown: &str) -> Vec<String> {
        to_prose(markdown)
            .split("\n\n")
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn headings_items_and_quotes_become_paragraphs_of_their_own() {
        let markdown = "# 운영체제 {#os}\n첫 문장은\n두 줄에 걸친다.\n\nSetext\n------\n- 하나\n- 둘\n  1. 둘의 하나\n\n> 인용문\n\n***\n끝.";
        assert_eq!(
            paragraphs(markdown),
            [
                "운영체제",
                "첫 문장은 두 줄에 걸친다.",
                "Setext",
                "하나",
                "둘",
                "둘의 하나",
                "인용문",
                "끝."
            ]
        );
    }

    #[test]
    fn emphasis_links_and_inline_code_leave_their_words() {
        let markdown = "**\"커널\"**은 *핵심*이며 [리눅스](https://example.org 'x')에서 `fork`로 10~20개, ~~취소~~, &lt;1971년&gt;<br>참고[^1].\n\n[^1]: 각주다.";
        assert_eq!(
            paragraphs(markdown),
            [
                "\"커널\"은 핵심이며 리눅스에서 fork로 10~20개, 취소, <1971년>참고.",
                "각주다."
            ]
        );
    }

    #[test]
    fn code_tables_images_html_and_front_matter_leave_nothing() {
        let markdown = "---\ntitle: 제목\n---\n\n```rust\nfn main() {}\n```\n\n    indented\n\n| 가 | 나 |\n|---|---|\n| 1 | 2 |\n\n![그림](a.png)\n\n<div>html</div>\n\n<!-- 주석 -->\n\n- [x] 남은 문장.";
        assert_eq!(paragraphs(markdown), ["남은 문장."]);
    }
}
