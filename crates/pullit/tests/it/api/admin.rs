//! `/admin/api/…`: the operator's JSON.

use ground::Statements;
use outbox::NewEvent;
use serde_json::{Value, json};
use testkit::http::Method;

use crate::support::{Problem, Server, Setup, StubGenerator};

const JOBS: &[(&str, &str, &str)] = &[
    (
        "cleanupStalePendingQuestionSets",
        "0 */10 * * * *",
        "cluster",
    ),
    (
        "retryFailedQuestionSetGeneration",
        "0 */5 * * * *",
        "cluster",
    ),
    ("runSourceCleanup", "0 0 4 * * *", "cluster"),
    ("validateConsecutiveLearning", "0 0 0 * * *", "cluster"),
    (
        "triggerWeeklyResetAndRecalibration",
        "0 0 4 * * MON",
        "cluster",
    ),
    ("relayOutboxEvents", "1s", "cluster"),
    ("sendHeartbeat", "3s", "node"),
    ("pruneHistory", "0 30 4 * * *", "cluster"),
];

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// An event that was given up; its id.
async fn dead_event(server: &Server, member: i64) -> i64 {
    let payload = json!({"memberId": member, "week": "2026-W48"});
    let event = NewEvent::new("WEEKLY_RESET", format!("member:{member}"), payload);
    // In one transaction: the relay never sees it alive.
    let mut tx = server.app.db.begin().await.unwrap();
    outbox::publish(&mut tx, event, server.clock.time())
        .await
        .unwrap();
    tx.run(
        "UPDATE outbox_event SET status = 'DEAD', attempts = 10, last_error = 'no route'",
        vec![],
    )
    .await
    .unwrap();
    let id = tx
        .scalar::<i64, _>("SELECT MAX(id) FROM outbox_event", vec![])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id.unwrap()
}

