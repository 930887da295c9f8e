//! Where a line ends and the next begins: one word or two.

use super::korean::{self, is_hangul};
use super::line::Line;
use super::vocabulary::{Vocabulary, bare};

/// So many line ends within Korean words at least show whether a document breaks words at all.
const ENOUGH: usize = 20;

/// What a missing space says for one word, where the file draws spaces at line ends. Some programs
/// leave out one that would reach over the margin, so it is no proof.
const MISSING: f64 = 3.0;

/// Decides how the words at two lines' edges belong together.
pub(super) struct Seams {
    vocabulary: Vocabulary,
    habit: Habit,
}

/// How a document breaks its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// A space at the line's end is drawn: where there is none, a word goes on.
    DrawsSpaces,
    /// Between words only.
    KeepsWords,
    /// Anywhere, and spaces at the end are lost.
    BreaksWords,
}

impl Seams {
    /// `continues[n]` says that line n + 1 goes on with the paragraph of line n.
    pub(super) fn learn(lines: &[&Line], continues: &[bool]) -> Self {
        let mut vocabulary = Vocabulary::new();
        let wraps = |index: Option<usize>| index.and_then(|i| continues.get(i)) == Some(&true);
        for (index, line) in lines.iter().enumerate() {
            vocabulary.learn(
                &line.text,
                !wraps(index.checked_sub(1)),
                !wraps(Some(index)),
            );
        }
        let wrapped = || {
            lines
                .windows(2)
                .zip(continues)
                .filter(|(_, goes_on)| **goes_on)
                .map(|(pair, _)| pair)
        };
        let hangul = || {
            wrapped().filter(|pair| {
                pair[0].text.ends_with(is_hangul) && pair[1].text.starts_with(is_hangul)
            })
        };
        let bound = |pair: &&[&Line]| korean::is_bound(bare(first_token(&pair[1].text)));
        let broken = hangul().filter(bound).count();
        let habit = if draws_spaces(wrapped) {
            Habit::DrawsSpaces
        } else if hangul().count() >= ENOUGH && broken * 50 < hangul().count() {
            Habit::KeepsWords
        } else {
            Habit::BreaksWords
        };
        Self { vocabulary, habit }
    }

    /// Appends `next` to `text`, which ends with `line`.
    pub(super) fn join(&self, text: &mut String, line: &Line, next: &Line) {
        let (left, right) = (last_token(&line.text), first_token(&next.text));
        if self.is_hyphenation(left, right) {
            text.pop();
        } else if !self.is_one_word(&line.text, right, line.trailing_space) {
            text.push(' ');
        }
        text.push_str(&next.text);
    }

    /// Whether the hyphen at the line's end was put there to break the word.
    fn is_hyphenation(&self, left: &str, right: &str) -> bool {
        let Some(begun) = left.strip_suffix(['-', '\u{2010}', '\u{AD}']) else {
            return false;
        };
        let (begun, rest) = (bare(begun), bare(right));
        let lower = |c: char| c.is_lowercase() && !is_hangul(c);
        if !begun.ends_with(lower) || !rest.starts_with(lower) {
            return left.ends_with('\u{AD}');
        }
        let whole = self.vocabulary.knows_word(&format!("{begun}{rest}"));
        whole || !self.vocabulary.knows_word(&format!("{begun}-{rest}"))
    }

    fn is_one_word(&self, line: &str, right: &str, drawn_space: bool) -> bool {
        let left = last_token(line);
        let (Some(end), Some(start)) = (left.chars().next_back(), right.chars().next()) else {
            return false;
        };
        if drawn_space {
            return false;
        }
        let follows = korean::is_bound(bare(right)) || korean::is_perhaps_bound(bare(right), "");
        match (end, start) {
            ('-' | '\u{2010}' | '/', _) if start.is_alphanumeric() => true,
            ('(' | '[' | '{' | '‘' | '“' | '「' | '『' | '《' | '〈', _) => true,
            (
                _,
                ')' | ']' | '}' | '’' | '”' | '」' | '』' | '》' | '〉' | ',' | '.' | '!' | '?'
                | '%',
            ) => true,
            (')' | ']' | '’' | '”' | '"' | '」' | '』' | '》' | '〉', _) if is_hangul(start) => {
                follows
            }
            (_, '(' | '[') if is_hangul(end) => self.vocabulary.odds_inside(end, start) > -0.1,
            (_, '-') if end.is_alphanumeric() => right.len() > 1,
            _ if !end.is_alphanumeric() || !start.is_alphanumeric() => false,
            _ if !is_hangul(end) && !is_hangul(start) => is_han(end) && is_han(start),
            _ => match self.habit {
                Habit::KeepsWords if is_hangul(end) && is_hangul(start) => false,
                _ if is_hangul(end) && is_hangul(start) => {
                    let missing = if self.habit == Habit::DrawsSpaces {
                        MISSING
                    } else {
                        0.0
                    };
                    missing + self.one_korean_word(line, left, right) > 0.0
                }
                _ => {
                    let joined = format!("{left}{}", bare(right));
                    self.vocabulary.reaches_into(&joined, left.len())
                        || korean::is_bound(bare(right))
                        || (end.is_ascii_digit() && self.vocabulary.odds_inside(end, start) > -0.5)
                        || (is_hangul(start) && follows)
                        || self.vocabulary.odds_inside(end, start) > 1.0
                }
            },
        }
    }

