//! Bytes that are put to an upload URL.

use bytes::Bytes;
use futures::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn chunks(chunks: &[&'static str]) -> Body {
    let chunks = chunks
        .iter()
        .map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk.as_bytes())))
        .collect::<Vec<_>>();
    Body::from_stream(stream::iter(chunks))
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (
        answer.0.as_u16(),
        answer.1["code"].as_str().unwrap_or_default(),
    )
}

testkit::on_each_database! {
    async fn a_url_that_was_changed_or_has_expired_takes_nothing(db: testkit::Database) {
        let world = World::on(db).await;
        let mut asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        let other = world.ask(ALICE, "b.txt", "text/plain", 5).await;
        let good = asked.answer["uploadUrl"].clone();
        let url = good.as_str().unwrap();
        let forged = [
            url.replace(asked.text("uploadId"), other.text("uploadId")),
            url.replace("expires=1", "expires=2"),
            url.replace("signature=", "signature=00"),
            url.split('?').next().unwrap().to_owned(),
            url.split('&').next().unwrap().to_owned(),
        ];
        for url in forged {
            asked.answer["uploadUrl"] = json!(url);
            assert_eq!(code(&world.put(&asked, "hello").await), (403, "S_009"), "{url}");
        }
        asked.answer["uploadUrl"] = good;
        world.pass(TimeDelta::minutes(15) + TimeDelta::seconds(1));
        assert_eq!(code(&world.put(&asked, "hello").await), (403, "S_008"));
        world.pass(-TimeDelta::seconds(1));
        assert_eq!(world.put(&asked, "hello").await.0, 200);
    }

    async fn bytes_of_another_size_or_type_than_announced_are_not_kept(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        for body in [chunks(&["hel", "lo!"]), chunks(&["hell"]), chunks(&[]), Body::from("hello!"), Body::from("hell")] {
            assert_eq!(code(&world.put(&asked, body).await), (409, "S_006"));
        }
        for kind in [Some("application/pdf"), None] {
            let mut request = Request::put(asked.url());
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            let answer = world.send(request.body("hello".into()).unwrap()).await;
            assert_eq!(code(&answer), (409, "S_006"));
        }
        let lying = Request::put(asked.url())
            .header("content-type", "text/plain")
            .header("content-length", "6")
            .body("hello".into())
            .unwrap();
        assert_eq!(code(&world.send(lying).await), (409, "S_006"));
        assert_eq!(world.complete(&asked).await.1["code"], "S_005");
        assert_eq!(std::fs::read_dir(world.object(".tmp")).unwrap().count(), 0);
    }

    async fn a_later_put_replaces_an_earlier_one_until_the_upload_is_complete(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        assert_eq!(world.put(&asked, "first").await.0, 200);
        assert_eq!(world.put(&asked, chunks(&["sec", "nd"])).await.0, 200);
        assert_eq!(world.complete(&asked).await.0, 200);
        assert_eq!(code(&world.put(&asked, "third").await), (409, "S_007"));
        let kept = std::fs::read_to_string(world.object(asked.text("filePath"))).unwrap();
        assert_eq!(kept, "secnd");
    }

    async fn an_upload_completed_while_more_bytes_arrive_keeps_what_was_completed(db: testkit::Database) {
        let world = World::on(db).await;
        let asked = world.ask(ALICE, "a.txt", "text/plain", 5).await;
        world.put(&asked, "first").await;
        let (sender, receiver) = futures::channel::mpsc::unbounded::<Result<Bytes, std::io::Error>>();
        sender.unbounded_send(Ok(Bytes::from_static(b"oth"))).unwrap();
        let later = world.put(&asked, Body::from_stream(receiver));
        let completion = async {
            testkit::wait::until("the bytes arrive", std::time::Duration::from_secs(10), async || {
                let mut files = std::fs::read_dir(world.object(".tmp")).unwrap();
                files.any(|file| file.unwrap().metadata().is_ok_and(|meta| meta.len() == 3))
            })
            .await;
            assert_eq!(world.complete(&asked).await.0, 200);
            sender.unbounded_send(Ok(Bytes::from_static(b"er"))).unwrap();
            drop(sender);
        };
        let (later, ()) = futures::join!(later, completion);
        assert_eq!(code(&later), (409, "S_007"));
        let kept = std::fs::read_to_string(world.object(asked.text("filePath"))).unwrap();
        assert_eq!(kept, "first");
    }
}

/// Over a real connection, by a sender who listens only after the last byte: refused half-way, it must still hear why.
#[tokio::test]
async fn a_sender_of_too_much_is_answered_and_not_cut_off() {
    const MIB: usize = 1024 * 1024;
    let world = World::on(testkit::Database::sqlite()).await;
    let asked = world.ask(ALICE, "a.txt", "text/plain", MIB).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = world.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let forged = asked.url().replace("signature=", "signature=0");
    for (url, size, status, code) in [
        (asked.url(), 20 * MIB, "409", "S_006"),
        (&forged, 20 * MIB, "403", "S_009"),
        (asked.url(), MIB, "200", "etag: \""),
    ] {
        let head = format!(
            "PUT {url} HTTP/1.1\r\nhost: pullit.test\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: {size}\r\n\r\n"
        );
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&vec![b'x'; size]).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains(code), "{answer}");
    }
    server.abort();
}
