//! From lines to paragraphs: where one ends, by width, indent and leading.

use std::collections::HashMap;

use super::line::Line;
use super::seam::Seams;

/// Joins lines into paragraphs, an empty line between them.
pub(super) fn rebuild(pages: &[Vec<Line>]) -> String {
    let edges: Vec<f64> = pages
        .iter()
        .flat_map(|page| {
            let columns = Columns::measure(page);
            page.iter().map(move |line| columns.right_edge(line))
        })
        .collect();
    let lines: Vec<&Line> = pages.iter().flatten().collect();
    let leading = leading(&lines);
    let continues: Vec<bool> = lines
        .windows(2)
        .zip(&edges)
        .map(|(pair, edge)| continues(pair[0], pair[1], *edge, &leading))
        .collect();
    let seams = Seams::learn(&lines, &continues);
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        match index.checked_sub(1) {
            None => text.push_str(without_bullet(&line.text)),
            Some(before) if continues[before] => seams.join(&mut text, lines[before], line),
            Some(_) => {
                text.push_str("\n\n");
                text.push_str(without_bullet(&line.text));
            }
        }
    }
    text
}

/// Font sizes are compared in quarters of a point.
fn size_key(line: &Line) -> i64 {
    (line.font_size * 4.0).round() as i64
}