    /// What speaks for one word less what speaks for two.
    fn one_korean_word(&self, line: &str, left: &str, right: &str) -> f64 {
        let (a, b) = (bare(left), bare(right));
        let (Some(end), Some(start)) = (a.chars().next_back(), b.chars().next()) else {
            return 0.0;
        };
        let syllables = |word: &str| word.chars().filter(|c| is_hangul(*c)).count();
        let (long_a, long_b) = (syllables(a), syllables(b));
        let ending = (b == "다" && right.starts_with("다."))
            || (b == "데" && right.ends_with(',') && a.ends_with(['는', '은', '던', '인', '한']))
            || (b == "나" && a.ends_with('이') && long_a > 2);
        if ending || korean::is_bound(b) {
            return f64::INFINITY;
        }
        let words = &self.vocabulary;
        let joined = format!("{a}{b}");
        let mut one = words.odds_inside(end, start).clamp(-2.5, 2.5);
        if korean::is_uninflected(&joined) || words.knows_word(&joined) || words.knows_stem(&joined)
        {
            one += 5.0;
        } else if words.reaches_into(&joined, a.len()) {
            one += 3.5;
        } else if words.shares_beginning(&joined, a.len()) {
            one += 1.5;
        }
        one += match long_a + long_b {
            ..=3 => 0.7,
            4 => 0.2,
            5 => -0.2,
            6 => -0.8,
            _ => -1.6,
        };
        let known = (words.knows_word(a) || words.knows_stem(a)) && long_a > 1;
        let before = line.split_whitespace().rev().nth(1);
        let inflected = korean::completeness(a, before);
        let complete = inflected.max(if known { 1.5 } else { 0.0 });
        one += match (complete > 0.0, long_a) {
            (true, _) => -complete,
            (false, 1) => 2.5,
            (false, _) => 1.0,
        };
        let noun = inflected < 1.5 || long_a == 1 || words.is_stem(a);
        if noun && korean::is_perhaps_bound(b, a) {
            one += 3.5;
        }
        if korean::is_dependent(b) {
            one -= if korean::describes(end) || a.ends_with('는') {
                4.0
            } else {
                1.5
            };
        } else if korean::is_uninflected(b) {
            one -= 2.5;
        } else if words.knows_word(b) {
            one -= 1.5;
        } else if (long_b > 2 && words.knows_stem(b)) || words.begins_with_known(b) {
            one -= 1.0;
        } else if korean::is_rare_start(start) {
            one += 2.5;
        } else if long_b == 1 {
            one += 1.0;
        }
        one
    }
}

/// Whether the file draws the spaces at line ends, to judge by where one must be: after a stop.
fn draws_spaces<'a, I>(wrapped: impl Fn() -> I) -> bool
where
    I: Iterator<Item = &'a [&'a Line]>,
{
    let stops = || wrapped().filter(|pair| pair[0].text.ends_with(['.', ',']));
    let drawn = stops().filter(|pair| pair[0].trailing_space).count();
    if stops().count() > 3 {
        return drawn * 5 > stops().count() * 4;
    }
    wrapped().filter(|pair| pair[0].trailing_space).count() * 4 > wrapped().count()
}

fn is_han(c: char) -> bool {
    ('\u{3040}'..='\u{30FF}').contains(&c) || ('\u{4E00}'..='\u{9FFF}').contains(&c)
}

fn last_token(text: &str) -> &str {
    text.split_whitespace().next_back().unwrap_or_default()
}

fn first_token(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
