//! Configurations that are refused, and what is shown of those that are not.

use super::{expect, pullit, refused};

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_refused_by_name() {
    for (toml, words) in [
        ("lisen = \"127.0.0.1:0\"\n", "lisen"),
        ("[limits]\ncleanup_bach = 5\n", "cleanup_bach"),
        (
            "[jobs.cleanupStalePendingQuestionSet]\nenabled = false\n",
            "cleanupStalePendingQuestionSet",
        ),
        (
            "[jobs.runSourceCleanup]\ncron = \"0 4 * * *\"\n",
            "runSourceCleanup",
        ),
        (
            "[jobs.runSourceCleanup]\nevery = \"5s\"\n",
            "runSourceCleanup",
        ),
        ("[jobs.relayOutboxEvents]\nevery = \"soon\"\n", "soon"),
        ("listen = \"nowhere\"\n", "nowhere"),
        ("[database]\nurl = \"mysql://localhost/x\"\n", "mysql"),
        ("[auth]\njwt_secret = \"short\"\n", "jwt_secret"),
        ("[generator]\nkind = \"oracle\"\n", "oracle"),
        ("[generator]\nkind = \"openai\"\n", "generator.key"),
        (
            "[generator]\nkind = \"gemini\"\nkey = \"k\"\n",
            "generator.model",
        ),
        ("[storage]\nurl = \"ftp://example.com\"\n", "s3://BUCKET"),
        ("[storage]\nurl = \"s3://pullit\"\n", "storage.region"),
        (
            "[storage]\nurl = \"s3://pullit\"\nregion = \"eu-west-1\"\naccess_key = \"key\"\n",
            "storage.secret_key",
        ),
    ] {
        let command = pullit().config(toml);
        // The file decides where the environment of the tests would.
        let finished = match toml.starts_with("listen") {
            true => command.env("PULLIT_LISTEN", "nowhere").run(["serve"]).await,
            false => command.run(["serve"]).await,
        };
        refused(&finished, 2, words);
    }
}

#[tokio::test]
async fn what_would_be_open_to_the_world_is_refused() {
    let everywhere = || pullit().env("PULLIT_LISTEN", "0.0.0.0:0");
    refused(&everywhere().run(["serve"]).await, 2, "auth.dev_login");
    let elsewhere = pullit().env("PULLIT_HTTP__PUBLIC_URL", "https://pullit.example");
    refused(
        &elsewhere.run(["serve"]).await,
        2,
        "http.public_url `https://pullit.example`",
    );
    let closed = || everywhere().env("PULLIT_AUTH__DEV_LOGIN", "false");
    refused(&closed().run(["serve"]).await, 2, "http.public_url");

    let reached = closed().env("PULLIT_HTTP__PUBLIC_URL", "https://pullit.example");
    let mut node = reached.args(["serve"]);
    // Announced as 0.0.0.0, which reaches this machine too.
    node = node.env("PULLIT_LISTEN", "0.0.0.0:0");
    let mut node = node.start().await;
    let answer = testkit::http::Client::new(node.base_url())
        .post(
            "/auth/dev-login",
            &serde_json::json!({"email": "one@example.com"}),
        )
        .await;
    answer.expect(404);
    assert_eq!(node.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn wrong_usage_ends_with_two() {
    let command = pullit();
    refused(
        &command.run(["serve", "--roles", "api,cook"]).await,
        2,
        "cook",
    );
    refused(
        &command.run(["serve", "--listen", "nowhere"]).await,
        2,
        "nowhere",
    );
    refused(
        &command.run(["--config", "nowhere.toml", "migrate"]).await,
        2,
        "nowhere.toml",
    );
    refused(&command.run(["dance"]).await, 2, "dance");
    refused(&command.run(["jobs", "run"]).await, 2, "NAME");
    refused(&command.run(["outbox", "replay"]).await, 2, "--all");
    expect(&command.run(["--help"]).await, 0);
}

#[tokio::test]
async fn config_show_masks_secrets_and_says_where_each_value_comes_from() {
    let secret = "a secret that nobody may ever read here";
    let command = pullit()
        .config(
            "zone = \"UTC\"\nlisten = \"127.0.0.1:1\"\n[jobs.runSourceCleanup]\nenabled = false\n",
        )
        .env("PULLIT_AUTH__JWT_SECRET", secret)
        .env("PULLIT_GENERATOR__KEY", secret)
        .env("PULLIT_STORAGE__URL", "s3://pullit/sources")
        .env("PULLIT_STORAGE__ENDPOINT", "http://127.0.0.1:9000")
        .env("PULLIT_STORAGE__ACCESS_KEY", "AKIDEXAMPLE")
        .env("PULLIT_STORAGE__SECRET_KEY", "wJalrXUtnFEMI")
        .env(
            "PULLIT_DATABASE__URL",
            "postgres://pullit:hunter2@db.example/pullit",
        );
    let shown = command.run(["config", "show", "--json"]).await;
    expect(&shown, 0);
    let settings = shown.json();
    let of = |key: &str| {
        let settings = settings.as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["key"] == key);
        let setting = setting.unwrap_or_else(|| panic!("{key} is not shown"));
        let text = |field: &str| setting[field].as_str().unwrap().to_owned();
        (text("value"), text("origin"))
    };
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(of("auth.jwt_secret"), pair("********", "environment"));
    assert_eq!(of("generator.key"), pair("********", "environment"));
    assert_eq!(
        of("database.url"),
        pair(
            "postgres://pullit:********@db.example/pullit",
            "environment"
        )
    );
    assert_eq!(
        of("storage.url"),
        pair("s3://pullit/sources", "environment")
    );
    assert_eq!(of("storage.secret_key"), pair("********", "environment"));
    assert_eq!(of("storage.path_style"), pair("true", "default"));
    assert_eq!(of("zone"), pair("UTC", "pullit.toml"));
    assert_eq!(
        of("jobs.runSourceCleanup.enabled"),
        pair("false", "pullit.toml")
    );
    // The environment wins over the file.
    assert_eq!(of("listen"), pair("127.0.0.1:0", "environment"));
    assert_eq!(of("worker.concurrency"), pair("2", "default"));
    let table = command.run(["config", "show"]).await;
    expect(&table, 0);
    for shown in [&shown.stdout, &table.stdout] {
        for hidden in [secret, "hunter2", "wJalrXUtnFEMI"] {
            assert!(!shown.contains(hidden));
        }
    }
}
