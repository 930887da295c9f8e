//! Texts that cost their square, or panic, in a generator that was not careful.

use super::*;

/// As long as the longest text a document may have.
const LONGEST: usize = 2_000_000;
/// Ten times what the product promises, for a busy machine. What costs its square takes minutes at this length.
const GENEROUS: Duration = Duration::from_secs(20);

/// What a text is made of, again and again.
const PATTERNS: &[&str] = &[
    "𐐨𐐨-\n",
    "[x",
    "[a](",
    "[^",
    "[1,",
    "[]",
    "[",
    "](",
    "[[a]",
    "를\n",
    "가를\n",
    "a-\n",
    "가\n",
    "- 가\n",
    "1. ",
    "11.\n",
    "-",
    "---\n",
    "===\n",
    "```\n",
    ">",
    "> ",
    "|",
    "#",
    "*",
    "__",
    "(",
    ")",
    "\"",
    "'",
    "“",
    "『",
    "『가 ",
    "가(",
    "(가 ",
    ". ",
    ".",
    "! ",
    "?",
    "a. ",
    "A. ",
    "1. a ",
    "다. ",
    "다.",
    "가 ",
    "a ",
    "a",
    "가",
    "1",
    "1,1",
    "2026. ",
    "2026. 1. ",
    "A",
    "A a ",
    "e.g. ",
    "(a. ",
    "(a.b ",
    "\u{2003}",
    "a\u{2003}",
    ".\u{2003}",
    ".\u{a0}",
    "\u{301}",
    "a\u{301}",
    "\u{1100}",
    "\u{1100}\u{1161}",
    "\u{200b}",
    "\r",
    "\r\n",
    "\n\n",
    "\t",
    "'s ",
    "a'",
    "www.",
    "://",
    "세종은 이도이다. ",
    "자유\"라는 \"자유",
    "가장 큰 수는 1년 2월 3일 4시 5분 6초이다. ",
    "The cell is a unit of life in 1990. ",
    "이순신은 1545년에 태어났고, 그 뒤 1598년에 죽었다. ",
    "Robert Brown named 5 cells in March 5, 1831 and Paul Baran. ",
    "세종은 {n}년에 측우기, 자격루, 혼천의, 앙부일구, 간의를 장영실, 이순지와 함께 만들었다. ",
    "『가{n}』는 『나{n}』와 『다{n}』를 담은 『라{n}』의 『마{n}』을 『바{n}』에 넣은 책이다. ",
    "『가』는 『나』와 『다』를 담은 『라』의 『마』을 『바{n}』에 넣은 책이다. ",
    "1년 2년 3년 4년 5년 6년 7년 8년 9년 10년에 나온 수는 모두 {n}개이다. ",
    "Robert Brown{n} and Paul Baran{n} named the cell{n} in 18{n} and the wall{n} of the gene{n} in Asia{n}. ",
    "A aa{n} is the bb{n} of the cc{n} and the dd{n} in the ee{n} by the ff{n} with the gg{n} of the hh{n}. ",
    "The cell, the wall, the gene, the root and the leaf of the plant met {n} times in the city. ",
    "ATP{n} DNA{n} RNA{n} CPU{n} GPU{n} DMA{n} TLB{n} are the names of the parts. ",
    "가{n}다 나{n}다 다{n}다 라{n}다. ",
    "{n}\n",
    "{n}가-\n",
    "a{n}-\n",
    "[{n}](",
    "가{n}\n를\n",
    "Aa{n} ",
    "{n}. ",
    "٠",
    "１",
    "²",
    "İ",
    "ß",
    "ﬃ",
    "𝟘",
];

/// `{n}` makes each repeat another one.
fn bomb(pattern: &str) -> String {
    if !pattern.contains("{n}") {
        return pattern.chars().cycle().take(LONGEST).collect();
    }
    let repeats = (0..LONGEST).map(|n| pattern.replace("{n}", &n.to_string()));
    let mut text = String::new();
    let mut length = 0;
    for repeat in repeats {
        length += repeat.chars().count();
        if length > LONGEST {
            break;
        }
        text.push_str(&repeat);
    }
    text
}

