//! The console's members: ban and unban.

use futures::StreamExt;

use super::*;

testkit::on_each_database! {
    async fn a_banned_member_is_out_at_once_and_may_be_let_in_again(db: testkit::Database) {
        let world = World::on(db).await;
        let kim = world.member.clone();
        let stream = world.hub.subscribe(kim.id).unwrap();
        assert_eq!(world.post(&format!("members/{}/ban", kim.id)).await.status, 204);
        // The stream ends by itself; without the cut this would wait for ever.
        let _ = stream.collect::<Vec<_>>().await;
        let answer = world.ask(Some(&kim.token), "GET", "/admin/api/sse").await;
        assert_eq!(answer.code(), (403, "A_004"));
        assert_eq!(world.refresh(&kim).await.code(), (401, "A_003"));
        assert_eq!(world.get("members").await[1]["status"], "BANNED");

        assert_eq!(world.post(&format!("members/{}/unban", kim.id)).await.status, 204);
        assert_eq!(world.get("members").await[1]["status"], "ACTIVE");
        // The old session stays ended.
        assert_eq!(world.refresh(&kim).await.code(), (401, "A_003"));
        sign_in(&world.router, &world.auth, "kim@pullit.test").await;
    }

    async fn the_sessions_of_others_survive_a_ban(db: testkit::Database) {
        let world = World::on(db).await;
        world.post(&format!("members/{}/ban", world.member.id)).await;
        assert_eq!(world.refresh(&world.operator).await.status, 200);
    }

    async fn operators_do_not_lock_themselves_out(db: testkit::Database) {
        let world = World::on(db).await;
        let answer = world.post(&format!("members/{}/ban", world.operator.id)).await;
        assert_eq!(answer.code(), (400, "C_003"));
        assert_eq!(world.get("members").await[0]["status"], "ACTIVE");
    }

    async fn letting_in_changes_nobody_who_was_not_banned(db: testkit::Database) {
        let world = World::on(db).await;
        let kim = world.member.id;
        world.run("UPDATE member SET status = 'INACTIVE' WHERE id = $1", vec![kim.into()]).await;
        assert_eq!(world.post(&format!("members/{kim}/unban")).await.status, 204);
        assert_eq!(world.get("members").await[1]["status"], "INACTIVE");
    }

    async fn nobody_is_404(db: testkit::Database) {
        let world = World::on(db).await;
        for door in ["ban", "unban"] {
            assert_eq!(world.post(&format!("members/999/{door}")).await.code(), (404, "M_001"));
        }
    }

    async fn members_come_in_pages(db: testkit::Database) {
        let world = World::on(db).await;
        let first = world.get("members?limit=1").await;
        assert_eq!(first.as_array().unwrap().len(), 1);
        let rest = world.get(&format!("members?after={}", first[0]["id"])).await;
        assert_eq!(rest[0]["email"], "kim@pullit.test");
        assert_eq!(rest.as_array().unwrap().len(), 1);
    }
}
