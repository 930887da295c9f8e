//! The READMEs tell of the same jobs as the table, in its order.

use std::time::Duration;

use scheduler::Scope;

use super::JOBS;
use crate::job_settings::{JobRow, When};

/// The words of a language for when a job runs.
struct Words {
    file: &'static str,
    minutes: fn(&str) -> String,
    seconds: fn(u64) -> String,
    daily: &'static str,
    monday: &'static str,
    on_each_node: &'static str,
}

const ENGLISH: Words = Words {
    file: "README.md",
    minutes: |n| format!("every {n} minutes"),
    seconds: |n| match n {
        1 => "every second".to_owned(),
        n => format!("every {n} seconds"),
    },
    daily: "",
    monday: "Monday ",
    on_each_node: ", on each node",
};

const KOREAN: Words = Words {
    file: "README.ko.md",
    minutes: |n| format!("{n}분마다"),
    seconds: |n| format!("{n}초마다"),
    daily: "매일 ",
    monday: "월요일 ",
    on_each_node: ", 노드마다",
};

impl Words {
    fn when(&self, row: &JobRow) -> String {
        let mut when = match row.when {
            When::Cron(expression) => self.cron(expression),
            When::Delay(every) | When::Rate(every) => self.every(every),
        };
        if row.scope == Scope::Node {
            when.push_str(self.on_each_node);
        }
        when
    }

    fn every(&self, every: Duration) -> String {
        (self.seconds)(every.as_secs())
    }

    fn cron(&self, expression: &str) -> String {
        let fields: Vec<_> = expression.split(' ').collect();
        match fields[..] {
            ["0", minute, "*", "*", "*", "*"] => (self.minutes)(minute.strip_prefix("*/").unwrap()),
            ["0", minute, hour, "*", "*", "*"] => format!("{}{hour:0>2}:{minute:0>2}", self.daily),
            ["0", minute, hour, "*", "*", "MON"] => {
                format!("{}{hour:0>2}:{minute:0>2}", self.monday)
            }
            _ => panic!("{expression} has no words in the README yet"),
        }
    }
}

/// The first two columns of the table of jobs.
fn jobs_in(file: &str) -> Vec<(String, String)> {
    let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let name = cells.next()?.strip_suffix('`')?.to_owned();
            let when = cells.next()?.to_owned();
            // Other tables tell of settings, whose names have dots or are written in lower case alone.
            let is_job = name.chars().any(char::is_uppercase) && !name.contains(['.', ' ', '/']);
            is_job.then_some((name, when))
        })
        .collect()
}

#[test]
fn the_readmes_tell_of_the_jobs_of_the_table_in_its_order() {
    for words in [ENGLISH, KOREAN] {
        let listed = jobs_in(words.file);
        let names: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, super::names().collect::<Vec<_>>(), "{}", words.file);
        for (row, (_, when)) in JOBS.iter().zip(&listed) {
            let expected = words.when(row);
            assert!(
                when.starts_with(&expected),
                "{}: {} runs {expected}, and is said to run {when}",
                words.file,
                row.name
            );
        }
    }
}

#[test]
fn every_job_names_its_chapter_of_the_guide_once() {
    let chapters: std::collections::HashSet<_> = JOBS.iter().map(|row| row.guide).collect();
    assert_eq!(chapters.len(), JOBS.len());
}
