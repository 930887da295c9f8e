//! Real documents, read by the real child process.

use serde_json::Value;

use crate::support::files::{EXAMPLES, MARKDOWN, PDF, TEXT, encrypted, line, pdf};
use crate::support::{Member, Server};

async fn text_of(server: &Server, source: i64) -> String {
    server
        .text(
            "SELECT content FROM source_text WHERE source_id = $1",
            vec![source.into()],
        )
        .await
}

async fn read(member: &Member, name: &str, content_type: &str, bytes: &[u8]) -> Value {
    let id = member.upload(name, content_type, bytes).await;
    member.read_source(id).await
}

testkit::on_each_database! {
    async fn every_example_is_read_with_its_pages(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        for example in EXAMPLES {
            let source = read(&member, example.name, example.content_type, example.bytes).await;
            assert_eq!(source["status"], "READY", "{source}");
            assert_eq!(source["pageCount"].as_i64(), example.pages, "{source}");
            let text = text_of(&server, source["id"].as_i64().unwrap()).await;
            assert!(text.contains(example.sentence), "{}: {text}", example.name);
        }
        server.stop().await;
    }

    async fn text_is_read_whatever_its_encoding(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let sentence = "세종대왕은 1446년에 훈민정음을 반포하였다.";
        let marked = [b"\xEF\xBB\xBF", sentence.as_bytes()].concat();
        let cp949 = b"\xBC\xBC\xC1\xBE\xB4\xEB\xBF\xD5\xC0\xBA 1446\xB3\xE2\xBF\xA1 \xC8\xC6\xB9\xCE\xC1\xA4\xC0\xBD\xC0\xBB \xB9\xDD\xC6\xF7\xC7\xCF\xBF\xB4\xB4\xD9.";
        for bytes in [sentence.as_bytes(), &marked, cp949] {
            let source = read(&member, "a.txt", TEXT, bytes).await;
            assert_eq!(source["status"], "READY", "{source}");
            assert_eq!(text_of(&server, source["id"].as_i64().unwrap()).await, sentence);
        }
    }

    async fn a_document_that_cannot_be_read_fails_with_its_reason_and_the_server_goes_on(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let whole = pdf(&[&line("The nucleus was named by Robert Brown.")], "");
        let locked = pdf(&[&line("secret")], &encrypted());
        for (what, content_type, bytes, code) in [
            ("broken", PDF, &whole[..60], "DOCUMENT_BROKEN"),
            ("encrypted", PDF, &locked, "DOCUMENT_ENCRYPTED"),
            ("without pages", PDF, &pdf(&[], ""), "DOCUMENT_EMPTY"),
            ("blank", PDF, &pdf(&[" "], ""), "DOCUMENT_EMPTY"),
            ("images only", PDF, &pdf(&["q 9 0 0 9 0 0 cm /Im Do Q"], ""), "DOCUMENT_IMAGE_ONLY"),
            ("garbage", PDF, b"this is no PDF at all", "DOCUMENT_TYPE_MISMATCH"),
            ("a PDF that is said to be text", TEXT, &whole, "DOCUMENT_TYPE_MISMATCH"),
            ("blank text", TEXT, b" \r\n\t\n", "DOCUMENT_EMPTY"),
            ("code only", MARKDOWN, b"```\ncode\n```\n", "DOCUMENT_EMPTY"),
            ("binary", TEXT, b"\x00\x01\x02\xff\xfe\xfd\x00\x80", "DOCUMENT_UNKNOWN_ENCODING"),
        ] {
            let source = read(&member, "a.pdf", content_type, bytes).await;
            assert_eq!(source["status"], "FAILED", "{what}: {source}");
            assert!(!source["failureReason"].as_str().unwrap_or_default().is_empty(), "{what}: {source}");
            let stored = server.text("SELECT failure_code FROM source WHERE id = $1", vec![source["id"].as_i64().into()]).await;
            assert_eq!(stored, code, "{what}");
            assert_eq!(source["pageCount"], Value::Null, "{what}");
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM source_text").await, 0);
        assert_eq!(read(&member, "a.pdf", PDF, &whole).await["status"], "READY");
    }

    async fn a_document_beyond_the_limits_fails_with_its_reason(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        let page = line("The nucleus was named by Robert Brown.");
        let pages = read(&member, "a.pdf", PDF, &pdf(&[page.as_str(); 2_000], "")).await;
        let text = read(&member, "a.txt", TEXT, &vec![b'a'; 50 * 1024 * 1024]).await;
        for (source, code) in [(pages, "DOCUMENT_TOO_MANY_PAGES"), (text, "DOCUMENT_TOO_LONG")] {
            assert_eq!(source["status"], "FAILED", "{source}");
            let stored = server.text("SELECT failure_code FROM source WHERE id = $1", vec![source["id"].as_i64().into()]).await;
            assert_eq!(stored, code);
        }
    }
}
