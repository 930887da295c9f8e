//! The commands of an operator.

use chrono::{Days, Utc};
use chrono_tz::Asia::Seoul;
use ground::{Database, Statements};
use serde_json::{Value, json};

use super::{expect, on, refused};

const CLEANUP: &str = "cleanupStalePendingQuestionSets";
const NAMES: [&str; 8] = [
    CLEANUP,
    "retryFailedQuestionSetGeneration",
    "runSourceCleanup",
    "validateConsecutiveLearning",
    "triggerWeeklyResetAndRecalibration",
    "relayOutboxEvents",
    "sendHeartbeat",
    "pruneHistory",
];

async fn sql(db: &Database, sql: &str) {
    db.script(sql).await.unwrap();
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

const RUN_KEYS: [&str; 7] = [
    "affected",
    "error",
    "finishedAt",
    "id",
    "scheduledAt",
    "startedAt",
    "status",
];

/// A member with a question set that has been PENDING since 2020.
async fn stalled_set(db: &Database) {
    sql(
        db,
        "INSERT INTO member (id, name, email) VALUES (1, 'One', 'one@example.com')",
    )
    .await;
    sql(
        db,
        "INSERT INTO question_set (id, owner_id, title, difficulty, type, question_length, status, pending_since) \
         VALUES (1, 1, 'Set', 'EASY', 'TRUE_FALSE', 3, 'PENDING', '2020-01-01T00:00:00.000000+00:00')",
    )
    .await;
}

testkit::on_each_database! {
    async fn jobs_list_has_the_shape_of_the_contract_with_a_server_and_without(db: testkit::Database) {
        let command = on(&db);
        let check = async |paused: bool| {
            let listed = command.run(["jobs", "list", "--json"]).await;
            expect(&listed, 0);
            let jobs = listed.json();
            let jobs = jobs.as_array().unwrap();
            assert!(jobs.iter().map(|job| job["name"].as_str().unwrap()).eq(NAMES));
            for job in jobs {
                assert_eq!(keys(job), ["lastRun", "lock", "name", "nextRun", "paused", "scope", "trigger", "zone"]);
                let name = job["name"].as_str().unwrap();
                let cron = job["trigger"].as_str().unwrap().starts_with("cron ");
                assert_eq!(job["zone"], if cron { json!("Asia/Seoul") } else { Value::Null }, "{name}");
                assert_eq!(job["scope"], if name == "sendHeartbeat" { "node" } else { "cluster" });
                assert_eq!(job["paused"], paused && name == CLEANUP);
                assert!(job["nextRun"].is_string(), "{name}");
            }
            jobs[0].clone()
        };
        assert_eq!(check(false).await["lastRun"], Value::Null);
        expect(&command.run(["jobs", "run", CLEANUP]).await, 0);
        let cleanup = check(false).await;
        assert_eq!(keys(&cleanup["lastRun"]), RUN_KEYS);
        assert_eq!(keys(&cleanup["lock"]), ["lockUntil", "lockedBy"], "the tail of the run by hand");

        expect(&command.run(["jobs", "pause", CLEANUP]).await, 0);
        let mut node = command.start().await;
        check(true).await;
        expect(&command.run(["jobs", "resume", CLEANUP]).await, 0);
        check(false).await;
        let table = command.run(["jobs", "list"]).await;
        expect(&table, 0);
        assert!(NAMES.iter().all(|name| table.stdout.contains(name)), "{table:#?}");
        assert_eq!(node.terminate().await.code(), Some(0));
    }

    async fn jobs_run_does_the_work_in_its_own_process_and_prints_the_run(db: testkit::Database) {
        let command = on(&db);
        expect(&command.run(["migrate"]).await, 0);
        let rows = db.connect().await;
        stalled_set(&rows).await;
        let ran = command.run(["jobs", "run", CLEANUP, "--json"]).await;
        expect(&ran, 0);
        let run = ran.json();
        assert_eq!(keys(&run), RUN_KEYS);
        assert_eq!((&run["status"], &run["affected"], &run["error"]), (&json!("SUCCEEDED"), &json!(1), &Value::Null));
        assert!(run["id"].as_i64().unwrap() > 0 && run["finishedAt"].is_string());

        // No relay and no worker were started: the event is still there.
        let listed = command.run(["outbox", "list", "--json"]).await;
        assert_eq!(listed.json().as_array().unwrap().len(), 1);
        let beat = command.run(["jobs", "run", "sendHeartbeat", "--json"]).await;
        expect(&beat, 0);
        assert_eq!(beat.json()["affected"], 0);

        // Every job can be run, one after another, though the tail of the last run still holds its lock.
        for name in NAMES {
            let ran = command.run(["jobs", "run", name]).await;
            expect(&ran, 0);
            assert!(ran.stdout.starts_with(&format!("{name} SUCCEEDED")), "{ran:#?}");
        }
        let history = command.run(["jobs", "history", CLEANUP, "--json"]).await;
        expect(&history, 0);
        let history = history.json();
        assert_eq!(history.as_array().unwrap().len(), 2);
        assert_eq!((&history[1]["id"], &history[1]["cause"]), (&run["id"], &json!("MANUAL")));
        let one = command.run(["jobs", "history", CLEANUP, "--limit", "1", "--json"]).await;
        assert_eq!(one.json().as_array().unwrap().len(), 1);
    }

    async fn jobs_run_works_beside_a_server(db: testkit::Database) {
        let command = on(&db);
        let mut node = command.start().await;
        for name in NAMES {
            let ran = command.run(["jobs", "run", name, "--json"]).await;
            expect(&ran, 0);
            assert_eq!(ran.json()["status"], "SUCCEEDED", "{name}");
        }
        assert_eq!(node.terminate().await.code(), Some(0));
    }

    async fn a_lock_of_somebody_else_ends_with_three_and_his_name(db: testkit::Database) {
        let command = on(&db);
        expect(&command.run(["migrate"]).await, 0);
        let rows = db.connect().await;
        sql(&rows, &format!(
            "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) \
             VALUES ('{CLEANUP}', '2099-01-01T00:00:00.000000+00:00', '2026-01-01T00:00:00.000000+00:00', 'java-node-7')"
        ))
        .await;
        refused(&command.run(["jobs", "run", CLEANUP, "--json"]).await, 3, "java-node-7");
        let locks = command.run(["locks", "list", "--json"]).await;
        expect(&locks, 0);
        let locks = locks.json();
        let lock = locks.as_array().unwrap().iter().find(|lock| lock["name"] == CLEANUP).unwrap();
        assert_eq!((&lock["lockedBy"], &lock["held"]), (&json!("java-node-7"), &json!(true)));
        let jobs = command.run(["jobs", "list", "--json"]).await.json();
        assert_eq!(jobs[0]["lock"]["lockedBy"], "java-node-7");
        assert_eq!(jobs[0]["lastRun"], Value::Null, "nothing ran");
        let table = command.run(["locks", "list"]).await;
        assert!(table.stdout.contains("java-node-7"), "{table:#?}");

        sql(&rows, "UPDATE shedlock SET lock_until = '2026-01-01T00:00:01.000000+00:00'").await;
        expect(&command.run(["jobs", "run", CLEANUP]).await, 0);
    }

    async fn a_job_that_nobody_knows_ends_with_two(db: testkit::Database) {
        let command = on(&db);
        for verb in ["run", "pause", "resume", "history"] {
            refused(&command.run(["jobs", verb, "makeCoffee"]).await, 2, "makeCoffee");
        }
    }

    async fn a_job_that_fails_ends_with_one_and_says_why(db: testkit::Database) {
        let command = on(&db);
        expect(&command.run(["migrate"]).await, 0);
        let rows = db.connect().await;
        sql(&rows, "ALTER TABLE question_set RENAME TO mislaid").await;
        let ran = command.run(["jobs", "run", CLEANUP, "--json"]).await;
        expect(&ran, 1);
        let run = ran.json();
        assert_eq!(run["status"], "FAILED");
        assert!(run["error"].as_str().unwrap().contains("question_set"), "{run}");
    }

    async fn dead_letters_are_listed_replayed_and_discarded(db: testkit::Database) {
        let command = on(&db);
        expect(&command.run(["migrate"]).await, 0);
        let rows = db.connect().await;
        for id in 1..=4 {
            let status = if id < 4 { "DEAD" } else { "PENDING" };
            sql(&rows, &format!(
                "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload, status, attempts, last_error) \
                 VALUES ({id}, 'e0000000-0000-4000-8000-00000000000{id}', 'WEEKLY_RESET', 'member:{id}', '{{\"memberId\":{id}}}', '{status}', 9, 'no luck')"
            ))
            .await;
        }
        let ids = async |args: &[&str]| -> Vec<i64> {
            let listed = command.run(args.iter().copied()).await;
            expect(&listed, 0);
            listed.json().as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect()
        };
        let dead = ["outbox", "list", "--dead", "--json"];
        assert_eq!(ids(&["outbox", "list", "--json"]).await, [1, 2, 3, 4]);
        assert_eq!(ids(&dead).await, [1, 2, 3]);
        let listed = command.run(dead).await.json();
        assert_eq!((&listed[0]["eventType"], &listed[0]["lastError"]), (&json!("WEEKLY_RESET"), &json!("no luck")));

        expect(&command.run(["outbox", "replay", "1"]).await, 0);
        assert_eq!(ids(&dead).await, [2, 3]);
        expect(&command.run(["outbox", "discard", "2"]).await, 0);
        assert_eq!(ids(&["outbox", "list", "--json"]).await, [1, 3, 4]);
        for verb in ["replay", "discard"] {
            refused(&command.run(["outbox", verb, "2"]).await, 1, "2");
            refused(&command.run(["outbox", verb, "4"]).await, 1, "4");
        }
        expect(&command.run(["outbox", "replay", "--all"]).await, 0);
        assert!(ids(&dead).await.is_empty());
        let relayed = command.run(["jobs", "run", "relayOutboxEvents", "--json"]).await;
        assert_eq!(relayed.json()["affected"], 3);
        let audit = command.run(["outbox", "audit", "--json"]).await.json();
        let acts: Vec<_> = audit.as_array().unwrap().iter().map(|entry| (entry["action"].as_str().unwrap(), entry["event"].as_i64().unwrap())).collect();
        assert_eq!(acts, [("REPLAY_ALL", 3), ("DISCARD", 2), ("REPLAY", 1)]);
        let actor = audit[0]["actor"].as_str().unwrap();
        assert!(actor.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()), "{actor}");
        let table = command.run(["outbox", "audit", "--limit", "1"]).await;
        assert!(table.stdout.contains("REPLAY_ALL") && !table.stdout.contains("DISCARD"), "{table:?}");
        assert!(ids(&["outbox", "list", "--json"]).await.is_empty());
    }

    async fn members_are_made_once_and_only_with_an_address(db: testkit::Database) {
        let command = on(&db);
        let create = async |more: &[&str]| {
            let args = ["members", "create"].iter().chain(more);
            command.run(args.copied().collect::<Vec<_>>()).await
        };
        let made = create(&["--email", "boss@example.com", "--name", "Boss", "--admin", "--json"]).await;
        expect(&made, 0);
        let member = made.json();
        assert_eq!((&member["email"], &member["role"]), (&json!("boss@example.com"), &json!("ADMIN")));
        let taken = create(&["--email", "boss@example.com", "--name", "Other"]).await;
        refused(&taken, 1, "boss@example.com");
        refused(&create(&["--email", "boss", "--name", "Boss"]).await, 2, "boss");
        refused(&create(&["--email", "boss2@example.com", "--name", " "]).await, 2, "name");
        let plain = create(&["--email", "two@example.com", "--name", "Two", "--json"]).await;
        assert_eq!(plain.json()["role"], "MEMBER");
    }

    async fn the_day_is_that_of_seoul_whatever_the_zone_of_the_server(db: testkit::Database) {
        let command = on(&db);
        expect(&command.run(["migrate"]).await, 0);
        let rows = db.connect().await;
        sql(&rows, "INSERT INTO member (id, name, email) VALUES (1, 'One', 'one@example.com'), (2, 'Two', 'two@example.com')").await;
        for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"] {
            // Asked again when midnight in Seoul passes meanwhile.
            loop {
                let today = Utc::now().with_timezone(&Seoul).date_naive();
                sql(&rows, "DELETE FROM learn_stats").await;
                for (member, ago) in [(1, 1), (2, 2)] {
                    let last = today - Days::new(ago);
                    sql(&rows, &format!(
                        "INSERT INTO learn_stats (member_id, consecutive_learning_days, last_learning_date) VALUES ({member}, 5, '{last}')"
                    ))
                    .await;
                }
                let node = command.clone().env("TZ", zone);
                let ran = node.run(["jobs", "run", "validateConsecutiveLearning", "--json"]).await;
                expect(&ran, 0);
                if Utc::now().with_timezone(&Seoul).date_naive() == today {
                    assert_eq!(ran.json()["affected"], 1, "{zone}");
                    break;
                }
            }
        }
    }
}
