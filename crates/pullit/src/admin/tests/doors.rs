//! Every path of the console asks for an operator.

use super::*;

/// Every method and path that the room documents, with names that exist filled in.
fn doors(api: &OpenApi) -> Vec<(String, String)> {
    let api = serde_json::to_value(api).unwrap();
    let paths = api["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let path = path.replace("{name}", "quick").replace("{id}", "1");
            let methods = methods.as_object().unwrap().keys();
            methods
                .map(move |method| (method.to_uppercase(), path.clone()))
                .collect::<Vec<_>>()
        })
        .collect()
}

testkit::on_each_database! {
    async fn every_door_is_shut_to_strangers_and_to_members(db: testkit::Database) {
        let world = World::on(db).await;
        let doors = doors(&world.api);
        assert_eq!(doors.len(), 19);
        for (method, path) in doors {
            assert!(path.starts_with("/admin/api/"), "{path}");
            let stranger = world.ask(None, &method, &path).await;
            assert_eq!(stranger.code(), (401, "A_001"), "{method} {path}");
            let forged = world.ask(Some("not.a.token"), &method, &path).await;
            assert_eq!(forged.code(), (401, "A_001"), "{method} {path}");
            let member = world.ask(Some(&world.member.token), &method, &path).await;
            assert_eq!(member.code(), (403, "A_005"), "{method} {path}");
        }
    }

    async fn the_first_page_needs_one_answer(db: testkit::Database) {
        let world = World::on(db).await;
        world.clock.advance(TimeDelta::seconds(90));
        let _stream = world.hub.subscribe(world.member.id).unwrap();
        let overview = world.get("overview").await;
        assert_eq!(overview["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(overview["uptimeSeconds"], 90);
        assert_eq!(overview["operatorId"], world.operator.id);
        assert_eq!(overview["outbox"], json!({"pending": 0, "dead": 0, "oldestAgeSeconds": 0}));
        assert_eq!(overview["sse"]["connections"], 1);
        assert_eq!(overview["sse"], world.get("sse").await);
        let names = overview["jobs"].as_array().unwrap().iter().map(|job| &job["name"]);
        assert_eq!(names.collect::<Vec<_>>(), ["quick", "slow", "broken"]);
        assert_eq!(overview["jobs"][0]["enabled"], true);
    }
}