/// The usual distance of baselines within a paragraph, for each font size.
fn leading(lines: &[&Line]) -> HashMap<i64, f64> {
    let mut distances: HashMap<i64, Vec<f64>> = HashMap::new();
    for pair in lines.windows(2) {
        let distance = pair[0].baseline - pair[1].baseline;
        let unit = pair[0].font_size;
        if size_key(pair[0]) == size_key(pair[1]) && (unit * 0.8..unit * 3.5).contains(&distance) {
            distances
                .entry(size_key(pair[0]))
                .or_default()
                .push(distance);
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    distances
        .into_iter()
        .map(|(size, values)| (size, median(values)))
        .collect()
}

/// Lines whose left edges lie within this many font sizes belong to one column.
const INDENT: f64 = 5.0;

/// The columns of text of one page.
struct Columns(Vec<Column>);

struct Column {
    size: i64,
    left: f64,
    /// The lines' right edges; the column's own once measured.
    rights: Vec<f64>,
}

impl Columns {
    fn measure(page: &[Line]) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        for line in page {
            match columns.iter_mut().find(|column| column.holds(line)) {
                Some(column) => column.rights.push(line.right),
                None => columns.push(Column {
                    size: size_key(line),
                    left: line.left,
                    rights: vec![line.right],
                }),
            }
        }
        for column in &mut columns {
            column.rights.sort_by(|a, b| b.total_cmp(a));
        }
        Self(columns)
    }

    /// The right edge that all but a few outliers (a title across both columns) respect.
    fn right_edge(&self, line: &Line) -> f64 {
        let column = self.0.iter().find(|column| column.holds(line));
        column.map_or(line.right, |column| column.rights[column.rights.len() / 10])
    }
}

impl Column {
    fn holds(&self, line: &Line) -> bool {
        self.size == size_key(line) && (self.left - line.left).abs() < line.font_size * INDENT
    }
}

/// Whether `next` goes on with the paragraph of `line`, whose column ends at `edge`.
fn continues(line: &Line, next: &Line, edge: f64, leading: &HashMap<i64, f64>) -> bool {
    if size_key(line) != size_key(next) || starts_item(&next.text) {
        return false;
    }
    let unit = line.font_size;
    let distance = line.baseline - next.baseline;
    if distance.abs() < unit * 0.5 {
        // Beside it: another cell of a table.
        return false;
    }
    let usual = leading.get(&size_key(line)).copied().unwrap_or(unit * 1.5);
    let from_another_cell = distance > 0.0 && (line.left - next.left).abs() > unit * INDENT;
    if distance > usual * 1.3 || from_another_cell {
        return false;
    }
    let indented = (unit * 0.6..unit * INDENT).contains(&(next.left - line.left));
    if ends_sentence(&line.text) && (indented || starts_numbered(&next.text)) {
        return false;
    }
    let within = line.text.ends_with(',') || next.text.starts_with(|c: char| c.is_lowercase());
    let long = line.right - line.left > (edge - line.left) * 0.6;
    (within && long && !ends_sentence(&line.text)) || is_full(line, next, edge)
}

/// Whether the first word of the next line would not have fitted before `edge`.
fn is_full(line: &Line, next: &Line, edge: f64) -> bool {
    let word = next
        .text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .chars()
        .count();
    let needed = (word as f64 + 0.5) * next.character_width();
    line.right + needed > edge - line.font_size * 0.1
}

pub(super) fn ends_sentence(text: &str) -> bool {
    let bare = text.trim_end_matches(['"', '\'', '”', '’', ')', ']', '」', '』', '》']);
    bare.ends_with(['.', '!', '?', '。', '…', ':'])
}

/// A bullet always starts an item.
fn starts_item(text: &str) -> bool {
    text.starts_with(is_bullet)
        || text.starts_with("- ")
        || text.starts_with("– ")
        || text.starts_with("* ")
}

fn is_bullet(c: char) -> bool {
    let listed = "•◦▪■□●○◆◇▶▷※";
    listed.contains(c) || ('①'..='⑳').contains(&c) || ('\u{E000}'..='\u{F8FF}').contains(&c)
}

/// The marks themselves say nothing.
fn without_bullet(text: &str) -> &str {
    let bare = if starts_item(text) {
        text.trim_start_matches(|c| is_bullet(c) || "-–* ".contains(c))
    } else {
        text
    };
    if bare.is_empty() { text } else { bare }
}

/// A number starts an item only where a sentence has ended: `1.`, `2)`, `(3)`, `가.`
fn starts_numbered(text: &str) -> bool {
    let word = text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_start_matches('(');
    let Some(label) = word.strip_suffix(['.', ')']) else {
        return false;
    };
    let digits = !label.is_empty()
        && label.len() <= 5
        && label.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    digits || matches!(label, "가" | "나" | "다" | "라" | "마" | "바" | "사" | "아")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of 10 points, 8 points a character, at the left edge and the baseline.
    fn rebuilt(pages: &[&[(&str, f64, f64)]]) -> Vec<String> {
        let line = |(text, left, baseline): &(&str, f64, f64)| Line {
            text: (*text).to_owned(),
            left: *left,
            right: left + 8.0 * text.chars().count() as f64,
            baseline: *baseline,
            font_size: 10.0,
            trailing_space: false,
        };
        let pages: Vec<Vec<Line>> = pages
            .iter()
            .map(|page| page.iter().map(line).collect())
            .collect();
        rebuild(&pages).split("\n\n").map(str::to_owned).collect()
    }

    #[test]
    fn a_paragraph_goes_on_over_the_page_and_ends_at_a_short_line_or_before_an_indent() {
        let pages: [&[_]; 2] = [
            &[
                ("Heading", 50.0, 720.0),
                ("A cell is the smallest unit of", 50.0, 700.0),
                ("life.", 50.0, 685.0),
                ("Brown named its nucleus in 1831.", 50.0, 670.0),
                ("It holds genes.", 60.0, 655.0),
                ("The last line of the page ends", 50.0, 640.0),
            ],
            &[
                ("within a sentence, as they may.", 50.0, 720.0),
                ("End.", 50.0, 690.0),
            ],
        ];
        assert_eq!(
            rebuilt(&pages),
            [
                "Heading",
                "A cell is the smallest unit of life.",
                "Brown named its nucleus in 1831.",
                "It holds genes.",
                "The last line of the page ends within a sentence, as they may.",
                "End.",
            ]
        );
    }

    #[test]
    fn items_and_cells_of_tables_are_paragraphs_of_their_own() {
        let page: &[_] = &[
            ("The conditions are these two:", 50.0, 700.0),
            ("• Mutual exclusion of processes", 50.0, 685.0),
            ("• Circular wait", 50.0, 670.0),
            ("Unix", 50.0, 640.0),
            ("Thompson and Ritchie", 200.0, 640.0),
            ("Linux", 50.0, 625.0),
            ("Torvalds", 200.0, 625.0),
        ];
        assert_eq!(
            rebuilt(&[page]),
            [
                "The conditions are these two:",
                "Mutual exclusion of processes",
                "Circular wait",
                "Unix",
                "Thompson and Ritchie",
                "Linux",
                "Torvalds",
            ]
        );
    }
}
