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
            None => text.push_str(&line.text),
            Some(before) if continues[before] => seams.join(&mut text, lines[before], line),
            Some(_) => {
                text.push_str("\n\n");
                text.push_str(&line.text);
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
    if distance > usual * 1.3 {
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
    let mut chars = text.chars();
    let bullet = chars.next().is_some_and(|c| {
        matches!(c, '•' | '◦' | '▪' | '■' | '□' | '●' | '○' | '◆' | '◇' | '▶' | '▷' | '※' | '①'..='⑳' | '\u{E000}'..='\u{F8FF}')
    });
    bullet || (text.starts_with(['-', '–', '*']) && chars.next() == Some(' '))
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
