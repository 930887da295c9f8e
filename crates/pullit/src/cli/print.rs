//! Standard output is the answer, standard error is everything else.

use std::io::Write;

use serde::Serialize;

use super::Failure;

/// One line of the answer. A reader that has gone away is no failure of ours.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _reader_gone = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// What went wrong.
pub(crate) fn error(text: &str) {
    let _reader_gone = writeln!(std::io::stderr().lock(), "pullit: {text}");
}

/// The answer as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(&serde_json::to_string_pretty(value).map_err(Failure::of)?);
    Ok(())
}

/// The answer as a table with aligned columns.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        line(cells.join("  ").trim_end());
    }
}
