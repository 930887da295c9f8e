//! How often one address may ask to sign in and to refresh, and how many sets a member may ask for.

use chrono::TimeDelta;
use serde_json::{Value, json};
use testkit::http::{Answer, Client, Method};

use crate::support::{Member, Problem, Server, Setup, StubGenerator, at};

fn limited(proxies: &[&str]) -> Setup {
    Setup::new().config(|config| {
        config.quotas.sign_ins_per_minute = 3;
        config.quotas.refreshes_per_minute = 3;
        config.http.trusted_proxies = proxies.iter().map(|&proxy| proxy.to_owned()).collect();
    })
}

/// Asks as a proxy does that was asked by `from`.
async fn forwarded(server: &Server, method: Method, path: &str, from: &str) -> Answer {
    let client = Client::new(&server.url);
    let request = client.request(method, path);
    request.header("x-forwarded-for", from).send().await
}

#[track_caller]
fn refused(answer: Answer) {
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    answer.problem(429, "C_012");
}

/// A node on which sets stay in the making.
async fn asking(per_day: u32, pending: u32, db: testkit::Database) -> Server {
    let generator = StubGenerator::new();
    generator.hold();
    let setup = Setup::new().generator(generator).config(|config| {
        config.quotas.question_sets_per_day = per_day;
        config.quotas.question_sets_pending = pending;
    });
    setup.start(db).await
}

/// A member, and what the member asks for.
async fn asker(server: &Server, email: &str) -> (Member, Value) {
    let member = server.member(email).await;
    let source = server.ready_source(member.id, "text").await;
    let body = json!({"difficulty": "EASY", "questionCount": 1, "type": "TRUE_FALSE", "sourceIds": [source]});
    (member, body)
}

testkit::on_each_database! {
    async fn too_many_refreshes_of_one_address_are_refused_for_a_while(db: testkit::Database) {
        let server = limited(&[]).start(db).await;
        for _ in 0..3 {
            server.client.request(Method::POST, "/auth/refresh").send().await.problem(401, "A_003");
        }
        refused(server.client.request(Method::POST, "/auth/refresh").send().await);
        // Whoever says to be somebody else is not believed.
        refused(forwarded(&server, Method::POST, "/auth/refresh", "203.0.113.7").await);
        server.client.get("/auth/link?token=x").await.problem(410, "A_010");
    }

    async fn the_address_behind_a_trusted_proxy_is_what_counts(db: testkit::Database) {
        let server = limited(&["127.0.0.0/8"]).start(db).await;
        let ask = async |from: &str| forwarded(&server, Method::GET, "/auth/link?token=x", from).await;
        for n in 0..3 {
            // What stands before the last stranger is made up.
            ask(&format!("198.51.100.{n}, 203.0.113.7")).await.problem(410, "A_010");
        }
        refused(ask("198.51.100.9, 203.0.113.7").await);
        ask("203.0.113.8").await.problem(410, "A_010");
        for n in 0..3 {
            ask(&format!("2001:db8::{n}")).await.problem(410, "A_010");
        }
        refused(ask("2001:db8::ffff:1").await);
        ask("2001:db8:0:1::1").await.problem(410, "A_010");
    }

    async fn the_development_sign_in_of_this_machine_has_no_quota(db: testkit::Database) {
        let server = limited(&[]).start(db).await;
        for n in 0..10 {
            let body = json!({"email": format!("m{n}@pullit.test")});
            server.client.post("/auth/dev-login", &body).await.expect(200);
        }
    }

    async fn a_member_has_so_many_sets_a_day_in_seoul(db: testkit::Database) {
        let server = asking(3, 0, db).await;
        server.clock.set(at("2026-11-22T14:00:00Z"));
        let (member, body) = asker(&server, "a@pullit.test").await;
        for _ in 0..3 {
            let id = member.client.post("/api/question-set", &body).await.expect(201)["id"].as_i64().unwrap();
            // What is deleted was asked for all the same.
            member.client.delete(&format!("/api/question-set/{id}")).await.expect(200);
        }
        let answer = member.client.post("/api/question-set", &body).await;
        let wait: i64 = answer.header("retry-after").parse().unwrap();
        assert!((3_500..=3_600).contains(&wait), "until midnight in Seoul: {wait}");
        answer.problem(429, "Q_004");
        assert_eq!(server.number("SELECT COUNT(*) FROM question_set").await, 3);
        let (other, theirs) = asker(&server, "b@pullit.test").await;
        other.client.post("/api/question-set", &theirs).await.expect(201);

        server.clock.advance(TimeDelta::seconds(wait));
        member.client.refresh().await;
        member.client.post("/api/question-set", &body).await.expect(201);
    }

    async fn a_member_has_so_many_sets_in_the_making_at_once(db: testkit::Database) {
        let server = asking(0, 2, db).await;
        let (member, body) = asker(&server, "a@pullit.test").await;
        for _ in 0..2 {
            member.client.post("/api/question-set", &body).await.expect(201);
        }
        let answer = member.client.post("/api/question-set", &body).await;
        assert_eq!(answer.header("retry-after"), "30");
        answer.problem(429, "Q_005");
        server.change("UPDATE question_set SET status = 'COMPLETE'", vec![]).await;
        member.client.post("/api/question-set", &body).await.expect(201);
    }

    async fn requests_at_once_do_not_pass_a_members_quota(db: testkit::Database) {
        let server = asking(3, 0, db).await;
        let (member, body) = asker(&server, "a@pullit.test").await;
        let asks = (0..12).map(|_| member.client.post("/api/question-set", &body));
        let mut answers: Vec<u16> = futures::future::join_all(asks).await.iter().map(|answer| answer.status.as_u16()).collect();
        answers.sort_unstable();
        assert_eq!(answers, [&[201; 3][..], &[429; 9]].concat());
        assert_eq!(server.number("SELECT COUNT(*) FROM question_set").await, 3);
    }

    async fn a_list_never_holds_more_than_a_thousand_sets(db: testkit::Database) {
        let server = Server::start(db).await;
        let member = server.member("a@pullit.test").await;
        server.change("INSERT INTO question_set (owner_id, title, difficulty, type, question_length, status, retryable) \
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1005) \
            SELECT $1, 'set', 'EASY', 'TRUE_FALSE', 1, 'COMPLETE', TRUE FROM n", vec![member.id.into()]).await;
        let all = member.client.get("/api/question-set/all").await.expect(200);
        assert_eq!(all.as_array().unwrap().len(), 1_000);
        let page = member.client.get("/api/question-set?size=9999").await.expect(200);
        let page = &page["questionSets"];
        assert_eq!((page["content"].as_array().unwrap().len(), &page["size"], &page["hasNext"]), (1_000, &json!(1_000), &json!(true)));
    }
}
