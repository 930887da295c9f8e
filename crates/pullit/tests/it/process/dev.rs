//! `pullit dev`.

use serde_json::Value;
use testkit::Database;

use super::{expect, on, refused};

const WEEKLY: &str = "triggerWeeklyResetAndRecalibration";

testkit::on_each_database! {
    async fn a_seeded_database_is_measured_with_progress_on_standard_error_and_json_alone_on_standard_output(db: Database) {
        let command = on(&db).env("PULLIT_LIMITS__MEMBER_BATCH", "20");
        let seed = ["dev", "seed", "--members", "200", "--days", "20", "--seed", "3", "--until", "2026-11-22"];
        let seeded = command.run(seed).await;
        expect(&seeded, 0);
        assert!(seeded.stdout.contains("Members 1 to 200 have learned until 2026-11-22."), "{seeded:#?}");
        assert!(seeded.stderr.contains("members: 0 of 200 (0 %)"), "{seeded:#?}");

        let ran = command.run(["jobs", "run", WEEKLY, "--json"]).await;
        expect(&ran, 0);
        assert_eq!(ran.json()["affected"], 200);
        assert!(serde_json::from_str::<Value>(&ran.stdout).is_ok(), "{ran:#?}");
        assert!(ran.stderr.contains(&format!("{WEEKLY}: ")) && ran.stderr.contains(" of 400 ("), "{ran:#?}");

        refused(&command.run(seed).await, 2, "200 members already");
        let more = command.run(seed.into_iter().chain(["--force"])).await;
        expect(&more, 0);
        assert!(more.stdout.contains("Members 201 to 400"), "{more:#?}");
    }
}
