//! From runs of glyphs to lines of text.

use oxidize_pdf::text::TextFragment;

use super::korean;

/// A gap of this many font sizes between runs is a space.
const SPACE: f64 = 0.2;
/// A gap of this many font sizes separates cells of a table or columns, not words.
const CELL: f64 = 3.0;
/// Runs whose baselines differ by less than this many font sizes stand on one line.
const SAME_BASELINE: f64 = 0.4;

/// The same for smaller runs: exponents, indices and the marks of notes.
const RAISED: f64 = 0.7;

/// What stands on one line of a page, in points from the page's lower left corner.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Without white space around it.
    pub(super) text: String,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) baseline: f64,
    pub(super) font_size: f64,
    /// The file itself puts a space after the last word.
    pub(super) trailing_space: bool,
}

impl Line {
    fn start(fragment: &TextFragment) -> Self {
        Self {
            text: fragment.text.clone(),
            left: fragment.x,
            right: fragment.x + fragment.width,
            baseline: fragment.y,
            font_size: fragment.font_size.abs(),
            trailing_space: false,
        }
    }

    fn takes(&self, fragment: &TextFragment) -> bool {
        let unit = self.font_size.max(fragment.font_size.abs());
        let gap = fragment.x - self.right;
        let reach = if self.is_smaller(fragment) {
            RAISED
        } else {
            SAME_BASELINE
        };
        (self.baseline - fragment.y).abs() < unit * reach && gap > -unit && gap < unit * CELL
    }

    fn is_smaller(&self, fragment: &TextFragment) -> bool {
        fragment.font_size.abs() < self.font_size * 0.9
    }

    /// A raised number is an exponent after a Latin letter or a digit, and else a note's mark, which
    /// is left out.
    fn push_raised(&mut self, fragment: &TextFragment) -> bool {
        let rise = fragment.y - self.baseline;
        let number = fragment.text.trim();
        let raised = self.is_smaller(fragment) && rise > self.font_size * 0.15;
        if !raised || number.is_empty() || !number.chars().all(|c| superscript(c).is_some()) {
            return false;
        }
        if self.text.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            self.text.extend(number.chars().filter_map(superscript));
        }
        self.right = self.right.max(fragment.x + fragment.width);
        true
    }

    fn push(&mut self, fragment: &TextFragment) {
        if self.push_raised(fragment) {
            return;
        }
        let gap = fragment.x - self.right;
        let unit = self.font_size.max(fragment.font_size.abs());
        let spaced = self.text.ends_with(char::is_whitespace)
            || fragment.text.starts_with(char::is_whitespace);
        if gap > unit * SPACE && !spaced {
            self.text.push(' ');
        }
        self.text.push_str(&fragment.text);
        self.right = self.right.max(fragment.x + fragment.width);
        self.font_size = unit;
    }

    fn finish(mut self) -> Option<Self> {
        self.trailing_space = self.text.ends_with(char::is_whitespace);
        self.text = hug_brackets(self.text.trim());
        (!self.text.is_empty()).then_some(self)
    }

    /// The share of the line that one character takes on average, in points.
    pub(super) fn character_width(&self) -> f64 {
        (self.right - self.left) / self.text.chars().count().max(1) as f64
    }
}

/// Justified lines stretch around Korean brackets, where no space belongs.
fn hug_brackets(text: &str) -> String {
    let mut hugged = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let particle = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let hugs = hugged.ends_with(['《', '〈', '「', '『'])
            || word.starts_with(['》', '〉', '」', '』'])
            || (hugged.ends_with(['》', '〉', '」', '』']) && korean::is_bound(particle));
        if !hugged.is_empty() && !hugs {
            hugged.push(' ');
        }
        hugged.push_str(word);
    }
    hugged
}

fn superscript(c: char) -> Option<char> {
    let raised = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    match c {
        '-' | '−' => Some('⁻'),
        '+' => Some('⁺'),
        _ => c
            .to_digit(10)
            .and_then(|digit| raised.get(digit as usize).copied()),
    }
}

/// The lines of a page in the order in which the file draws them.
pub(super) fn lines(fragments: &[TextFragment]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    let mut last: Option<&TextFragment> = None;
    for fragment in fragments
        .iter()
        .filter(|fragment| !fragment.text.is_empty())
    {
        if last
            .replace(fragment)
            .is_some_and(|last| is_overprint(last, fragment))
        {
            continue;
        }
        match &mut open {
            Some(line) if line.takes(fragment) => line.push(fragment),
            _ => lines.extend(open.replace(Line::start(fragment)).and_then(Line::finish)),
        }
    }
    lines.extend(open.and_then(Line::finish));
    lines
}

/// Bold type is sometimes the same run drawn twice, a hair apart.
fn is_overprint(one: &TextFragment, other: &TextFragment) -> bool {
    one.text == other.text && (one.x - other.x).abs() < 1.0 && (one.y - other.y).abs() < 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, x: f64, y: f64, size: f64) -> TextFragment {
        let width = text.chars().count() as f64 * size / 2.0;
        TextFragment::new(text.to_owned(), x, y, width, size, size)
    }

    fn texts(fragments: &[TextFragment]) -> Vec<String> {
        lines(fragments).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn runs_on_one_baseline_are_a_line_and_gaps_between_them_are_spaces() {
        let runs = [
            run("빛의", 50.0, 700.0, 10.0),
            run("속력", 65.0, 700.2, 10.0),
            run("은", 75.0, 700.0, 10.0),
            run("다음", 50.0, 685.0, 10.0),
        ];
        assert_eq!(texts(&runs), ["빛의 속력은", "다음"]);
    }

    #[test]
    fn exponents_stay_and_the_marks_of_notes_go() {
        let runs = [
            run("3×10", 50.0, 700.0, 10.0),
            run("8", 70.0, 704.0, 7.0),
            run(" m", 73.5, 700.0, 10.0),
            run("2", 83.5, 704.0, 7.0),
            run("이다.", 87.0, 700.0, 10.0),
            run("1", 102.0, 704.0, 7.0),
            run(" H", 105.5, 700.0, 10.0),
            run("2", 115.5, 697.0, 7.0),
            run("O", 119.0, 700.0, 10.0),
        ];
        assert_eq!(texts(&runs), ["3×10⁸ m²이다. H2O"]);
    }

    #[test]
    fn runs_drawn_twice_for_bold_type_are_read_once_and_far_cells_stay_apart() {
        let runs = [
            run("굵게", 50.0, 700.0, 10.0),
            run("굵게", 50.3, 700.0, 10.0),
            run("다른 칸", 200.0, 700.0, 10.0),
        ];
        assert_eq!(texts(&runs), ["굵게", "다른 칸"]);
    }

    #[test]
    fn justified_lines_stretch_around_korean_brackets_without_spaces() {
        assert_eq!(
            hug_brackets("풀이한 《 훈민정음 해례본 》 은 《 월인 》 둘째"),
            "풀이한 《훈민정음 해례본》은 《월인》 둘째"
        );
    }
}
