//! What stands alone, and what does not.

use super::*;

#[test]
fn sentences_that_point_back_are_left_out() {
    for text in [
        "이것은 세종이 만든 글자 가운데 하나이다.",
        "그러나 이는 사실과 다르다고 알려져 있다.",
        "그는 1443년에 훈민정음을 만들었다.",
        "같은 해에 수양대군은 석보상절을 완성하였다.",
        "It is the process by which plants make sugar.",
        "This process takes place in the leaves of plants.",
        "However, they were not able to explain the result.",
    ] {
        assert_eq!(statement(text), None, "{text}");
    }
}

#[test]
fn a_leading_connective_is_not_part_of_the_statement() {
    let text = "However, the Calvin cycle does not need light directly.";
    let statement = statement(text).unwrap();
    assert_eq!(
        &text[statement.start..],
        "the Calvin cycle does not need light directly."
    );
    let text = "또한 장영실은 1434년에 자격루를 완성하였다.";
    assert_eq!(super::statement(text).unwrap().start, "또한 ".len());
}

#[test]
fn questions_fragments_and_links_are_no_statements() {
    for text in [
        "훈민정음은 언제 만들어졌을까?",
        "자세한 내용은 https://example.com 에서 볼 수 있다.",
        "Where do plants get their energy from?",
        "Photosynthesis and respiration",
    ] {
        assert_eq!(statement(text), None, "{text}");
    }
}
