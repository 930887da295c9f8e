//! Running headers, footers and page numbers, which are no text.

use std::collections::HashMap;

use super::line::Line;

/// How many lines from the edge of a page may be running headers or footers.
const DEPTH: usize = 2;

/// The pages without running headers and footers and page numbers at their edges.
///
/// A line goes when it recurs (but for its digits) at the same height of another page, always
/// among the outermost lines; or when it is nothing but a page number, set apart from the body.
/// A document that would lose all its lines so (slides that all say the same) keeps them.
pub(super) fn without(pages: Vec<Vec<Line>>) -> Vec<Vec<Line>> {
    let mut rest = pages.clone();
    remove(&mut rest);
    if rest.iter().all(Vec::is_empty) {
        pages
    } else {
        rest
    }
}

fn remove(pages: &mut [Vec<Line>]) {
    let mut seen: HashMap<(String, i64), usize> = HashMap::new();
    for page in pages.iter() {
        for index in edges(page) {
            *seen.entry(signature(&page[index])).or_default() += 1;
        }
    }
    for page in pages {
        let gone: Vec<usize> = edges(page)
            .into_iter()
            .filter(|&index| {
                seen.get(&signature(&page[index]))
                    .is_some_and(|count| *count > 1)
                    || (is_page_number(&page[index].text) && stands_apart(page, index))
            })
            .collect();
        let mut index = 0;
        page.retain(|_| {
            index += 1;
            !gone.contains(&(index - 1))
        });
    }
}

/// Indices of the lines nearest to the top and to the bottom.
fn edges(page: &[Line]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..page.len()).collect();
    order.sort_by(|a, b| page[*b].baseline.total_cmp(&page[*a].baseline));
    let mut edges: Vec<usize> = order
        .iter()
        .take(DEPTH)
        .chain(order.iter().rev().take(DEPTH))
        .copied()
        .collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

fn signature(line: &Line) -> (String, i64) {
    let text = line.text.chars().filter(|c| !c.is_whitespace());
    let text = text
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect::<String>();
    // Page numbers of different lengths are the same furniture.
    let text = text.replace("00", "0").replace("00", "0");
    (text, (line.baseline / 2.0).round() as i64)
}

/// `7`, `- 7 -`, `7 / 12`, `p. 7`, `Page 7 of 12`, `7쪽`, `vii`.
fn is_page_number(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| c.is_whitespace() || "-–—·|/.[]()<>~".contains(c));
    let mut numbers = 0;
    words.all(|word| {
        let number = word.trim_end_matches(['쪽', '면']);
        if !number.is_empty() && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit())
            || (!word.is_empty() && word.bytes().all(|b| b"ivxl".contains(&b)))
        {
            numbers += 1;
            return numbers <= 2;
        }
        matches!(word, "" | "p" | "pp" | "page" | "of")
    }) && numbers > 0
}

fn stands_apart(page: &[Line], index: usize) -> bool {
    let line = &page[index];
    let nearest = page
        .iter()
        .map(|other| (other.baseline - line.baseline).abs())
        .filter(|distance| *distance > line.font_size * 0.5)
        .min_by(f64::total_cmp);
    nearest.is_none_or(|distance| distance > line.font_size * 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(lines: &[(&str, f64)]) -> Vec<Line> {
        let line = |(text, baseline): &(&str, f64)| Line {
            text: (*text).to_owned(),
            left: 50.0,
            right: 300.0,
            baseline: *baseline,
            font_size: 10.0,
            trailing_space: false,
        };
        lines.iter().map(line).collect()
    }

    fn left(pages: &[Vec<Line>]) -> Vec<Vec<&str>> {
        pages
            .iter()
            .map(|page| page.iter().map(|line| line.text.as_str()).collect())
            .collect()
    }

    #[test]
    fn running_headers_footers_and_page_numbers_go_wherever_the_file_draws_them() {
        let mut pages = [
            page(&[
                ("제1장 한글", 800.0),
                ("- 9 -", 30.0),
                ("제1장 한글", 700.0),
                ("첫 쪽.", 680.0),
                ("끝.", 660.0),
            ]),
            page(&[
                ("제1장 한글", 800.0),
                ("- 10 -", 30.0),
                ("둘째 쪽.", 700.0),
                ("더.", 680.0),
                ("끝이다.", 660.0),
            ]),
        ];
        remove(&mut pages);
        assert_eq!(
            left(&pages),
            [
                ["제1장 한글", "첫 쪽.", "끝."],
                ["둘째 쪽.", "더.", "끝이다."]
            ]
        );
    }

    #[test]
    fn a_document_of_nothing_but_repetition_keeps_its_lines() {
        let pages = vec![page(&[("같은 말", 700.0)]), page(&[("같은 말", 700.0)])];
        assert_eq!(without(pages.clone()), pages);
    }

    #[test]
    fn a_number_that_belongs_to_the_text_stays() {
        let mut pages = [page(&[
            ("년도", 700.0),
            ("1443", 685.0),
            ("본문", 670.0),
            ("끝", 655.0),
            ("12", 40.0),
        ])];
        remove(&mut pages);
        assert_eq!(left(&pages), [["년도", "1443", "본문", "끝"]]);
    }

    #[test]
    fn page_numbers_are_known_in_their_usual_shapes() {
        for number in [
            "7",
            "- 7 -",
            "7 / 12",
            "p. 7",
            "Page 7 of 12",
            "7쪽",
            "vii",
            "[12]",
        ] {
            assert!(is_page_number(number), "{number}");
        }
        for text in ["", "-", "1443년", "page", "12345", "3 4 5", "제7장"] {
            assert!(!is_page_number(text), "{text}");
        }
    }
}
