//! What the reader sees: the account of each step on standard output, and a progress bar where there is a terminal.

use std::fmt::Display;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, timeout};

use super::DemoError;
use super::problem::Problem;
use super::text::{pad, width, wrap};

/// The longest that one step may take.
const STEP: Duration = Duration::from_secs(20);
/// The longest that all of them may take; what is left of a minute is for stopping the server.
const WHOLE: Duration = Duration::from_secs(50);
/// The right edge.
const COLUMNS: usize = 100;
const MARGIN: usize = 6;
/// Columns of a request and of its answer.
const REQUEST: usize = 41;
const ANSWER: usize = 9;
/// As wide as a method.
const BELOW: &str = "     ";

/// What a step tells when it has happened.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<String>);

impl Lines {
    /// A sentence, broken into lines where it is long.
    pub(super) fn say(&mut self, text: impl Display) -> &mut Self {
        self.hang("", text)
    }

    /// A text that stands to the right of a word.
    pub(super) fn hang(&mut self, word: &str, text: impl Display) -> &mut Self {
        let indent = width(word);
        let text = text.to_string();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let lines = lines.flat_map(|line| wrap(line, COLUMNS - MARGIN - indent));
        for (row, line) in lines.enumerate() {
            let word = if row == 0 { word } else { "" };
            self.0.push(format!("{}{line}", pad(word, indent)));
        }
        self
    }

    /// Goes on with these.
    pub(super) fn append(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// A request, its answer, and what the answer means: beside it, or below when it is long.
    pub(super) fn request(
        &mut self,
        request: &str,
        answer: &str,
        meaning: impl Display,
    ) -> &mut Self {
        let word = format!("{} {} ", pad(request, REQUEST), pad(answer, ANSWER));
        let meaning = meaning.to_string();
        if MARGIN + width(&word) + width(&meaning) <= COLUMNS {
            self.hang(&word, meaning)
        } else {
            self.0.push(word);
            self.hang(BELOW, meaning)
        }
    }
}

/// The account.
pub(super) struct Account {
    bar: ProgressBar,
    colours: bool,
    number: u64,
    began: Instant,
    step_timeout: Duration,
}

impl Account {
    /// Of this many steps.
    pub(super) fn new(steps: u64) -> Self {
        let bar = ProgressBar::new(steps);
        let style = ProgressStyle::with_template(" {spinner} {bar:40} {pos}/{len}  {msg}");
        // The template is the constant above.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self {
            bar,
            colours: std::io::stdout().is_terminal(),
            number: 0,
            began: Instant::now(),
            step_timeout: STEP,
        }
    }

    /// Before the first step.
    pub(super) fn open(&self) {
        self.print(&[
            "Pullit plays the whole life of a question set, on a private server in a temporary folder.".to_owned(),
            "Everything below really happens, through the server's HTTP port; each step is checked.".to_owned(),
            String::new(),
        ]);
    }

    /// A part of the account begins.
    pub(super) fn part(&self, title: &str) {
        self.print(&[self.ink("1", title), String::new()]);
    }

    /// Lets a step happen, and tells of it.
    ///
    /// # Errors
    /// When it did not happen, or not in time.
    pub(super) async fn step<T>(
        &mut self,
        title: &'static str,
        happening: impl Future<Output = Result<(T, Lines), Problem>>,
    ) -> Result<T, DemoError> {
        self.number += 1;
        self.bar.set_message(title);
        let began = Instant::now();
        let limit = self
            .step_timeout
            .min(WHOLE.saturating_sub(self.began.elapsed()));
        let ended = timeout(limit, happening).await.unwrap_or_else(|_| {
            let problem = format!("it took longer than {} s", limit.as_secs());
            Err(Problem(problem))
        });
        match ended {
            Ok((value, lines)) => {
                self.bar.inc(1);
                self.tell(&self.ink("32", "✓"), title, Some(began.elapsed()), lines.0);
                Ok(value)
            }
            Err(Problem(problem)) => {
                self.tell(&self.ink("31", "✗"), title, None, Vec::new());
                Err(DemoError::Step {
                    number: self.number,
                    title,
                    problem,
                })
            }
        }
    }

    /// The server is being stopped.
    pub(super) fn stopping(&self) {
        self.bar.set_message("stopping the private server");
    }

    /// After the last step, or the first that did not happen.
    pub(super) fn close(&self, whole: bool) {
        self.bar.finish_and_clear();
        if whole {
            let took = self.began.elapsed().as_secs_f64();
            self.print(&[format!(
                "All {} steps happened, in {took:.1} s. The server is stopped and its folder removed.",
                self.number
            )]);
        }
    }

    fn tell(&self, mark: &str, title: &str, took: Option<Duration>, lines: Vec<String>) {
        let took = took.map_or_else(String::new, |took| {
            let took = format!("{:.2} s", took.as_secs_f64());
            let gap = (COLUMNS - MARGIN).saturating_sub(width(title) + width(&took));
            format!("{}{}", " ".repeat(gap), self.ink("2", &took))
        });
        let head = format!("{:>3} {mark} {}{took}", self.number, self.ink("1", title));
        let margin = " ".repeat(MARGIN);
        let lines = lines
            .into_iter()
            .map(|line| format!("{margin}{line}").trim_end().to_owned());
        let told: Vec<String> = std::iter::once(head)
            .chain(lines)
            .chain([String::new()])
            .collect();
        self.print(&told);
    }

    fn ink(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn print(&self, lines: &[String]) {
        self.bar.suspend(|| {
            let mut out = std::io::stdout().lock();
            // A reader that has gone away is no failure of the steps.
            let _reader_gone = lines
                .iter()
                .try_for_each(|line| writeln!(out, "{line}"))
                .and_then(|()| out.flush());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_step_that_did_not_happen_is_named() {
        let mut account = Account::new(2);
        let happened = account
            .step("It happens", async { Ok((1, Lines::default())) })
            .await;
        assert_eq!(happened.unwrap(), 1);
        let failed = account
            .step("It does not", async {
                Err::<((), Lines), _>(Problem("no wind".to_owned()))
            })
            .await;
        assert_eq!(
            failed.unwrap_err().to_string(),
            "step 2 of the demonstration did not happen: It does not: no wind"
        );
    }

    #[tokio::test]
    async fn a_step_that_never_ends_did_not_happen() {
        let mut account = Account::new(1);
        account.step_timeout = Duration::from_millis(1);
        let failed = account
            .step("It hangs", std::future::pending::<Result<((), Lines), _>>())
            .await;
        let problem = failed.unwrap_err().to_string();
        assert!(
            problem.contains("It hangs: it took longer than"),
            "{problem}"
        );
    }

    #[test]
    fn a_long_meaning_stands_below_its_request() {
        let mut lines = Lines::default();
        let long = "x".repeat(60);
        lines
            .request("GET  /a", "200", "short")
            .request("GET  /a", "200", &long);
        assert!(lines.0[0].ends_with("200       short"), "{:?}", lines.0);
        assert_eq!(lines.0[2], format!("     {long}"));
    }
}
