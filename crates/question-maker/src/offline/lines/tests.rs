//! Lines of every kind, and the paragraphs that they become.

use super::*;

fn paragraphs(text: &str) -> Vec<String> {
    super::paragraphs(text, &CancellationToken::new()).unwrap()
}

#[test]
fn headings_tables_code_and_rules_are_left_out() {
    let text = "# Title\n\nSome *plain* `prose`.\n\n| a | b |\n|---|---|\n\n```\nlet x = 1;\n```\n\nSetext\n======\n\nMore.";
    assert_eq!(paragraphs(text), ["Some plain prose.", "More."]);
}

#[test]
fn a_line_broken_inside_a_korean_word_is_joined_without_a_space() {
    let text = "이 글에서 운영체제는 중요하다.\n\n컴퓨터를 켜면 가장 먼저 실행되는 것은 운영체\n제를 담은 프로그램이다. 사람은 화면을 보고 측우기\n를 읽는다.";
    assert_eq!(
        paragraphs(text)[1],
        "컴퓨터를 켜면 가장 먼저 실행되는 것은 운영체제를 담은 프로그램이다. 사람은 화면을 보고 측우기를 읽는다."
    );
}

#[test]
fn a_line_broken_between_words_is_joined_with_one_space() {
    let text = "The cell is the smallest\nunit of life that can copy it-\nself.";
    assert_eq!(
        paragraphs(text),
        ["The cell is the smallest unit of life that can copy itself."]
    );
}

#[test]
fn list_items_stand_alone_and_dates_are_no_list_items() {
    let text = "1. 첫째 항목이다.\n2) 둘째 항목이다.\n- 셋째 항목이다.\n\n회의는 2026. 11.\n22. 에 열린다.";
    assert_eq!(
        paragraphs(text),
        [
            "첫째 항목이다.",
            "둘째 항목이다.",
            "셋째 항목이다.",
            "회의는 2026. 11. 22. 에 열린다."
        ]
    );
}

#[test]
fn a_short_line_above_long_ones_is_taken_for_a_heading() {
    let text = "세종의 과학\n장영실은 동래현의 관노 출신으로 뛰어난 손재주를 인정받아 세종의 부름을 받았다.";
    assert_eq!(paragraphs(text).len(), 2);
}

#[test]
fn links_keep_their_words_and_footnotes_vanish() {
    assert_eq!(
        inline_markup("See [the *cell*](https://a.b/c) wall[^1] and[12] more."),
        "See the cell wall and more."
    );
}

#[test]
fn front_matter_is_left_out() {
    assert_eq!(
        paragraphs("---\ntitle: X is a Y.\n---\nProse here."),
        ["Prose here."]
    );
}
