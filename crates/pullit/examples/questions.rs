//! Prints the questions that the offline generator makes of a document, for a person to judge.
//!
//! ```sh
//! cargo run -p pullit --example questions -- examples/sejong.ko.pdf MULTIPLE_CHOICE EASY 20
//! ```

use std::error::Error;
use std::io::Write;
use std::path::Path;

use document_text::{DocumentKind, Limits, extract_bytes};
use question_maker::{
    Answer, GeneratedQuestion, GenerationRequest, OfflineGenerator, QuestionGenerator,
};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, kind, difficulty, count] = arguments.as_slice() else {
        return Err("usage: questions FILE TYPE DIFFICULTY COUNT".into());
    };
    let document = match Path::new(file).extension().and_then(|name| name.to_str()) {
        Some("pdf") => DocumentKind::Pdf,
        Some("md") => DocumentKind::Markdown,
        _ => DocumentKind::PlainText,
    };
    let bytes = std::fs::read(file)?;
    let text = extract_bytes(document, &bytes, &Limits::default())
        .map_err(|failure| failure.message)?
        .text;
    let request = GenerationRequest {
        text,
        files: Vec::new(),
        kind: kind.parse()?,
        difficulty: difficulty.parse()?,
        count: count.parse()?,
        seed: 1,
    };
    let questions = OfflineGenerator
        .generate(&request, &CancellationToken::new())
        .await?;
    let mut out = std::io::stdout().lock();
    for (number, question) in questions.iter().enumerate() {
        print(&mut out, number + 1, question)?;
    }
    Ok(())
}

fn print(out: &mut impl Write, number: usize, question: &GeneratedQuestion) -> std::io::Result<()> {
    writeln!(out, "{number}. {}", question.text.replace("\n\n", "\n   "))?;
    if let Some(options) = &question.options {
        writeln!(out, "   {}", options.join("  /  "))?;
    }
    match &question.answer {
        Answer::Text(answer) => writeln!(out, "   → {answer}")?,
        Answer::Boolean(answer) => writeln!(out, "   → {answer}")?,
    }
    writeln!(out, "   {}\n", question.explanation)
}
