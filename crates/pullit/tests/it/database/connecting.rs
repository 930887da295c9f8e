//! What a URL, a password file and a certificate say.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use ground::Statements;
use tempfile::TempDir;
use testkit::server::Postgres;

use super::{member_of, pullit, readiness};
use crate::process::{expect, refused};

#[tokio::test]
async fn a_database_that_cannot_hold_korean_is_refused() {
    let other = testkit::postgres::Database::create().await;
    let admin = other.connect().await;
    let name = format!("ascii_{}", uuid::Uuid::new_v4().simple());
    let create = format!(
        "CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    );
    admin.script(&create).await.unwrap();
    let mut url = reqwest::Url::parse(other.url()).unwrap();
    url.set_path(&name);
    let command = pullit().env("PULLIT_DATABASE__URL", url.as_str());
    for subcommand in ["serve", "migrate"] {
        refused(&command.run([subcommand]).await, 2, "SQL_ASCII");
    }
    admin
        .script(&format!("DROP DATABASE {name}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_password_is_printed_nowhere_whatever_is_wrong_with_its_url() {
    for url in [
        "postgres://me:s3cret@127.0.0.1:1/pullit",
        "postgres://me:s3cret@127.0.0.1:port/pullit",
        "postgres://me:s3/cret@127.0.0.1/pullit",
        "postgres://me:s3cret@127.0.0.1/pullit?target_session_attrs=standby",
        "postgres://127.0.0.1:1/pullit?passwd=s3cret&password=s3cret",
        "me:s3cret@127.0.0.1/pullit",
        "mysql://me:s3cret@127.0.0.1/pullit",
    ] {
        let command = pullit().env("PULLIT_DATABASE__URL", url);
        for arguments in [
            &["migrate"][..],
            &["config", "show"],
            &["config", "show", "--json"],
        ] {
            let finished = command.run(arguments.iter().copied()).await;
            let said = format!("{}{}", finished.stdout, finished.stderr);
            assert!(
                !said.contains("s3cret") && !said.contains("s3/cret"),
                "{url} {arguments:?}: {said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_with_any_name_holds_its_database() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("a%20b?c #d%2Fe");
    let mut node = pullit().data_dir(&data).start().await;
    member_of(&node, "one@example.com").await;
    assert_eq!(node.terminate().await.code(), Some(0), "{}", node.output());
    assert!(data.join("pullit.db").exists());
    let beside: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_file_and_a_search_path_are_heeded() {
    let server = Postgres::start().await;
    let admin = testkit::postgres::Database::create_on(&server.url()).await;
    let db = admin.connect().await;
    for statement in [
        "CREATE ROLE me LOGIN PASSWORD 's3cret'",
        "CREATE DATABASE pullit OWNER me",
    ] {
        db.script(statement).await.unwrap();
    }
    let rules = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    let rules = rules.replace('\n', "\\n");
    let rewrite = format!(
        "COPY (SELECT unnest(string_to_array(E'{rules}', E'\\n'))) TO '{}/data/pg_hba.conf'",
        server.folder().display()
    );
    db.script(&rewrite).await.unwrap();
    db.script("SELECT pg_reload_conf()").await.unwrap();
    let folder = TempDir::new().unwrap();
    let passwords = folder.path().join("pgpass");
    std::fs::write(
        &passwords,
        format!("{}:pullit:me:s3cret\n", server.address()),
    )
    .unwrap();
    std::fs::set_permissions(&passwords, std::fs::Permissions::from_mode(0o600)).unwrap();
    let url = format!(
        "postgres://me@{}/pullit?options=-csearch_path%3Dstudy",
        server.address()
    );
    let pullit = pullit()
        .env("PULLIT_DATABASE__URL", url)
        .env("PGPASSFILE", &passwords);
    let own = format!("postgres://postgres@{}/pullit", server.address());
    let pool = sqlx::PgPool::connect(&own).await;
    let schema = sqlx::raw_sql("CREATE SCHEMA study AUTHORIZATION me");
    schema.execute(&pool.unwrap()).await.unwrap();
    expect(&pullit.run(["migrate"]).await, 0);
    let node = pullit.start().await;
    assert_eq!(readiness(&node).await.status, 200);
    member_of(&node, "one@example.com").await;
}

/// A certificate authority, and a certificate of it for localhost.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        let done = command
            .current_dir(folder)
            .args(arguments.split(' '))
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Authority",
    );
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_machines_certificates_count_for_the_database() {
    let mut server = Postgres::start().await;
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    for (name, target) in [
        ("server.key", "data/server.key"),
        ("server.pem", "data/server.crt"),
    ] {
        let target = server.folder().join(target);
        std::fs::copy(folder.path().join(name), &target).unwrap();
        let mut own = Command::new("chown");
        let owned = own
            .arg("--reference")
            .arg(server.folder())
            .arg(&target)
            .status()
            .unwrap();
        assert!(owned.success());
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let db = testkit::postgres::Database::create_on(&server.url()).await;
    db.connect()
        .await
        .script("ALTER SYSTEM SET ssl = on")
        .await
        .unwrap();
    server.restart().await;
    let url = db.url().replace("127.0.0.1", "localhost") + "?sslmode=verify-full";
    let command = pullit().env("PULLIT_DATABASE__URL", &url);
    let stranger = command
        .clone()
        .env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
    let finished = stranger.run(["migrate"]).await;
    expect(&finished, 1);
    assert!(finished.stderr.contains("certificate"), "{finished:#?}");
    let known = command
        .clone()
        .env("SSL_CERT_FILE", folder.path().join("ca.pem"));
    expect(&known.run(["migrate"]).await, 0);
    let named = command.env("PGSSLROOTCERT", folder.path().join("ca.pem"));
    expect(&named.run(["migrate"]).await, 0);
}
