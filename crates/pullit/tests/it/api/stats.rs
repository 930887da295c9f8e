//! `/api/members/{memberId}/…-stats`

use serde_json::{Value, json};
use testkit::wait;

use crate::support::{
    BOUND, Member, Problem, Server, Setup, StubGenerator, TestClock, at, right_answers,
};

async fn quick(db: testkit::Database) -> Server {
    Setup::new().generator(StubGenerator::new()).start(db).await
}

async fn daily(member: &Member, query: &str) -> Value {
    member
        .client
        .get(&format!("/api/members/{}/daily-stats{query}", member.id))
        .await
        .expect(200)
}

testkit::on_each_database! {
    async fn stats_follow_what_is_solved(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let nothing = json!({
            "totalQuestionSetCount": 0, "totalSolvedQuestionSetCount": 0, "totalSolvedQuestionCount": 0,
            "weeklySolvedQuestionCount": 0, "consecutiveLearningDays": 0,
        });
        assert_eq!(member.stats().await, nothing);
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 3).await;
        member.complete_set(&[source], "TRUE_FALSE", 1).await;
        member.mark(&right_answers(&set)).await.expect(200);
        let expected = json!({
            "totalQuestionSetCount": 2, "totalSolvedQuestionSetCount": 1, "totalSolvedQuestionCount": 3,
            "weeklySolvedQuestionCount": 3, "consecutiveLearningDays": 1,
        });
        wait::until("the stats follow", BOUND, async || member.stats().await == expected).await;
        // A deleted set is no living one; what was solved stays solved.
        member.client.delete(&format!("/api/question-set/{}", set["id"])).await.expect(200);
        let after = member.stats().await;
        assert_eq!((&after["totalQuestionSetCount"], &after["totalSolvedQuestionSetCount"]), (&json!(1), &json!(1)));
        server.stop().await;
    }

    async fn one_second_before_and_after_midnight_in_seoul_are_two_days_and_two_weeks(db: testkit::Database) {
        // 2026-11-22 is a Sunday.
        let clock = TestClock::still(at("2026-11-22T14:59:59Z"));
        let server = Setup::new().clock(clock.clone()).generator(StubGenerator::new()).start(db).await;
        let member = server.member("a@pullit.test").await;
        let source = server.ready_source(member.id, "text").await;
        let set = member.complete_set(&[source], "TRUE_FALSE", 2).await;
        let answers = right_answers(&set);
        member.mark(&answers).await.expect(200);
        server.settled().await;
        assert_eq!(member.stats().await["consecutiveLearningDays"], 1);
        clock.stop_at(at("2026-11-22T15:00:01Z"));
        member.mark(&json!([answers[0]])).await.expect(200);
        server.settled().await;
        assert_eq!(daily(&member, "").await, json!([{"date": "2026-11-22", "count": 2}, {"date": "2026-11-23", "count": 1}]));
        let stats = member.stats().await;
        assert_eq!(stats["consecutiveLearningDays"], 2);
        assert_eq!((&stats["totalSolvedQuestionCount"], &stats["weeklySolvedQuestionCount"]), (&json!(3), &json!(1)));
    }

    async fn daily_stats_show_the_days_that_were_asked_for(db: testkit::Database) {
        let clock = TestClock::still(at("2026-11-22T03:00:00Z"));
        let server = Setup::new().clock(clock).start(db).await;
        let member = server.member("a@pullit.test").await;
        for (day, count) in [("2026-10-23", 9), ("2026-10-24", 1), ("2026-11-01", 2), ("2026-11-22", 3), ("2026-11-23", 8)] {
            let date: chrono::NaiveDate = day.parse().unwrap();
            let insert = "INSERT INTO learn_stats_daily (member_id, activity_date, solved_question_count) VALUES ($1, $2, $3)";
            server.change(insert, vec![member.id.into(), date.into(), i64::from(count).into()]).await;
        }
        let item = |date, count| json!({"date": date, "count": count});
        let (first, second, third) = (item("2026-10-24", 1), item("2026-11-01", 2), item("2026-11-22", 3));
        assert_eq!(daily(&member, "").await, json!([first, second, third]), "the thirty days that end today");
        assert_eq!(daily(&member, "?from=2026-11-01&to=2026-11-01").await, json!([second]));
        assert_eq!(daily(&member, "?to=2026-11-01").await, json!([item("2026-10-23", 9), first, second]));
        assert_eq!(daily(&member, "?from=2026-11-02").await, json!([third]));
        assert_eq!(daily(&member, "?from=2026-11-02&to=2026-11-03").await, json!([]));
        daily(&member, "?from=2025-11-22&to=2026-11-22").await;

        let wrong = async |query: &str| {
            let path = format!("/api/members/{}/daily-stats{query}", member.id);
            member.client.get(&path).await.wrong_fields()
        };
        assert_eq!(wrong("?from=2026-11-02&to=2026-11-01").await, ["from"]);
        assert_eq!(wrong("?from=2026-11-31").await, ["from"]);
        assert_eq!(wrong("?from=yesterday&to=22.11.2026").await, ["to", "from"]);
        assert_eq!(wrong("?from=2025-11-21&to=2026-11-22").await, ["from"]);
        assert_eq!(wrong("?from=").await, ["from"]);
    }

    async fn stats_are_for_the_member_and_for_operators_alone(db: testkit::Database) {
        let server = quick(db).await;
        let member = server.member("a@pullit.test").await;
        let stranger = server.member("b@pullit.test").await;
        let admin = server.admin("admin@pullit.test").await;
        for kind in ["learn-stats", "daily-stats"] {
            let path = format!("/api/members/{}/{kind}", member.id);
            stranger.client.get(&path).await.problem(404, "L_001");
            admin.client.get(&path).await.expect(200);
            admin.client.get(&format!("/api/members/999999/{kind}")).await.problem(404, "L_001");
            member.client.get(&format!("/api/members/x/{kind}")).await.problem(404, "C_004");
        }
    }
}
