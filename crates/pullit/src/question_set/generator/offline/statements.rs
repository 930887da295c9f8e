//! Sentences that can stand alone in a question.

use super::language::Language;

/// A statement that can be understood on its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    /// As it stands in the text.
    pub(super) text: &'a str,
    /// Where it begins when a leading connective ("However,") is left out.
    pub(super) start: usize,
    pub(super) language: Language,
}

/// Keeps what states something and needs no other sentence to be understood.
pub(super) fn statement(text: &str) -> Option<Statement<'_>> {
    let length = text.chars().count();
    if !(12..=320).contains(&length)
        || text.contains("://")
        || text.contains("www.")
        || text.contains('@')
    {
        return None;
    }
    let language = Language::of(text)?;
    let words = text.split(' ').count();
    let fits = match language {
        Language::Korean => {
            (4..=40).contains(&words) && (text.ends_with("다.") || text.ends_with("다"))
        }
        Language::English => {
            (6..=45).contains(&words)
                && text.ends_with('.')
                && text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
        }
    };
    let start = after_connective(text, language);
    let unbalanced = text.matches('(').count() != text.matches(')').count();
    let quotes = !text.matches(['"', '“', '”']).count().is_multiple_of(2);
    if !fits || unbalanced || quotes || refers_back(&text[start..], language) {
        return None;
    }
    Some(Statement {
        text,
        start,
        language,
    })
}

const KOREAN_CONNECTIVES: &[&str] = &[
    "그러나",
    "하지만",
    "그런데",
    "또한",
    "또",
    "그리고",
    "따라서",
    "그래서",
    "한편",
    "특히",
    "즉",
    "예를 들어",
    "예를 들면",
    "게다가",
    "반면",
    "반면에",
    "실제로",
    "결국",
    "그러므로",
    "다만",
    "마지막으로",
    "첫째",
    "둘째",
    "셋째",
    "넷째",
    "먼저",
    "물론",
    "아울러",
    "더불어",
];

const ENGLISH_CONNECTIVES: &[&str] = &[
    "However",
    "Moreover",
    "Furthermore",
    "Therefore",
    "Thus",
    "Hence",
    "In addition",
    "Additionally",
    "For example",
    "For instance",
    "In fact",
    "Indeed",
    "Also",
    "Consequently",
    "As a result",
    "Similarly",
    "Finally",
    "First",
    "Second",
    "Third",
    "On the other hand",
    "In contrast",
    "Nevertheless",
    "Instead",
    "Meanwhile",
    "In general",
    "Generally",
    "Today",
];

/// Where the sentence goes on after a connective that only ties it to the one before.
fn after_connective(text: &str, language: Language) -> usize {
    let (words, needs_comma) = match language {
        Language::Korean => (KOREAN_CONNECTIVES, false),
        Language::English => (ENGLISH_CONNECTIVES, true),
    };
    words
        .iter()
        .filter_map(|word| {
            let rest = text.strip_prefix(word)?;
            let rest = match rest.strip_prefix(',') {
                Some(rest) => rest,
                None if needs_comma => return None,
                None => rest,
            };
            let rest = rest.strip_prefix(' ')?.trim_start();
            Some(text.len() - rest.len())
        })
        .max()
        .unwrap_or(0)
}

const KOREAN_POINTERS: &[&str] = &[
    "이는",
    "이것",
    "그것",
    "저것",
    "그는",
    "그가",
    "그를",
    "그의",
    "그녀",
    "이를",
    "이로",
    "이때",
    "그때",
    "이들",
    "그들",
    "이러한",
    "이런",
    "그러한",
    "그런",
    "이와",
    "그와",
    "이처럼",
    "그처럼",
    "이렇게",
    "그렇게",
    "이에",
    "그에",
    "이후",
    "그후",
    "여기",
    "거기",
    "우리",
    "나는",
    "나의",
    "내가",
    "저는",
    "위의",
    "위에서",
    "아래",
    "앞서",
    "앞에서",
    "앞의",
    "다음",
    "이상의",
    "이상과",
    "둘",
    "전자",
    "후자",
    "이곳",
    "그곳",
    "당시",
    "이번",
    "이제",
    "왜냐하면",
    "반대로",
    "이밖에",
    "그밖에",
    "이어",
    "이듬해",
    "같은 해",
    "같은 시기",
    "그해",
    "그결과",
    "그중",
];

const ENGLISH_POINTERS: &[&str] = &[
    "it",
    "its",
    "it's",
    "this",
    "these",
    "that",
    "those",
    "they",
    "their",
    "them",
    "he",
    "she",
    "his",
    "her",
    "such",
    "here",
    "there",
    "we",
    "our",
    "i",
    "you",
    "your",
    "another",
    "both",
    "one",
    "some",
    "others",
    "other",
    "but",
    "and",
    "so",
    "or",
    "then",
    "yet",
    "neither",
    "either",
    "each",
    "nor",
    "the word",
    "the term",
    "the name",
    "the process",
    "the result",
    "the idea",
    "the method",
    "the former",
    "the latter",
    "the other",
    "the same",
    "the following",
    "the above",
    "what",
    "why",
    "how",
    "let",
    "consider",
    "suppose",
    "note",
    "see",
    "for this",
    "in this",
    "at this",
    "by this",
    "in these",
    "for these",
    "because of this",
    "in such",
    "in that",
    "after this",
    "after that",
    "with this",
    "of these",
    "if you",
    "when you",
    "when we",
    "if we",
    "when it",
    "if it",
    "when they",
    "because it",
    "because they",
    "from this",
    "to do this",
    "unlike this",
    "although it",
];

/// Whether the sentence begins with something that only the text around it explains.
fn refers_back(text: &str, language: Language) -> bool {
    match language {
        Language::Korean => {
            let first = text.split(' ').next().unwrap_or_default();
            matches!(
                first,
                "이" | "그" | "저" | "두" | "위" | "본" | "해당" | "각각" | "나머지" | "그중에서"
            ) || KOREAN_POINTERS
                .iter()
                .any(|pointer| text.starts_with(pointer))
                || text.contains("다음과 같")
                || text.contains("아래와 같")
                || text.contains("위와 같")
        }
        Language::English => {
            let lower = text
                .get(..text.len().min(40))
                .unwrap_or(text)
                .to_lowercase();
            ENGLISH_POINTERS.iter().any(|pointer| {
                lower
                    .strip_prefix(pointer)
                    .is_some_and(|rest| rest.starts_with([' ', ',']))
            })
        }
    }
}

#[cfg(test)]
mod tests {
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
}
