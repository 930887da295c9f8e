//! What is S3's alone.

use chrono::TimeDelta;
use testkit::Database;

use super::{CLEANUP, World, key, text};
use crate::support::files::TEXT;
use crate::support::s3::{S3Server, SECRET_KEY};
use crate::support::{Problem, Setup};

#[tokio::test]
async fn an_upload_url_leads_to_the_bucket_and_binds_what_was_announced() {
    let mut world = World::on_s3().await;
    let member = world.server.member("a@pullit.test").await;
    let ticket = member.ticket("한국사.txt", TEXT, 5).await;
    let url = text(&ticket, "uploadUrl");
    assert!(url.starts_with(&world.s3().endpoint()), "{url}");
    for part in [
        text(&ticket, "filePath"),
        "X-Amz-Expires=900",
        "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost",
    ] {
        assert!(url.contains(part), "{url}");
    }
    assert!(!url.contains(SECRET_KEY));
    let api = world.server.client.get("/openapi.json").await.expect(200);
    assert!(api["paths"]["/api/learning/source/upload"].is_object());
    assert!(api["paths"]["/storage/uploads/{uploadId}"].is_null());
}

/// The bucket cannot know that the upload is complete; the etag protects what was verified.
#[tokio::test]
async fn what_is_put_after_completion_is_never_read_in_place_of_what_was_verified() {
    let world = World::on_s3().await;
    let member = world.server.member("a@pullit.test").await;
    let ticket = member.ticket("a.txt", TEXT, 5).await;
    member.put(&ticket, b"first").await.expect(200);
    let id = member.complete(&ticket).await.expect(200)["id"]
        .as_i64()
        .unwrap();
    member.put(&ticket, b"other").await.expect(200);
    assert_eq!(world.read_sources().await, 1);
    assert_eq!(world.status(id).await, "FAILED");
    assert_eq!(world.failure(id).await, "OBJECT_CHANGED");
}

#[tokio::test]
async fn what_is_put_after_the_cleanup_goes_with_the_pruning() {
    let world = World::on_s3().await;
    let member = world.server.member("a@pullit.test").await;
    let ticket = member.ticket("a.txt", TEXT, 5).await;
    member.put(&ticket, b"hello").await.expect(200);
    let id = member.complete(&ticket).await.expect(200)["id"]
        .as_i64()
        .unwrap();
    member
        .client
        .delete(&format!("/api/learning/source/{id}"))
        .await
        .expect(204);
    assert_eq!(world.server.ran(CLEANUP).await, 1);
    member.complete(&ticket).await.problem(404, "S_004");

    member.put(&ticket, b"again").await.expect(200);
    let object = world.object(text(&ticket, "filePath"));
    assert!(object.exists());
    world.server.clock.advance(TimeDelta::hours(25));
    assert_eq!(world.server.run("pruneHistory").await.error, None);
    assert!(!object.exists());
    assert_eq!(world.server.number("SELECT COUNT(*) FROM upload").await, 0);
}

#[tokio::test]
async fn an_upload_whose_url_has_expired_leaves_nothing_to_prune() {
    let world = World::on_s3().await;
    let member = world.server.member("a@pullit.test").await;
    let id = member.upload("a.txt", TEXT, b"hello").await;
    member
        .client
        .delete(&format!("/api/learning/source/{id}"))
        .await
        .expect(204);
    world.server.clock.advance(TimeDelta::hours(2));
    assert_eq!(world.server.ran(CLEANUP).await, 1);
    assert_eq!(world.server.number("SELECT COUNT(*) FROM upload").await, 0);
}

#[tokio::test]
async fn a_document_on_s3_becomes_questions() {
    let s3 = S3Server::start();
    let setup = Setup::new().config(|config| s3.configure(config));
    let server = setup.start(Database::sqlite()).await;
    let member = server.member("a@pullit.test").await;
    let example = crate::support::files::EXAMPLES
        .iter()
        .find(|example| example.pages.is_none())
        .unwrap();
    let id = member
        .upload(example.name, example.content_type, example.bytes)
        .await;
    let source = member.read_source(id).await;
    assert_eq!(source["status"], "READY", "{source}");
    let set = member.complete_set(&[id], "TRUE_FALSE", 3).await;
    assert_eq!(set["questions"].as_array().unwrap().len(), 3);
    let downloads = server.folder().join("downloads");
    assert_eq!(
        std::fs::read_dir(downloads).unwrap().count(),
        0,
        "what was downloaded is gone"
    );
    server.stop().await;
}

#[tokio::test]
async fn more_objects_than_one_request_takes_are_deleted_whether_the_server_can_in_bulk_or_not() {
    for bulk in [true, false] {
        let change =
            |config: &mut pullit::platform::config::Config| config.storage.bulk_delete = bulk;
        let world = World::start(Some(S3Server::start()), Database::sqlite(), change).await;
        let keys = (0..1_001)
            .map(|n| key(&format!("learning-sources/{n}.txt")))
            .collect::<Vec<_>>();
        std::fs::create_dir_all(world.object("learning-sources")).unwrap();
        for key in &keys {
            std::fs::write(world.object(key.as_str()), "x").unwrap();
        }
        let answers = world.server.app.storage.delete_many(&keys).await;
        assert_eq!(
            (
                answers.len(),
                answers.iter().filter(|answer| answer.is_ok()).count()
            ),
            (1_001, 1_001)
        );
        assert_eq!(
            std::fs::read_dir(world.object("learning-sources"))
                .unwrap()
                .count(),
            0
        );
    }
}

#[tokio::test]
async fn wrong_keys_are_told_by_the_server_and_no_secret_with_them() {
    let s3 = S3Server::start();
    let world = World::start(Some(s3), Database::sqlite(), |config| {
        config.storage.secret_key = "not the secret at all".to_owned();
    })
    .await;
    let error = world
        .server
        .app
        .storage
        .check()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("SignatureDoesNotMatch"), "{error}");
    assert!(!error.contains("not the secret"), "{error}");
    assert_eq!(
        world.server.client.get("/readyz").await.expect(503)["storage"],
        "down"
    );
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_not_ready() {
    let world = World::start(Some(S3Server::start()), Database::sqlite(), |config| {
        config.storage.url = "s3://another-bucket".to_owned();
    })
    .await;
    let error = world
        .server
        .app
        .storage
        .check()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("NoSuchBucket"), "{error}");
}
