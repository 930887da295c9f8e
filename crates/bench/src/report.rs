//! The figures of both servers side by side.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

use crate::{args::Args, figures::Figures};

/// The figures of both servers side by side, with the targets.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) args: &'a Args,
    pub(crate) ours: Option<Figures>,
    pub(crate) nchan: Option<Figures>,
}

struct Row {
    name: &'static str,
    title: &'static str,
    of: fn(&Figures) -> Option<f64>,
    target: Option<Target>,
}

#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Ours over the peer's.
    RatioAtMost(f64),
}

impl Target {
    /// `None` when it cannot be said.
    fn met(self, ours: Option<f64>, ratio: Option<f64>) -> Option<bool> {
        match self {
            Self::AtMost(limit) => ours.map(|ours| ours <= limit),
            Self::AtLeast(limit) => ours.map(|ours| ours >= limit),
            Self::RatioAtMost(limit) => ratio.map(|ratio| ratio <= limit),
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
            Self::RatioAtMost(limit) => write!(f, "ratio ≤ {limit}"),
        }
    }
}

const fn row(
    name: &'static str,
    title: &'static str,
    of: fn(&Figures) -> Option<f64>,
    target: Option<Target>,
) -> Row {
    Row {
        name,
        title,
        of,
        target,
    }
}

use Target::{AtLeast, AtMost, RatioAtMost};

/// Streams, readers of a publish to all, and minutes of the soak that the targets are meant for.
const SIZE: (usize, usize, f64) = (18_000, 10_000, 10.0);
const SIZE_TITLE: &str = "the size of the targets (18,000 streams, 10,000 readers, 10 minutes)";

/// Flat: what the measurement itself may sway, a twentieth of what a stream may take.
const FLAT_KIB: f64 = 0.5;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("idleKib", "resident per stream, at first (KiB)", |f| f.idle_kib, Some(AtMost(10.0))),
    row("idleKernelKib", "  and in the kernel's socket queues (KiB)", |f| f.idle_kernel_kib, None),
    row("publishedKib", "resident per stream, after the publishes (KiB)", |f| f.published_kib, Some(AtMost(10.0))),
    row("firstMs", "one publish to all: first reader (ms, median)", |f| f.first_ms, None),
    row("lastMs", "one publish to all: last reader (ms, median)", |f| f.last_ms, Some(RatioAtMost(0.7))),
    row("deliveryMicros", "processor time per delivery (µs)", |f| f.delivery_us, Some(AtMost(10.0))),
    row("soakMinutes", "soak (minutes)", |f| f.soak_minutes, None),
    row("soakMostKib", "  resident per stream, the most (KiB)", |f| f.soak_most_kib, Some(AtMost(10.0))),
    row("soakGrowthKib", "  resident per stream, end over start (KiB)", |f| f.soak_growth_kib, Some(AtMost(FLAT_KIB))),
    row("soakCorePercent", "  share of one core (%)", |f| f.soak_core_percent, None),
    row("gapLeastMs", "  heartbeat gap, shortest (ms)", |f| f.gap_least_ms, Some(AtLeast(2_900.0))),
    row("gapMedianMs", "  heartbeat gap, median (ms)", |f| f.gap_median_ms, None),
    row("gapP99Ms", "  heartbeat gap, 99th percentile (ms)", |f| f.gap_p99_ms, None),
    row("gapMostMs", "  heartbeat gap, longest (ms)", |f| f.gap_most_ms, Some(AtMost(3_100.0))),
    row("missingBeats", "  heartbeats that did not come", |f| f.missing_beats, Some(AtMost(0.0))),
    row("targetedRate", "publishes to one reader (a second)", |f| f.targeted_rate, None),
    row("targetedShare", "  of those that were asked for (%)", |f| f.targeted_share, Some(AtLeast(98.0))),
    row("targetedMedianMs", "  sent to received, median (ms)", |f| f.targeted_median_ms, None),
    row("targetedP99Ms", "  sent to received, 99th percentile (ms)", |f| f.targeted_p99_ms, None),
    row("targetedMostMs", "  sent to received, longest (ms)", |f| f.targeted_most_ms, None),
    row("toSocketP99Ms", "  publish to socket by the server itself, 99th (ms)", |f| f.to_socket_p99_ms, Some(AtMost(1.0))),
    row("stalledMb", "100 stalled readers, the most (MB)", |f| f.stalled_mb, Some(AtMost(30.0))),
    row("stalledBacklogMib", "  published to each, at least (MiB)", |f| f.stalled_backlog_mib, None),
    row("stalledKernelMb", "  of these in the kernel's socket queues (MB)", |f| f.stalled_kernel_mb, None),
    row("stalledReset", "  of them reset by the server in the end", |f| f.stalled_reset, None),
    row("stalledLeftMb", "  what they cost then (MB)", |f| f.stalled_left_mb, None),
    row("stalledDelay", "  last reader's time beside them / without", |f| f.stalled_delay, Some(AtMost(1.2))),
    row("stalledGapMostMs", "  heartbeat gap meanwhile, longest (ms)", |f| f.stalled_gap_most_ms, Some(AtMost(3_100.0))),
    row("stalledMissingBeats", "  heartbeats that did not come meanwhile", |f| f.stalled_missing_beats, Some(AtMost(0.0))),
    row("damaged", "events that arrived other than sent", |f| f.damaged, Some(AtMost(0.0))),
    row("repeated", "events that arrived twice", |f| f.repeated, Some(AtMost(0.0))),
];

struct Line<'a> {
    row: &'a Row,
    ours: Option<f64>,
    nchan: Option<f64>,
    ratio: Option<f64>,
    met: Option<bool>,
}

