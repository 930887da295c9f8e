//! What the stats ought to be, reckoned as simply as it can be.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use ground::from_row;

use super::bench::Bench;

/// One row of `learn_stats`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    pub(crate) member_id: i64,
    pub(crate) total_solved_question_set_count: i64,
    pub(crate) total_solved_question_count: i64,
    pub(crate) total_correct_question_count: i64,
    pub(crate) total_question_count: i64,
    pub(crate) weekly_solved_question_count: i64,
    pub(crate) consecutive_learning_days: i64,
    pub(crate) last_learning_date: Option<NaiveDate>,
}
from_row!(Stats {
    member_id,
    total_solved_question_set_count,
    total_solved_question_count,
    total_correct_question_count,
    total_question_count,
    weekly_solved_question_count,
    consecutive_learning_days,
    last_learning_date,
});

/// What a member did on one day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) questions: i64,
    pub(crate) sets: i64,
    pub(crate) correct: i64,
}

/// What was really done.
#[derive(Debug, Default)]
pub(crate) struct Truth(pub(crate) BTreeMap<(i64, NaiveDate), Done>);

impl Truth {
    /// A member's stats on a day, with so many questions in living COMPLETE sets.
    pub(crate) fn stats(&self, member: i64, today: NaiveDate, questions: i64) -> Stats {
        let days: BTreeMap<NaiveDate, Done> = self
            .0
            .iter()
            .filter(|((of, _), _)| *of == member)
            .map(|((_, day), done)| (*day, *done))
            .collect();
        let monday = today - Days::new(today.weekday().num_days_from_monday().into());
        let last = days.keys().next_back().copied();
        let mut streak = 0;
        if let Some(last) = last.filter(|last| *last >= today - Days::new(1)) {
            while days.contains_key(&(last - Days::new(streak))) {
                streak += 1;
            }
        }
        Stats {
            member_id: member,
            total_solved_question_set_count: days.values().map(|done| done.sets).sum(),
            total_solved_question_count: days.values().map(|done| done.questions).sum(),
            total_correct_question_count: days.values().map(|done| done.correct).sum(),
            total_question_count: questions,
            weekly_solved_question_count: days
                .range(monday..)
                .map(|(_, done)| done.questions)
                .sum(),
            consecutive_learning_days: streak as i64,
            last_learning_date: last,
        }
    }
}

impl Bench {
    /// Every member's stats.
    pub(crate) async fn stats(&self) -> Vec<Stats> {
        self.rows(
            "SELECT member_id, total_solved_question_set_count, total_solved_question_count, \
             total_correct_question_count, total_question_count, weekly_solved_question_count, \
             consecutive_learning_days, last_learning_date FROM learn_stats ORDER BY member_id",
        )
        .await
    }
}