testkit::on_each_database! {
    async fn members_have_no_business_at_the_operators_doors(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        for (method, path) in [
            (Method::GET, "/admin/api/overview"),
            (Method::GET, "/admin/api/jobs"),
            (Method::POST, "/admin/api/jobs/sendHeartbeat/run"),
            (Method::POST, "/admin/api/jobs/sendHeartbeat/pause"),
            (Method::POST, "/admin/api/jobs/sendHeartbeat/resume"),
            (Method::GET, "/admin/api/jobs/sendHeartbeat/history"),
            (Method::GET, "/admin/api/jobs/sendHeartbeat/upcoming"),
            (Method::GET, "/admin/api/locks"),
            (Method::GET, "/admin/api/outbox"),
            (Method::GET, "/admin/api/outbox/summary"),
            (Method::GET, "/admin/api/outbox/audit"),
            (Method::POST, "/admin/api/outbox/1/replay"),
            (Method::POST, "/admin/api/outbox/replay-all"),
            (Method::DELETE, "/admin/api/outbox/1"),
            (Method::GET, "/admin/api/members"),
            (Method::POST, "/admin/api/members/1/ban"),
            (Method::POST, "/admin/api/members/1/unban"),
            (Method::GET, "/admin/api/sse"),
        ] {
            let answer = member.client.request(method.clone(), path).send().await;
            assert_eq!(answer.status.as_u16(), 403, "{method} {path}");
            answer.problem(403, "A_005");
        }
    }

    async fn an_operator_sees_every_job_in_the_shape_of_the_contract(db: testkit::Database) {
        let server = Server::start(db).await;
        let admin = server.admin("admin@pullit.test").await;
        let jobs = admin.client.get("/admin/api/jobs").await.expect(200);
        let jobs = jobs.as_array().unwrap();
        assert_eq!(jobs.len(), JOBS.len());
        for (name, trigger, scope) in JOBS {
            let job = jobs.iter().find(|job| job["name"] == *name).unwrap();
            assert_eq!(keys(job), ["lastRun", "lock", "name", "nextRun", "paused", "scope", "trigger", "zone"]);
            assert!(job["trigger"].as_str().unwrap().contains(trigger), "{job}");
            assert_eq!((&job["scope"], &job["paused"]), (&json!(scope), &json!(false)), "{job}");
            if trigger.contains('*') {
                assert_eq!(job["zone"], "Asia/Seoul", "{job}");
            }
            assert!(job["nextRun"].is_string(), "{job}");
        }
    }

    async fn a_run_by_hand_answers_with_its_end_and_stands_in_the_history(db: testkit::Database) {
        let server = Server::start(db).await;
        let admin = server.admin("admin@pullit.test").await;
        let run = admin.client.post("/admin/api/jobs/validateConsecutiveLearning/run", &json!({})).await.expect(200);
        assert_eq!(keys(&run), ["affected", "error", "finishedAt", "id", "scheduledAt", "startedAt", "status"]);
        assert_eq!((&run["status"], &run["error"]), (&json!("SUCCEEDED"), &json!(null)));
        let jobs = admin.client.get("/admin/api/jobs").await.expect(200);
        let job = jobs.as_array().unwrap().iter().find(|job| job["name"] == "validateConsecutiveLearning").unwrap();
        assert_eq!(job["lastRun"]["id"], run["id"]);
        let history = admin.client.get("/admin/api/jobs/validateConsecutiveLearning/history").await.expect(200);
        assert_eq!((&history[0]["id"], &history[0]["cause"]), (&run["id"], &json!("MANUAL")));
        admin.client.post("/admin/api/jobs/nothing/run", &json!({})).await.problem(404, "J_001");
    }

    async fn a_paused_job_says_so_until_it_is_resumed(db: testkit::Database) {
        let server = Server::start(db).await;
        let admin = server.admin("admin@pullit.test").await;
        let paused = async || {
            let jobs = admin.client.get("/admin/api/jobs").await.expect(200);
            let job = jobs.as_array().unwrap().iter().find(|job| job["name"] == "runSourceCleanup").unwrap();
            job["paused"].as_bool().unwrap()
        };
        admin.client.post("/admin/api/jobs/runSourceCleanup/pause", &json!({})).await.expect(204);
        assert!(paused().await);
        // By hand it runs all the same.
        admin.client.post("/admin/api/jobs/runSourceCleanup/run", &json!({})).await.expect(200);
        admin.client.post("/admin/api/jobs/runSourceCleanup/resume", &json!({})).await.expect(204);
        assert!(!paused().await);
        for what in ["pause", "resume"] {
            admin.client.post(&format!("/admin/api/jobs/nothing/{what}"), &json!({})).await.problem(404, "J_001");
        }
    }

    async fn a_job_whose_lock_another_holds_does_not_run(db: testkit::Database) {
        let server = Server::start(db).await;
        let admin = server.admin("admin@pullit.test").await;
        let lock = server.change_each(
            "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) \
             VALUES ('runSourceCleanup', strftime('%Y-%m-%dT%H:%M:%f', 'now', '+1 hour') || '000+00:00', strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00', 'java-1')",
            "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) \
             VALUES ('runSourceCleanup', timezone('utc', now()) + interval '1 hour', timezone('utc', now()), 'java-1')",
            vec![],
        );
        assert_eq!(lock.await, 1);
        let problem = admin.client.post("/admin/api/jobs/runSourceCleanup/run", &json!({})).await.problem(409, "J_002");
        assert!(problem["detail"].as_str().unwrap().contains("java-1"), "{problem}");
        let locks = admin.client.get("/admin/api/locks").await.expect(200);
        let held = locks.as_array().unwrap().iter().find(|lock| lock["name"] == "runSourceCleanup").unwrap();
        assert_eq!(held["lockedBy"], "java-1", "{held}");
        let jobs = admin.client.get("/admin/api/jobs").await.expect(200);
        let job = jobs.as_array().unwrap().iter().find(|job| job["name"] == "runSourceCleanup").unwrap();
        assert_eq!(job["lock"]["lockedBy"], "java-1");
    }

    async fn a_dead_event_is_shown_replayed_or_discarded(db: testkit::Database) {
        let server = Setup::new().generator(StubGenerator::new()).start(db).await;
        let admin = server.admin("admin@pullit.test").await;
        let (first, second) = (dead_event(&server, admin.id).await, dead_event(&server, admin.id).await);
        let dead = admin.client.get("/admin/api/outbox?dead=true").await.expect(200);
        let ids: Vec<_> = dead.as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, [first, second]);
        let event = &dead[0];
        assert_eq!((&event["status"], &event["eventType"], &event["attempts"]), (&json!("DEAD"), &json!("WEEKLY_RESET"), &json!(10)));
        assert!(event.get("payload").is_none(), "it may hold a member's data");
        let summary = admin.client.get("/admin/api/outbox/summary").await.expect(200);
        assert_eq!((&summary["dead"], &summary["pending"]), (&json!(2), &json!(0)));

        admin.client.post(&format!("/admin/api/outbox/{first}/replay"), &json!({})).await.expect(204);
        server.settled().await;
        admin.client.delete(&format!("/admin/api/outbox/{second}")).await.expect(204);
        assert_eq!(admin.client.get("/admin/api/outbox").await.expect(200), json!([]));
        for id in [first, second, 999_999] {
            admin.client.post(&format!("/admin/api/outbox/{id}/replay"), &json!({})).await.problem(404, "O_001");
            admin.client.delete(&format!("/admin/api/outbox/{id}")).await.problem(404, "O_001");
        }
        dead_event(&server, admin.id).await;
        dead_event(&server, admin.id).await;
        let replayed = admin.client.post("/admin/api/outbox/replay-all", &json!({})).await.expect(200);
        assert_eq!(replayed, json!({"replayed": 2}));
        server.settled().await;
        assert_eq!(server.number("SELECT COUNT(*) FROM outbox_event").await, 0);
    }

    async fn an_operator_bans_and_lets_in_again(db: testkit::Database) {
        let server = Server::start(db).await;
        let admin = server.admin("admin@pullit.test").await;
        let member = server.member("a@pullit.test").await;
        let listed = admin.client.get("/admin/api/members").await.expect(200);
        let emails: Vec<_> = listed.as_array().unwrap().iter().map(|member| member["email"].as_str().unwrap()).collect();
        assert_eq!(emails, ["admin@pullit.test", "a@pullit.test"]);
        let ban = format!("/admin/api/members/{}/ban", member.id);
        admin.client.post(&ban, &json!({})).await.expect(204);
        admin.client.post(&ban, &json!({})).await.expect(204);
        member.client.get("/api/members/me").await.problem(403, "A_004");
        member.client.request(Method::POST, "/auth/refresh").send().await.problem(401, "A_003");
        admin.client.post(&format!("/admin/api/members/{}/unban", member.id), &json!({})).await.expect(204);
        // Sessions stay ended: who was out signs in anew.
        member.client.get("/api/members/me").await.problem(401, "A_001");
        member.client.request(Method::POST, "/auth/refresh").send().await.problem(401, "A_003");
        member.client.dev_login("a@pullit.test").await;

        let own = admin.client.post(&format!("/admin/api/members/{}/ban", admin.id), &json!({})).await;
        assert_eq!(own.wrong_fields(), ["id"]);
        for what in ["ban", "unban"] {
            admin.client.post(&format!("/admin/api/members/999999/{what}"), &json!({})).await.problem(404, "M_001");
        }
    }

    async fn the_overview_has_jobs_outbox_and_streams(db: testkit::Database) {
        let server = Server::start(db).await;
        let admin = server.admin("admin@pullit.test").await;
        let mut stream = admin.stream().await;
        stream.next_named("handShakeComplete").await;
        let overview = admin.client.get("/admin/api/overview").await.expect(200);
        assert_eq!(overview["jobs"].as_array().unwrap().len(), JOBS.len());
        assert_eq!(overview["operatorId"], admin.id);
        assert_eq!(overview["outbox"]["dead"], 0);
        assert_eq!((&overview["sse"]["connections"], &overview["sse"]["members"]), (&json!(1), &json!(1)));
        assert_eq!(admin.client.get("/admin/api/sse").await.expect(200)["connections"], 1);
    }

    async fn an_operator_who_is_one_no_more_is_out_at_once(db: testkit::Database) {
        let server = Server::start(db).await;
        let admin = server.admin("admin@pullit.test").await;
        admin.client.get("/admin/api/jobs").await.expect(200);
        server.change("UPDATE member SET role = 'MEMBER'", vec![]).await;
        admin.client.get("/admin/api/jobs").await.problem(403, "A_005");
    }
}
