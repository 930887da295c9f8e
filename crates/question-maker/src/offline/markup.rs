//! The words of a line without emphasis, links and code marks, in one pass.

/// The words of a line without emphasis, links and code marks.
pub(super) fn inline_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut links = Links::new(text);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let after = at + c.len_utf8();
        if c == '['
            && let Some((label, tail)) = links.at(after)
        {
            // A label has no closing bracket, and so no link of its own: this goes one level deep.
            out.push_str(&inline_markup(label));
            at = tail;
        } else if c == '*' || c == '`' {
            at = after;
        } else if text[at..].starts_with("__") {
            at += 2;
        } else {
            if c != ' ' || !out.ends_with(' ') {
                out.push(c);
            }
            at = after;
        }
    }
    out.trim().to_owned()
}

/// Finds links from left to right, and looks at no byte twice: what closes the last one that opened
/// closes the next one as well, or stands before it.
struct Links<'a> {
    text: &'a str,
    bracket: Next,
    parenthesis: Next,
}

impl<'a> Links<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bracket: Next::new(b']'),
            parenthesis: Next::new(b')'),
        }
    }

    /// `label](target)` or a footnote mark that begins at `from`: its words, and where the text goes on.
    fn at(&mut self, from: usize) -> Option<(&'a str, usize)> {
        let close = self.bracket.from(self.text, from)?;
        let label = &self.text[from..close];
        if self.text[close + 1..].starts_with('(') {
            let end = self.parenthesis.from(self.text, close + 2)?;
            return Some((label, end + 1));
        }
        let footnote =
            label.starts_with('^') || label.bytes().all(|c| c.is_ascii_digit() || c == b',');
        footnote.then_some(("", close + 1))
    }
}

/// Where a mark stands next, for questions that only move forwards.
struct Next {
    mark: u8,
    /// The answer to the last question, and to every one up to it: `None` before the first.
    found: Option<Option<usize>>,
}

impl Next {
    fn new(mark: u8) -> Self {
        Self { mark, found: None }
    }

    fn from(&mut self, text: &str, from: usize) -> Option<usize> {
        match self.found {
            Some(None) => None,
            Some(Some(at)) if at >= from => Some(at),
            _ => {
                let rest = text.as_bytes().get(from..)?;
                let at = rest
                    .iter()
                    .position(|byte| *byte == self.mark)
                    .map(|at| at + from);
                self.found = Some(at);
                at
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::inline_markup;

    #[test]
    fn links_footnotes_and_emphasis_leave_their_words() {
        for (markup, words) in [
            ("[a](b) [c](d)", "a c"),
            ("[a](b [c](d) e", "a e"),
            ("[[a](b) x", "[a x"),
            ("[1,2] [^x] [x] y", "[x] y"),
            ("[**a** `b`](c)", "a b"),
            ("[a](b", "[a](b"),
            ("[a", "[a"),
            ("__a__  b", "a b"),
        ] {
            assert_eq!(inline_markup(markup), words, "{markup}");
        }
    }
}