#[test]
fn no_pattern_of_a_long_text_costs_its_square() {
    for (index, pattern) in PATTERNS.iter().enumerate() {
        let text = bomb(pattern);
        let kind = KINDS[index % KINDS.len()];
        let wish = request(&text, kind, Difficulty::Hard, 20);
        let begin = Instant::now();
        let made = compose(&wish, &CancellationToken::new());
        let took = begin.elapsed();
        assert!(took < GENEROUS, "{pattern:?} {kind:?} {took:?} {made:?}");
    }
}

#[tokio::test]
async fn a_caller_that_stops_waiting_gets_its_thread_back() {
    let text = bomb("가{n}나다라는 {n}년에 마바사를 아자차에서 만들었다. ");
    let wish = request(&text, QuestionKind::MultipleChoice, Difficulty::Hard, 20);
    let cancel = CancellationToken::new();
    let thread = std::thread::spawn({
        let cancel = cancel.clone();
        move || compose(&wish, &cancel)
    });
    cancel.cancel();
    let error = thread.join().unwrap().unwrap_err();
    assert_eq!(error.code(), "CANCELLED");

    // And one that drops the future does not even have to say so.
    let cancel = CancellationToken::new();
    let wish = request(&text, QuestionKind::MultipleChoice, Difficulty::Hard, 20);
    let asked = OfflineGenerator.generate(&wish, &cancel);
    assert!(
        tokio::time::timeout(Duration::from_millis(1), asked)
            .await
            .is_err()
    );
    let idle = tokio::task::spawn_blocking(|| ()).await;
    assert!(idle.is_ok() && !cancel.is_cancelled());
}

#[test]
fn a_straight_quote_before_a_particle_panics_nowhere() {
    let rest = "헌법은 국가의 최고 법규범이며 국민의 기본권을 보장한다.\n국회는 국민의 대표로 구성되는 입법 기관이다.\n\
        대법원은 최고 법원으로서 법률의 해석을 통일하는 기관이다.\n정부는 법률을 집행하는 기관이며 대통령이 그 수반이다.\n";
    for quotes in [
        ["\"", "\""],
        ["'", "'"],
        ["“", "”"],
        ["‘", "’"],
        ["『", "』"],
        ["", "(自由)"],
    ] {
        for particle in [
            "라는",
            "이라는",
            "라고",
            "이라고",
            "란",
            "이란",
            "는",
            "라",
            "라면",
            "",
        ] {
            let [open, close] = quotes;
            let odd = format!(
                "헌법에서 말하는 {open}자유{close}{particle} 단어는 국가의 간섭을 받지 않을 권리를 의미한다.\n"
            );
            let document = Document::read(&odd, &CancellationToken::new()).unwrap();
            assert_eq!(document.unreadable, 0, "{odd}");
            for kind in KINDS {
                let wish = request(&format!("{odd}{rest}"), kind, Difficulty::Easy, 1);
                let made = compose(&wish, &CancellationToken::new());
                assert!(made.is_ok(), "{odd} {kind:?} {made:?}");
            }
        }
    }
}

#[test]
fn a_candidate_that_panics_costs_only_itself() {
    let document = Document::read(SEJONG, &CancellationToken::new()).unwrap();
    let kind = QuestionKind::ShortAnswer;
    let candidates = candidate::all(&document, kind, Difficulty::Easy, &mut Dice::new(7));
    let first = candidates[0];
    let mut selection = Selection::new(&document, 3);
    selection
        .fill(&candidates, &CancellationToken::new(), |candidate| {
            let odd = (candidate.sentence, candidate.mention) == (first.sentence, first.mention);
            assert!(!odd, "this candidate cannot be written");
            short_answer::write(&document, candidate)
        })
        .unwrap();
    assert_eq!(selection.finish().len(), 3);
}
