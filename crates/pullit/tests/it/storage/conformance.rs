//! What members and jobs may expect of every storage. Each sentence is tested on a folder and on S3.

use chrono::TimeDelta;
use pullit::platform::storage::StorageError;
use testkit::http::Method;

use super::{CLEANUP, World, key, text};
use crate::support::Problem;
use crate::support::files::{PDF, TEXT};

/// Runs each test on a folder and on S3.
macro_rules! on_each_storage {
    ($(async fn $name:ident($world:ident: World) $body:block)*) => {$(
        async fn $name($world: World) $body

        mod $name {
            #[tokio::test]
            async fn folder() {
                super::$name(super::World::on_folder().await).await;
            }

            #[tokio::test]
            async fn s3() {
                super::$name(super::World::on_s3().await).await;
            }
        }
    )*};
}

/// Every way to change one part of a URL that was signed.
fn changed(url: &str) -> Vec<String> {
    let (path, query) = url.split_once('?').unwrap();
    let mut changed = vec![path.to_owned(), format!("{path}0?{query}")];
    let pairs = query.split('&').collect::<Vec<_>>();
    for at in 0..pairs.len() {
        let with = |pair: String| {
            let mut pairs = pairs
                .iter()
                .map(|pair| (*pair).to_owned())
                .collect::<Vec<_>>();
            pairs[at] = pair;
            format!("{path}?{}", pairs.join("&"))
        };
        changed.push(with(format!("{}0", pairs[at])));
        changed.push(with("x=y".to_owned()));
    }
    changed
}

