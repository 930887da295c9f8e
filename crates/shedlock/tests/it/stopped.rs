//! A process that is stopped past its lease and goes on afterwards.

use std::{process::Stdio, time::Duration};

use shedlock::{PostgresLockProvider, fence};
use sqlx::PgPool;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::stage::{HOUR, PostgresStage, Stage, lock, row, taken, until};

const URL_FOR_HOLDER: &str = "SHEDLOCK_TEST_HOLDER_URL";
const LEASE: Duration = Duration::from_secs(3);

async fn signal(name: &str, pid: u32) {
    let kill = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status();
    assert!(kill.await.unwrap().success());
}

#[tokio::test]
async fn a_process_that_was_stopped_past_its_lease_learns_it_and_writes_nothing() {
    let stage = PostgresStage::new().await;
    sqlx::query("CREATE TABLE ledger (writer TEXT)")
        .execute(&stage.pool)
        .await
        .unwrap();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stopped::holder", "--nocapture"])
        .env(URL_FOR_HOLDER, stage.url())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = holder.id().unwrap();
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
    let mut next = async |wanted: &str| loop {
        let line = said.next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("the holder ended without {wanted:?}"));
        if line.ends_with(wanted) {
            return;
        }
        assert!(!line.contains("holder:"), "{line} instead of {wanted}");
    };

    next("holder: has it").await;
    signal("STOP", pid).await;
    let provider = stage.provider("next");
    until("the end of the lease", || async {
        !row(&*provider, "job").await.held
    })
    .await;
    let guard = taken(&*provider, &lock("job", HOUR, Duration::ZERO)).await;
    signal("CONT", pid).await;
    next("holder: does not trust it").await;
    next("holder: was told").await;
    next("holder: wrote 0 rows").await;
    assert!(holder.wait().await.unwrap().success());

    let written = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM ledger");
    assert_eq!(written.fetch_one(&stage.pool).await.unwrap(), 0);
    guard.unlock().await.unwrap();
}

/// The process of the test above; without it there is nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holder() {
    let Ok(url) = std::env::var(URL_FOR_HOLDER) else {
        return;
    };
    let pool = PgPool::connect(&url).await.unwrap();
    let provider = PostgresLockProvider::new(pool.clone(), "holder");
    let guard = taken(&provider, &lock("job", LEASE, Duration::ZERO)).await;
    let kept = guard.keep_alive();
    println!("holder: has it");
    // Asks all the time, so that its first look after the stop decides.
    let kept = tokio::task::spawn_blocking(move || {
        while kept.is_trusted() {
            std::hint::spin_loop();
        }
        kept
    });
    let kept = kept.await.unwrap();
    println!("holder: does not trust it");
    kept.lost().cancelled().await;
    println!("holder: was told");
    // One that would not listen is stopped by the fence.
    let mut transaction = pool.begin().await.unwrap();
    let check = sqlx::query(fence::POSTGRES_CHECK)
        .bind("job")
        .bind(kept.locked_by().to_owned());
    let ours = check.fetch_optional(&mut *transaction).await.unwrap();
    let mut written = 0;
    if ours.is_some() {
        let write = sqlx::query("INSERT INTO ledger VALUES ('stopped')");
        written = write
            .execute(&mut *transaction)
            .await
            .unwrap()
            .rows_affected();
    }
    transaction.commit().await.unwrap();
    println!("holder: wrote {written} rows");
    assert!(kept.unlock().await.is_err());
}
