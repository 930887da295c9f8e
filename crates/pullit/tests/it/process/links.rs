//! Links that sign an operator in: printed at the first start, and by `pullit members link`.

use testkit::http::Client;
use testkit::process::Pullit;

use super::{expect, on, pullit, refused};
use crate::support::{BOUND, Problem};

/// The link that a node printed.
async fn printed(node: &Pullit) -> String {
    node.wait_for_output("(signs in ", BOUND).await;
    let output = node.output();
    let line = output
        .lines()
        .find(|line| line.contains("/auth/link?token="));
    let mut words = line.unwrap().split_whitespace();
    let link = words.rfind(|word| word.contains("://"));
    link.unwrap().to_owned()
}

#[tokio::test]
async fn the_first_start_makes_an_operator_and_prints_a_link() {
    let mut node = pullit().start().await;
    let link = printed(&node).await;
    assert!(
        node.output().contains("signs in operator@localhost"),
        "{}",
        node.output()
    );
    let browser = Client::new(node.base_url());
    browser.follow_link(&link).await;
    browser.get("/admin/api/overview").await.expect(200);
    browser.get(&link).await.problem(410, "A_010");
    assert_eq!(node.terminate().await.code(), Some(0));

    // The next start finds the operator.
    let node = node.restartable().start().await;
    let browser = Client::new(node.base_url());
    browser.follow_link(&printed(&node).await).await;
    let members = browser.get("/admin/api/members").await.expect(200);
    assert_eq!(members.as_array().unwrap().len(), 1, "{members}");
}

#[tokio::test]
async fn no_link_is_printed_where_the_development_sign_in_is_off() {
    let node = pullit()
        .env("PULLIT_AUTH__DEV_LOGIN", "false")
        .start()
        .await;
    node.wait_for_output("Console:", BOUND).await;
    let ready = Client::new(node.base_url()).get("/readyz").await;
    ready.expect(200);
    assert!(
        !node.output().contains("/auth/link?token="),
        "{}",
        node.output()
    );
}

testkit::on_each_database! {
    async fn a_link_from_the_command_line_signs_in_on_the_running_node(db: testkit::Database) {
        let node = on(&db).start().await;
        let command = on(&db).env("PULLIT_HTTP__PUBLIC_URL", node.base_url());
        let create = ["members", "create", "--email", "op@pullit.test", "--name", "Op", "--admin"];
        expect(&command.run(create).await, 0);
        let made = command.run(["members", "link", "--email", "Op@pullit.test", "--json"]).await;
        expect(&made, 0);
        let link = made.json()["url"].as_str().unwrap().to_owned();
        assert!(link.starts_with(&format!("{}/auth/link?token=", node.base_url())), "{link}");
        let browser = Client::new(node.base_url());
        browser.follow_link(&link).await;
        assert_eq!(browser.get("/api/members/me").await.expect(200)["email"], "op@pullit.test");

        let plain = command.run(["members", "link", "--email", "op@pullit.test"]).await;
        browser.follow_link(plain.stdout.lines().next().unwrap()).await;
        refused(&command.run(["members", "link", "--email", "nobody@pullit.test"]).await, 1, "nobody@pullit.test");
    }
}
