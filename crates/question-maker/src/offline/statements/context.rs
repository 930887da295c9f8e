//! Words that tie a sentence to the text around it.

use crate::offline::language::Language;

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
pub(super) fn after_connective(text: &str, language: Language) -> usize {
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
pub(super) fn refers_back(text: &str, language: Language) -> bool {
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
