//! What can be asked about: the facts that stand in a sentence, and their kinds.

use std::ops::Range;

pub(super) mod english;
pub(super) mod korean;
pub(super) mod numbers;

/// What a fact is. Options of one question are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum FactKind {
    Year,
    Date,
    Number,
    Person,
    Place,
    /// A proper name of another sort.
    Name,
    /// A title in brackets: 『농사직설』.
    Title,
    /// Capitals: ATP, DMA.
    Acronym,
    Term,
}

/// The part that a fact plays in its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    /// The sentence says what it is.
    Defined,
    /// The sentence says that something is called so.
    Called,
    /// What the sentence is about.
    Topic,
    /// One of several of its like, as in `A, B and C`.
    Listed,
    /// Anything else.
    Other,
}

/// A fact as found in one sentence; ranges are bytes of the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The answer, verbatim.
    pub(super) answer: Range<usize>,
    /// What a blank replaces: the answer and a gloss in brackets that would reveal it.
    pub(super) blank: Range<usize>,
    pub(super) kind: FactKind,
    /// The unit of a number; empty otherwise.
    pub(super) unit: String,
    pub(super) part: Part,
}

/// How a sentence defines its subject: `subject` is what it is, `predicate` says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) subject: Range<usize>,
    pub(super) predicate: Range<usize>,
    /// The last word of the predicate, roughly: an instrument, a process …
    pub(super) genus: String,
}

/// All that was found in one sentence.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) found: Vec<Found>,
    pub(super) definition: Option<Definition>,
}
