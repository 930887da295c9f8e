//! How often one address may ask to sign in and to refresh.

use serde_json::json;
use testkit::http::{Answer, Client, Method};

use crate::support::{Problem, Server, Setup};

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
}
