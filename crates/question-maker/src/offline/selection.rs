//! Which of the possible questions make the set.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use tokio_util::sync::CancellationToken;

use super::{
    candidate::{Candidate, Class},
    document::Document,
    guarded,
    words::shared,
};
use crate::{Answer, GeneratedQuestion, GenerationError, validation::comparable};

/// What is asked of the set as a whole; less and less while questions are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// No answer twice, and no question that reveals the answer of another.
    Separate,
    /// No answer twice.
    DistinctAnswers,
    /// Only no two questions alike.
    Distinct,
}

/// Candidates that are written at most, and looked at, before a text counts as one that bears no more. A text made
/// for it has a hundred thousand that all fail, each at the cost of hundreds of comparisons.
const MOST_WRITTEN: usize = 1000;
const MOST_SEEN: usize = 20_000;

/// The questions chosen so far.
pub(super) struct Selection<'a> {
    document: &'a Document,
    wanted: usize,
    chosen: Vec<(Candidate, GeneratedQuestion)>,
    sentences: HashSet<usize>,
    answers: HashSet<usize>,
    classes: HashMap<Class, usize>,
    visible: Vec<String>,
}

impl<'a> Selection<'a> {
    pub(super) fn new(document: &'a Document, wanted: usize) -> Self {
        Self {
            document,
            wanted,
            chosen: Vec::new(),
            sentences: HashSet::new(),
            answers: HashSet::new(),
            classes: HashMap::new(),
            visible: Vec::new(),
        }
    }

    /// Chooses the best of `candidates`, which are sorted, that `write` can make a question of,
    /// until there are enough or no more.
    ///
    /// # Errors
    /// When `cancel` is triggered meanwhile.
    pub(super) fn fill(
        &mut self,
        candidates: &[Candidate],
        cancel: &CancellationToken,
        mut write: impl FnMut(Candidate) -> Option<GeneratedQuestion>,
    ) -> Result<(), GenerationError> {
        let mut written: HashMap<(usize, usize), Option<GeneratedQuestion>> = HashMap::new();
        for demand in [Demand::Separate, Demand::DistinctAnswers, Demand::Distinct] {
            let mut open: BTreeMap<Class, VecDeque<Candidate>> = BTreeMap::new();
            for candidate in candidates {
                open.entry(candidate.class)
                    .or_default()
                    .push_back(*candidate);
            }
            let mut seen = 0;
            while self.chosen.len() < self.wanted && seen < MOST_SEEN {
                seen += 1;
                if cancel.is_cancelled() {
                    return Err(super::cancelled());
                }
                let Some(candidate) = self.next(&mut open) else {
                    break;
                };
                if self.is_used(candidate, demand) {
                    continue;
                }
                let key = (candidate.sentence, candidate.mention);
                if written.len() == MOST_WRITTEN && !written.contains_key(&key) {
                    break;
                }
                let question = written.entry(key).or_insert_with(|| {
                    // A candidate that panics costs itself alone.
                    guarded(|| write(candidate)).flatten()
                });
                if let Some(question) = question
                    && (demand != Demand::Separate || self.reveals_nothing(candidate, question))
                {
                    let question = question.clone();
                    self.choose(candidate, question);
                }
            }
        }
        Ok(())
    }

    /// How many are chosen.
    pub(super) fn len(&self) -> usize {
        self.chosen.len()
    }

    /// The candidates chosen, with their questions, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<GeneratedQuestion> {
        self.chosen.sort_by_key(|(candidate, _)| candidate.sentence);
        self.chosen
            .into_iter()
            .map(|(_, question)| question)
            .collect()
    }

    /// The most wanted candidate, now that others are chosen: each class is sorted already.
    ///
    /// The choice must not depend on how many are wanted: a set of ten is the first ten of a set
    /// of twenty, so a number that an error once called possible stays possible.
    fn next(&self, open: &mut BTreeMap<Class, VecDeque<Candidate>>) -> Option<Candidate> {
        let value = |candidate: &Candidate| {
            let alike = self.classes.get(&candidate.class).copied().unwrap_or(0);
            candidate.value - 0.08 * alike as f64
        };
        let (_, queue) = open
            .iter_mut()
            .filter(|(_, queue)| !queue.is_empty())
            .max_by(|(_, a), (_, b)| value(&a[0]).total_cmp(&value(&b[0])))?;
        queue.pop_front()
    }

    fn is_used(&self, candidate: Candidate, demand: Demand) -> bool {
        let sentence = &self.document.sentences[candidate.sentence];
        let fact = sentence.mentions[candidate.mention].fact;
        self.sentences.contains(&candidate.sentence)
            || (demand != Demand::Distinct && self.answers.contains(&fact))
            || self.chosen.iter().any(|(chosen, _)| {
                let other = &self.document.sentences[chosen.sentence];
                let (common, total) = shared(&sentence.content, &other.content, &[]);
                common * 10 >= total.max(other.content.len()) * 7
            })
    }

    fn reveals_nothing(&self, candidate: Candidate, question: &GeneratedQuestion) -> bool {
        if matches!(question.answer, Answer::Boolean(_)) {
            return true;
        }
        let mentions = &self.document.sentences[candidate.sentence].mentions;
        let answer = &self.document.fact(&mentions[candidate.mention]).comparable;
        let text = comparable(&question.text);
        let revealed = self
            .visible
            .iter()
            .any(|visible| visible.contains(answer.as_str()));
        let reveals = self
            .answers
            .iter()
            .any(|fact| text.contains(&self.document.facts[*fact].comparable));
        !revealed && !reveals
    }

    fn choose(&mut self, candidate: Candidate, question: GeneratedQuestion) {
        let fact = self.document.sentences[candidate.sentence].mentions[candidate.mention].fact;
        self.sentences.insert(candidate.sentence);
        self.answers.insert(fact);
        *self.classes.entry(candidate.class).or_default() += 1;
        self.visible.push(comparable(&question.text));
        self.chosen.push((candidate, question));
    }
}
