//! The parent's side, tested with shell scripts as children.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Command as Program;
use std::time::Duration;

use super::*;
use crate::code;

const ANSWER: &str = r#"echo '{"text":{"text":"가","pageCount":3}}'"#;

/// A child that does what `script` says, in the shell's language.
async fn child_that_does(script: &str, limits: Limits) -> Result<Extracted, ExtractionError> {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("document");
    std::fs::write(&document, script).unwrap();
    extractor(limits)
        .extract(&document, DocumentKind::Pdf, &CancellationToken::new())
        .await
}

fn extractor(limits: Limits) -> Extractor {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/child.sh");
    assert!(std::fs::metadata(program).unwrap().permissions().mode() & 0o100 != 0);
    Extractor::new(program, limits)
}

fn code(result: Result<Extracted, ExtractionError>) -> &'static str {
    match result {
        Err(ExtractionError::Rejected(failure)) => failure.code,
        Err(ExtractionError::Unavailable(_)) => "unavailable",
        Err(ExtractionError::Cancelled) => "cancelled",
        Ok(_) => "text",
    }
}

#[tokio::test]
async fn the_childs_answer_is_the_parents() {
    let text = child_that_does(ANSWER, Limits::default()).await.unwrap();
    assert_eq!(
        text,
        Extracted {
            text: "가".to_owned(),
            page_count: Some(3)
        }
    );
    let rejected = r#"echo '{"rejected":{"code":"DOCUMENT_ENCRYPTED","message":"암호"}}'"#;
    let rejected = child_that_does(rejected, Limits::default()).await;
    assert_eq!(code(rejected), code::DOCUMENT_ENCRYPTED);
}

#[tokio::test]
async fn the_way_in_which_a_child_dies_says_what_the_document_did() {
    for (script, expected) in [
        ("kill -ABRT $$", code::DOCUMENT_TOO_COMPLEX),
        ("kill -SEGV $$", code::DOCUMENT_TOO_COMPLEX),
        ("exit 101", code::DOCUMENT_TOO_COMPLEX),
        ("kill -XCPU $$", code::DOCUMENT_TIMEOUT),
        ("kill -KILL $$", "unavailable"),
        ("exit 1", "unavailable"),
        ("exit 0", "unavailable"),
        ("echo '{}'", "unavailable"),
        (
            r#"echo '{"rejected":{"code":"DOCUMENT_ODD","message":""}}'"#,
            "unavailable",
        ),
    ] {
        assert_eq!(
            code(child_that_does(script, Limits::default()).await),
            expected,
            "{script}"
        );
    }
}

#[tokio::test]
async fn a_child_that_never_ends_is_killed_when_its_time_is_over() {
    let limits = Limits {
        wall: Duration::from_millis(50),
        ..Limits::default()
    };
    assert_eq!(
        code(child_that_does("exec sleep 600", limits).await),
        code::DOCUMENT_TIMEOUT
    );
}

#[tokio::test]
async fn a_child_that_never_stops_writing_is_killed_at_the_bound() {
    let limits = Limits {
        max_chars: 10,
        ..Limits::default()
    };
    assert_eq!(
        code(child_that_does("exec yes", limits).await),
        code::DOCUMENT_TOO_LONG
    );
}

#[tokio::test]
async fn a_child_sees_nothing_of_the_environment() {
    let script = format!("test -z \"$HOME$CARGO_MANIFEST_DIR\" && {ANSWER}");
    assert_eq!(
        code(child_that_does(&script, Limits::default()).await),
        "text"
    );
}

#[tokio::test]
async fn a_cancelled_extraction_leaves_no_child_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (document, pipe) = (folder.path().join("document"), folder.path().join("pipe"));
    assert!(
        Program::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let script = format!(
        "exec 3> {}\necho started >&3\nexec sleep 600 >&3",
        pipe.display()
    );
    std::fs::write(&document, script).unwrap();

    let cancel = CancellationToken::new();
    let listener = std::thread::spawn({
        let cancel = cancel.clone();
        move || {
            let mut pipe = std::fs::File::open(pipe).unwrap();
            let mut started = [0; 8];
            pipe.read_exact(&mut started).unwrap();
            cancel.cancel();
            // The pipe ends when the last process that holds it has ended.
            pipe.read(&mut started).unwrap()
        }
    });
    let result = extractor(Limits::default())
        .extract(&document, DocumentKind::Pdf, &cancel)
        .await;
    assert_eq!(code(result), "cancelled");
    assert_eq!(listener.join().unwrap(), 0);

    let again = extractor(Limits::default())
        .extract(&document, DocumentKind::Pdf, &cancel)
        .await;
    assert_eq!(
        code(again),
        "cancelled",
        "a token that is cancelled already starts no child"
    );
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_no_fault_of_the_document() {
    let extractor = Extractor::new("/nonexistent/reader", Limits::default());
    let document = Path::new("document");
    let result = extractor
        .extract(document, DocumentKind::Pdf, &CancellationToken::new())
        .await;
    assert_eq!(code(result), "unavailable");
}
