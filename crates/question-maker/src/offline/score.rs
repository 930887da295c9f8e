//! How much a sentence says about the subject of its text.

use super::{document::Sentence, language::Language, words::Vocabulary};

/// Rates every sentence from 0 to 1.
///
/// A sentence is worth more the more its words recur in the text, up to a point: a word that is
/// everywhere says nothing. Very short and very long sentences, and those that lean
/// on a neighbour ("this process"), lose.
pub(super) fn rate(sentences: &mut [Sentence], vocabulary: &Vocabulary) {
    let total = sentences.len().max(1) as f64;
    for sentence in sentences {
        let words = sentence.content.len().max(1) as f64;
        let weight: f64 = sentence
            .content
            .iter()
            .map(|word| {
                let frequency = f64::from(vocabulary.frequency(*word));
                let everywhere = frequency / total > 0.3 && total > 10.0;
                if everywhere {
                    0.2
                } else {
                    (frequency.ln_1p() / 9f64.ln_1p()).min(1.0)
                }
            })
            .sum();
        let shape = match sentence.content.len() {
            0..=3 => -0.4,
            4..=5 => -0.1,
            6..=18 => 0.1,
            19..=26 => 0.0,
            _ => -0.3,
        };
        let leans = if sentence.leans { -0.5 } else { 0.0 };
        sentence.score = (weight / words + shape + leans).clamp(0.0, 1.0);
    }
}

/// Whether a sentence points at another one.
pub(super) fn leans_on_a_neighbour(text: &str, language: Language) -> bool {
    let pointers: &[&str] = match language {
        Language::Korean => &[
            " 이 ",
            " 그 ",
            " 이러한 ",
            " 이런 ",
            " 그러한 ",
            " 이때 ",
            " 이를 ",
            " 이는 ",
            " 그는 ",
            " 그의 ",
            " 이곳",
            " 그곳",
        ],
        Language::English => &[
            " this ", " these ", " those ", " such a ", " he ", " she ", " they ", " it ",
            " here ", " above ",
        ],
    };
    pointers.iter().any(|pointer| text.contains(pointer))
}
