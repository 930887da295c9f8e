//! A storage that goes away and comes back.

use scheduler::RunStatus;

use super::{CLEANUP, World};
use crate::support::Member;
use crate::support::files::TEXT;
use crate::support::s3::S3Server;

const SOURCES: usize = 12;

/// Deleted sources, and where their objects are.
async fn deleted_sources(world: &World, member: &Member) -> Vec<std::path::PathBuf> {
    let mut objects = Vec::new();
    for _ in 0..SOURCES {
        let id = member.upload("a.txt", TEXT, b"hello").await;
        member
            .client
            .delete(&format!("/api/learning/source/{id}"))
            .await
            .expect(204);
        let path = world
            .server
            .text(
                "SELECT file_path FROM source WHERE id = $1",
                vec![id.into()],
            )
            .await;
        objects.push(world.object(&path));
    }
    objects
}

testkit::on_each_database! {
    async fn a_cleanup_whose_storage_dies_half_way_is_finished_when_it_is_back(db: testkit::Database) {
        let batches = |config: &mut pullit::platform::config::Config| config.source.cleanup_batch = 4;
        let mut world = World::start(Some(S3Server::start()), db, batches).await;
        let member = world.server.member("a@pullit.test").await;
        let kept = member.upload("a.txt", TEXT, b"hello").await;
        let objects = deleted_sources(&world, &member).await;
        let left = |objects: &[std::path::PathBuf]| objects.iter().filter(|object| object.exists()).count();

        // In the second request, which it never answers.
        world.s3().restart_dying_after(6);
        let run = world.server.run(CLEANUP).await;
        assert!(world.s3().is_dead());
        assert_eq!(run.status, RunStatus::Failed, "{run:?}");
        assert!(run.error.unwrap().contains("storage"));
        // Rows go after their objects: two objects are gone whose rows are not, and never the other way round.
        assert_eq!(left(&objects), SOURCES - 6);
        assert_eq!(world.sources_left().await, 1 + SOURCES as i64 - 4);
        assert_eq!(world.server.client.get("/readyz").await.expect(503)["storage"], "down");

        world.s3().restart();
        assert_eq!(world.server.client.get("/readyz").await.expect(200)["storage"], "up");
        assert_eq!(world.server.ran(CLEANUP).await, SOURCES as u64 - 4);
        assert_eq!(left(&objects), 0);
        assert_eq!(world.sources_left().await, 1);
        world.read_sources().await;
        assert_eq!(world.status(kept).await, "READY");
    }
}

#[tokio::test]
async fn a_source_whose_storage_is_away_is_read_when_it_is_back() {
    let mut world = World::on_s3().await;
    let member = world.server.member("a@pullit.test").await;
    let ticket = member.ticket("a.txt", TEXT, 5).await;
    member.put(&ticket, b"hello").await.expect(200);
    world.s3().kill();
    // Neither lost nor completed: said again, it is.
    assert_eq!(member.complete(&ticket).await.status.as_u16(), 503);
    world.s3().restart();
    let id = member.complete(&ticket).await.expect(200)["id"]
        .as_i64()
        .unwrap();
    assert_eq!(world.read_sources().await, 1);
    assert_eq!(world.status(id).await, "READY");
}
