//! The child: bounds itself, reads one document and writes one answer.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::confine::confine;
use super::wire::{Answer, Reply};
use super::{DocumentKind, ExtractionFailure, Limits, extract_bytes};

/// The first argument of a child: a program that sees it calls [`child_main`] with the rest.
pub const CHILD_COMMAND: &str = "extract";

/// What the child is asked to do.
struct Order {
    kind: DocumentKind,
    limits: Limits,
    file: PathBuf,
}

impl Order {
    /// The arguments after the program's name; [`Order::parse`] reads them back.
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![CHILD_COMMAND.into()];
        for (flag, value) in [
            ("--kind", self.kind.as_argument().to_owned()),
            ("--max-pages", self.limits.max_pages.to_string()),
            ("--max-chars", self.limits.max_chars.to_string()),
            ("--memory-bytes", self.limits.memory_bytes.to_string()),
            ("--cpu-seconds", self.limits.cpu_seconds.to_string()),
        ] {
            arguments.push(flag.into());
            arguments.push(value.into());
        }
        arguments.push("--".into());
        arguments.push(self.file.clone().into());
        arguments
    }

    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let mut kind = None;
        let mut limits = Limits {
            wall: Duration::MAX,
            ..Limits::default()
        };
        loop {
            let argument = arguments.next()?;
            if argument == "--" {
                break;
            }
            let value = arguments.next()?.into_string().ok()?;
            match argument.to_str()? {
                "--kind" => kind = Some(DocumentKind::from_argument(&value)?),
                "--max-pages" => limits.max_pages = value.parse().ok()?,
                "--max-chars" => limits.max_chars = value.parse().ok()?,
                "--memory-bytes" => limits.memory_bytes = value.parse().ok()?,
                "--cpu-seconds" => limits.cpu_seconds = value.parse().ok()?,
                _ => return None,
            }
        }
        let file = arguments.next()?.into();
        Some(Self {
            kind: kind?,
            limits,
            file,
        })
    }
}

pub(super) fn arguments(kind: DocumentKind, limits: &Limits, file: PathBuf) -> Vec<OsString> {
    Order {
        kind,
        limits: limits.clone(),
        file,
    }
    .arguments()
}

/// The whole life of a child: bounds the process, reads one file, writes one JSON document to standard output.
///
/// `arguments` are those after [`CHILD_COMMAND`].
///
/// Exit codes: 0 when an answer was written (also a rejection), 1 when it could not be, 2 for wrong
/// usage. A document that breaks the reader ends the process by a signal or a panic.
pub fn child_main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Some(order) = Order::parse(arguments) else {
        return ExitCode::from(2);
    };
    // The document is opened first: afterwards nothing can be opened any more.
    let opened = open(&order);
    let reply = match confine(&order.limits) {
        Ok(missing) => Reply {
            answer: answer(&order, opened),
            missing: missing.into_iter().map(str::to_owned).collect(),
        },
        Err(error) => Answer::Unavailable(format!("the child cannot bound itself: {error}")).into(),
    };
    let mut stdout = std::io::stdout().lock();
    let written = serde_json::to_writer(&mut stdout, &reply).is_ok() && stdout.flush().is_ok();
    if written {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn answer(order: &Order, opened: std::io::Result<(File, u64)>) -> Answer {
    match opened.and_then(|(file, size)| read(order, file, size)) {
        Ok(Ok(bytes)) => extract_bytes(order.kind, &bytes, &order.limits).into(),
        Ok(Err(failure)) => Err(failure).into(),
        Err(error) => Answer::Unavailable(format!("the stored document cannot be read: {error}")),
    }
}

/// The document and its size, not read yet.
fn open(order: &Order) -> std::io::Result<(File, u64)> {
    let file = File::open(&order.file)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// The file's bytes; a text that must be too long by its size alone is not even read.
fn read(
    order: &Order,
    mut file: File,
    size: u64,
) -> std::io::Result<Result<Vec<u8>, ExtractionFailure>> {
    let longest_text = (order.limits.max_chars as u64)
        .saturating_mul(4)
        .saturating_add(4);
    if order.kind != DocumentKind::Pdf && size > longest_text {
        return Ok(Err(ExtractionFailure::too_long(order.limits.max_chars)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(Ok(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_reads_back_what_its_parent_asks() {
        let limits = Limits {
            max_pages: 7,
            max_chars: 8,
            memory_bytes: 9,
            cpu_seconds: 10,
            ..Limits::default()
        };
        let asked = arguments(DocumentKind::Markdown, &limits, "/tmp/--kind".into());
        assert_eq!(asked[0], CHILD_COMMAND);
        let order = Order::parse(asked.into_iter().skip(1)).unwrap();
        assert_eq!(order.kind, DocumentKind::Markdown);
        assert_eq!(order.file, PathBuf::from("/tmp/--kind"));
        assert_eq!(
            order.limits,
            Limits {
                wall: Duration::MAX,
                ..limits
            }
        );
    }

    #[test]
    fn a_wrong_order_is_refused() {
        for wrong in [
            "",
            "--kind",
            "--kind pdf",
            "--kind pdf --",
            "--kind odt -- f",
            "--pages 3 -- f",
            "-- f",
        ] {
            let words = wrong.split_whitespace().map(OsString::from);
            assert!(Order::parse(words).is_none(), "{wrong}");
        }
    }
}
