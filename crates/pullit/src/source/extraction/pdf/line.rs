use oxidize_pdf::text::TextFragment;

use super::korean;

/// A gap of this many font sizes between runs is a space.
const SPACE: f64 = 0.2;
/// A gap of this many font sizes separates cells of a table or columns, not words.
const CELL: f64 = 3.0;
/// Runs whose baselines differ by less than this many font sizes stand on one line.
const SAME_BASELINE: f64 = 0.4;

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
        (self.baseline - fragment.y).abs() < unit * SAME_BASELINE
            && gap > -unit
            && gap < unit * CELL
    }

    fn push(&mut self, fragment: &TextFragment) {
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