on_each_storage! {
    async fn what_was_put_is_completed_and_read(world: World) {
        let member = world.server.member("a@pullit.test").await;
        let id = member.upload("노트.txt", TEXT, "세종대왕은 훈민정음을 반포하였다.".as_bytes()).await;
        assert_eq!(world.read_sources().await, 1);
        assert_eq!(world.status(id).await, "READY");
        let content = world.server.text("SELECT content FROM source_text WHERE source_id = $1", vec![id.into()]).await;
        assert_eq!(content, "세종대왕은 훈민정음을 반포하였다.");
    }

    async fn bytes_of_another_size_or_type_than_announced_are_not_taken(world: World) {
        let member = world.server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        let url = text(&ticket, "uploadUrl");
        for bytes in ["", "hell", "hello!"] {
            assert!(member.client.put(url, TEXT, bytes).await.status.is_client_error(), "{bytes}");
        }
        for kind in [PDF, "text/html"] {
            assert!(member.client.put(url, kind, "hello").await.status.is_client_error(), "{kind}");
        }
        let untyped = member.client.request(Method::PUT, url).header("content-length", "5").send().await;
        assert!(untyped.status.is_client_error());
        member.complete(&ticket).await.problem(409, "S_005");
        assert!(!world.object(text(&ticket, "filePath")).exists());
        member.client.put(url, TEXT, "hello").await.expect(200);
        member.complete(&ticket).await.expect(200);
    }

    async fn an_url_takes_nothing_when_it_has_expired_or_was_changed(world: World) {
        let member = world.server.member("a@pullit.test").await;
        world.server.clock.advance(-TimeDelta::minutes(16));
        let expired = member.ticket("a.txt", TEXT, 5).await;
        world.server.clock.advance(TimeDelta::minutes(2));
        let living = member.ticket("a.txt", TEXT, 5).await;
        world.server.clock.advance(TimeDelta::minutes(14));
        let answer = member.put(&expired, b"hello").await;
        assert_eq!(answer.status.as_u16(), 403, "{}", answer.text);
        for url in changed(text(&living, "uploadUrl")) {
            let answer = member.client.put(&url, TEXT, "hello").await;
            assert!(!answer.status.is_success(), "{url}: {}", answer.text);
        }
        for ticket in [&expired, &living] {
            member.complete(ticket).await.problem(409, "S_005");
        }
        member.put(&living, b"hello").await.expect(200);
    }

    async fn an_object_that_is_not_what_was_announced_is_not_completed(world: World) {
        let member = world.server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        member.put(&ticket, b"hello").await.expect(200);
        // Whatever let it in: the look at completion sees it.
        std::fs::write(world.object(text(&ticket, "filePath")), "hello, world").unwrap();
        let problem = member.complete(&ticket).await.problem(409, "S_006");
        assert_eq!(problem["errors"][0]["field"], "fileSizeBytes");
        assert_eq!(world.sources_left().await, 0);
    }

    async fn an_object_that_went_missing_fails_its_source_for_good(world: World) {
        let member = world.server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        member.complete(&ticket).await.problem(409, "S_005");
        member.put(&ticket, b"hello").await.expect(200);
        let id = member.complete(&ticket).await.expect(200)["id"].as_i64().unwrap();
        world.server.app.storage.delete(&key(text(&ticket, "filePath"))).await.unwrap();
        assert_eq!(world.read_sources().await, 1);
        assert_eq!(world.failure(id).await, "OBJECT_MISSING");
    }

    async fn only_the_version_that_was_verified_can_be_read(world: World) {
        let member = world.server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        member.put(&ticket, b"first").await.expect(200);
        let storage = &world.server.app.storage;
        let key = key(text(&ticket, "filePath"));
        let first = storage.head(&key).await.unwrap().unwrap();
        assert_eq!((first.size, first.content_type.as_str()), (5, TEXT));
        member.put(&ticket, b"secnd").await.expect(200);
        let second = storage.head(&key).await.unwrap().unwrap();
        assert!(matches!(storage.open(&key, Some(&first.etag)).await, Err(StorageError::Changed)));
        let object = storage.open(&key, Some(&second.etag)).await.unwrap();
        assert_eq!(std::fs::read(object.path()).unwrap(), b"secnd");
        assert!(storage.open(&key, None).await.is_ok());
        storage.delete(&key).await.unwrap();
        assert!(matches!(storage.open(&key, Some(&second.etag)).await, Err(StorageError::Missing)));
        assert_eq!(storage.head(&key).await.unwrap(), None);
    }

    async fn many_are_deleted_each_for_itself_and_what_is_not_there_is_deleted_already(world: World) {
        let member = world.server.member("a@pullit.test").await;
        let mut keys = Vec::new();
        for _ in 0..3 {
            let ticket = member.ticket("a.txt", TEXT, 5).await;
            member.put(&ticket, b"hello").await.expect(200);
            keys.push(key(text(&ticket, "filePath")));
        }
        // A folder in the object's place: nobody can delete it as a file.
        let stuck = world.object(keys[1].as_str());
        std::fs::remove_file(&stuck).unwrap();
        std::fs::create_dir(&stuck).unwrap();
        keys.insert(1, key("learning-sources/nobody/put/this"));
        let storage = &world.server.app.storage;
        let answers = storage.delete_many(&keys).await;
        let done = answers.iter().map(Result::is_ok).collect::<Vec<_>>();
        assert_eq!(done, [true, true, false, true]);
        assert!(matches!(answers[2], Err(StorageError::Unavailable { .. })));
        for left in [&keys[0], &keys[3]] {
            assert_eq!(storage.head(left).await.unwrap(), None);
        }
        storage.delete(&keys[0]).await.unwrap();
        assert!(storage.delete(&keys[2]).await.is_err());
        std::fs::remove_dir(&stuck).unwrap();
        storage.delete(&keys[2]).await.unwrap();
    }

    async fn the_cleanup_takes_deleted_sources_alone_and_leaves_what_it_cannot_delete_to_the_next_run(world: World) {
        let member = world.server.member("a@pullit.test").await;
        let kept = member.upload("a.txt", TEXT, b"hello").await;
        let mut objects = Vec::new();
        for _ in 0..3 {
            let id = member.upload("a.txt", TEXT, b"hello").await;
            member.client.delete(&format!("/api/learning/source/{id}")).await.expect(204);
            let path = world.server.text("SELECT file_path FROM source WHERE id = $1", vec![id.into()]).await;
            objects.push(world.object(&path));
        }
        std::fs::remove_file(&objects[1]).unwrap();
        std::fs::create_dir(&objects[1]).unwrap();
        assert_eq!(world.server.ran(CLEANUP).await, 2);
        assert_eq!(objects.iter().map(|object| object.exists()).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(world.sources_left().await, 2);
        std::fs::remove_dir(&objects[1]).unwrap();
        assert_eq!(world.server.ran(CLEANUP).await, 1);
        assert_eq!(world.status(kept).await, "UPLOADED");
        world.read_sources().await;
        assert_eq!(world.status(kept).await, "READY");
    }

    async fn uploads_that_nobody_completed_go_after_a_day_with_what_was_put(world: World) {
        let member = world.server.member("a@pullit.test").await;
        let ticket = member.ticket("a.txt", TEXT, 5).await;
        member.put(&ticket, b"hello").await.expect(200);
        world.server.clock.advance(TimeDelta::hours(25));
        assert_eq!(world.server.run("pruneHistory").await.error, None);
        assert_eq!(world.server.number("SELECT COUNT(*) FROM upload").await, 0);
        assert!(!world.object(text(&ticket, "filePath")).exists());
    }

    async fn a_storage_that_answers_is_ready(world: World) {
        world.server.app.storage.check().await.unwrap();
        assert_eq!(world.server.client.get("/readyz").await.expect(200)["storage"], "up");
    }
}
