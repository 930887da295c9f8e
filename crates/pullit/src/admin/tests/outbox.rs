//! The console's outbox: dead events, replay, discard, audit.

use ::outbox::NewEvent;
use futures::FutureExt;

use super::*;

impl World {
    /// Three events published one minute apart, the first two given up. Their ids.
    async fn two_dead_and_one_pending(&self) -> Vec<i64> {
        for key in ["a", "b", "c"] {
            let mut tx = self.db.begin().await.unwrap();
            let event = NewEvent::new("SOMETHING", key, json!({}));
            let publishing = ::outbox::publish(&mut tx, event, self.clock.now());
            let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let trace: ::outbox::TraceParent = trace.parse().unwrap();
            ::outbox::trace::scope(trace, publishing).await.unwrap();
            tx.commit().await.unwrap();
            self.clock.advance(TimeDelta::minutes(1));
        }
        self.run("UPDATE outbox_event SET status = 'DEAD', attempts = 10, last_error = 'refused' WHERE aggregate_key < 'c'", vec![]).await;
        let events = self.get("outbox").await;
        let ids = events.as_array().unwrap().iter();
        ids.map(|event| event["id"].as_i64().unwrap()).collect()
    }

    async fn name_of_the_operator(&self) -> String {
        let members = self.get("members").await;
        members[0]["name"].as_str().unwrap().to_owned()
    }

    fn relay_was_woken(&self) -> bool {
        self.signal.notified().now_or_never().is_some()
    }
}

testkit::on_each_database! {
    async fn what_waits_and_what_is_dead_is_counted_and_listed(db: testkit::Database) {
        let world = World::on(db).await;
        let ids = world.two_dead_and_one_pending().await;
        let summary = world.get("outbox/summary").await;
        assert_eq!(summary, json!({"pending": 1, "dead": 2, "oldestAgeSeconds": 60}));
        let dead = world.get("outbox?dead=true").await;
        assert_eq!(dead.as_array().unwrap().len(), 2);
        assert_eq!(dead[0]["status"], "DEAD");
        assert_eq!(dead[0]["lastError"], "refused");
        assert_eq!(dead[0]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(dead[0].get("payload").is_none());
        let page = world.get(&format!("outbox?after={}&limit=1", ids[0])).await;
        assert_eq!(page.as_array().unwrap().len(), 1);
        assert_eq!(page[0]["id"], ids[1]);
    }

    async fn a_replayed_event_is_pending_again_and_wakes_the_relay(db: testkit::Database) {
        let world = World::on(db).await;
        let ids = world.two_dead_and_one_pending().await;
        let replay = format!("outbox/{}/replay", ids[0]);
        assert_eq!(world.post(&replay).await.status, 204);
        assert!(world.relay_was_woken());
        let events = world.get("outbox").await;
        assert_eq!((&events[0]["status"], &events[0]["attempts"]), (&json!("PENDING"), &json!(0)));
        assert_eq!(events[1]["status"], "DEAD");
        assert_eq!(world.post(&replay).await.code(), (404, "O_001"));
        assert!(!world.relay_was_woken());
    }

    async fn all_dead_events_are_replayed_at_once(db: testkit::Database) {
        let world = World::on(db).await;
        world.two_dead_and_one_pending().await;
        assert_eq!(world.post("outbox/replay-all").await.body, json!({"replayed": 2}));
        assert!(world.relay_was_woken());
        assert_eq!(world.get("outbox?dead=true").await, json!([]));
    }

    async fn each_act_is_on_record_with_the_operator_who_did_it(db: testkit::Database) {
        let world = World::on(db).await;
        let ids = world.two_dead_and_one_pending().await;
        assert_eq!(world.get("outbox/audit").await, json!([]));
        assert_eq!(world.post(&format!("outbox/{}/discard", ids[0])).await.status, 204);
        assert_eq!(world.post(&format!("outbox/{}/discard", ids[0])).await.status, 404);
        assert_eq!(world.post("outbox/replay-all").await.status, 200);
        let entries = world.get("outbox/audit").await;
        assert_eq!(entries.as_array().unwrap().len(), 2);
        let acts: Vec<_> = (0..2).map(|n| (&entries[n]["action"], &entries[n]["event"])).collect();
        assert_eq!(acts, [(&json!("REPLAY_ALL"), &json!(ids[1])), (&json!("DISCARD"), &json!(ids[0]))]);
        let name = world.name_of_the_operator().await;
        assert_eq!(entries[1]["actor"], format!("member {} {name}", world.operator.id));
        assert_eq!((&entries[1]["eventType"], &entries[1]["aggregateKey"]), (&json!("SOMETHING"), &json!("a")));
        assert_eq!((&entries[1]["attempts"], &entries[1]["lastError"]), (&json!(10), &json!("refused")));
        assert!(entries[1].get("payload").is_none());
        let before = entries[0]["id"].as_i64().unwrap();
        let page = world.get(&format!("outbox/audit?before={before}&limit=5")).await;
        assert_eq!(page, json!([entries[1]]));
    }

    async fn a_dead_event_is_discarded_by_either_method_and_a_pending_one_by_none(db: testkit::Database) {
        let world = World::on(db).await;
        let ids = world.two_dead_and_one_pending().await;
        let token = Some(world.operator.token.as_str());
        let delete = async |id| world.ask(token, "DELETE", &format!("/admin/api/outbox/{id}")).await;
        assert_eq!(delete(ids[0]).await.status, 204);
        assert_eq!(delete(ids[0]).await.code(), (404, "O_001"));
        assert_eq!(world.post(&format!("outbox/{}/discard", ids[1])).await.status, 204);
        assert_eq!(delete(ids[2]).await.code(), (404, "O_001"));
        assert_eq!(world.post(&format!("outbox/{}/discard", ids[2])).await.code(), (404, "O_001"));
        assert_eq!(world.get("outbox").await.as_array().unwrap().len(), 1);
    }
}