impl Report<'_> {
    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        ROWS.iter().map(|row| {
            let ours = self.ours.as_ref().and_then(row.of);
            let nchan = self.nchan.as_ref().and_then(row.of);
            let ratio = ours
                .zip(nchan)
                .filter(|(_, nchan)| *nchan > 0.0)
                .map(|(ours, nchan)| ours / nchan);
            let met = row.target.and_then(|target| target.met(ours, ratio));
            Line {
                row,
                ours,
                nchan,
                ratio,
                met,
            }
        })
    }

    /// Titles of the targets that were missed.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        self.lines()
            .filter(|line| line.met == Some(false))
            .map(|line| line.row.title.trim())
            .collect()
    }

    /// Titles of the targets that nothing can be said of; all of it, where the run was smaller than they are meant for.
    pub(crate) fn unmeasured(&self) -> Vec<&'static str> {
        let minutes = self.ours.as_ref().and_then(|ours| ours.soak_minutes);
        let is_whole = self.args.connections >= SIZE.0
            && self.args.fanout() >= SIZE.1
            && minutes.is_some_and(|minutes| minutes >= SIZE.2);
        let size = (!is_whole).then_some(SIZE_TITLE);
        let unsaid = self
            .lines()
            .filter(|line| line.row.target.is_some() && line.met.is_none())
            .map(|line| line.row.title.trim());
        size.into_iter().chain(unsaid).collect()
    }

    pub(crate) fn json(&self) -> Value {
        let figures = self.lines().map(|line| {
            let figure = json!({
                "title": line.row.title.trim(),
                "ours": line.ours,
                "nchan": line.nchan,
                "ratio": line.ratio,
                "target": line.row.target.map(|target| target.to_string()),
                "met": line.met,
            });
            (line.row.name.to_owned(), figure)
        });
        json!({
            "connections": self.args.connections,
            "fanout": self.args.fanout(),
            "rounds": self.args.rounds,
            "payload": self.args.payload,
            "stalled": self.args.stalled,
            "figures": figures.collect::<serde_json::Map<_, _>>(),
        })
    }
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} streams (publishes to all: {} streams, {} rounds), {} bytes of data, {} stalled readers; \
             readers and servers share this machine",
            self.args.connections,
            self.args.fanout(),
            self.args.rounds,
            self.args.payload,
            self.args.stalled,
        )?;
        writeln!(
            f,
            "\n{:<54}{:>10}{:>10}{:>8}  target",
            "", "ours", "nchan", "ratio"
        )?;
        for line in self.lines() {
            let target = line.row.target.map(|target| target.to_string());
            let verdict = match line.met {
                Some(true) => "  met",
                Some(false) => "  MISSED",
                None => "",
            };
            let text = format!(
                "{:<54}{:>10}{:>10}{:>8}  {}{verdict}",
                line.row.title,
                number(line.ours),
                number(line.nchan),
                number(line.ratio),
                target.unwrap_or_default(),
            );
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.fract() == 0.0 => format!("{value}"),
        Some(value) => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn report<T>(ours: Figures, nchan: Option<Figures>, ask: fn(&Report<'_>) -> T) -> T {
        let args = Args::parse_from(["sse-load"]);
        ask(&Report {
            args: &args,
            ours: Some(ours),
            nchan,
        })
    }

    fn missed(ours: Figures, nchan: Option<Figures>) -> Vec<&'static str> {
        report(ours, nchan, |report| report.missed())
    }

    #[test]
    fn a_target_is_missed_above_its_limit_and_not_at_it() {
        let idle = |kib| Figures {
            idle_kib: Some(kib),
            ..Figures::default()
        };
        assert_eq!(missed(idle(10.0), None), [] as [&str; 0]);
        assert_eq!(
            missed(idle(10.1), None),
            ["resident per stream, at first (KiB)"]
        );
    }

    #[test]
    fn gaps_are_missed_below_as_well() {
        let early = Figures {
            gap_least_ms: Some(2_899.0),
            gap_most_ms: Some(3_100.0),
            ..Figures::default()
        };
        assert_eq!(missed(early, None), ["heartbeat gap, shortest (ms)"]);
    }

    #[test]
    fn a_ratio_needs_both() {
        let last = |ms| Figures {
            last_ms: Some(ms),
            ..Figures::default()
        };
        assert_eq!(missed(last(80.0), None), [] as [&str; 0]);
        assert_eq!(missed(last(70.0), Some(last(100.0))), [] as [&str; 0]);
        assert_eq!(missed(last(80.0), Some(last(100.0))).len(), 1);
    }

    #[test]
    fn a_target_that_nothing_can_be_said_of_is_not_met() {
        let unmeasured = report(Figures::default(), None, |report| report.unmeasured());
        for title in [
            "one publish to all: last reader (ms, median)",
            "resident per stream, at first (KiB)",
            "events that arrived other than sent",
        ] {
            assert!(unmeasured.contains(&title), "{title}");
        }
    }

    #[test]
    fn a_run_smaller_than_the_targets_meets_none() {
        let unmeasured = |args: &[&str], minutes| {
            let args = Args::parse_from([&["sse-load"], args].concat());
            let ours = Some(Figures {
                soak_minutes: Some(minutes),
                ..Figures::default()
            });
            let (args, nchan) = (&args, None);
            let report = Report { args, ours, nchan };
            report.unmeasured().contains(&SIZE_TITLE)
        };
        let whole = ["--connections=18000", "--fanout=10000"];
        assert!(!unmeasured(&whole, 10.0));
        assert!(unmeasured(&whole, 9.9));
        assert!(unmeasured(&["--connections=18000", "--fanout=9000"], 10.0));
        assert!(unmeasured(&["--connections=17000", "--fanout=10000"], 10.0));
    }
}
