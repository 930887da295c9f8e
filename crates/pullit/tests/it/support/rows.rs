//! Looking at the rows behind the doors, and preparing some.

use ground::{Column, Dialects, Statements, Value};
use testkit::wait;

use super::{BOUND, Server};

impl Server {
    /// The first column of the first row.
    ///
    /// # Panics
    /// When there is no row, or its value is of another type.
    pub(crate) async fn value<T: Column + Send + 'static>(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> T {
        let found = self
            .app
            .db
            .read()
            .scalar::<T, _>(sql, values)
            .await
            .unwrap();
        found.unwrap_or_else(|| panic!("no row for {sql}"))
    }

    /// `SELECT COUNT(*) …`, or any other number.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.value(sql, Vec::new()).await
    }

    /// A text; empty for NULL.
    pub(crate) async fn text(&self, sql: &'static str, values: Vec<Value>) -> String {
        self.value::<Option<String>>(sql, values)
            .await
            .unwrap_or_default()
    }

    /// Changes rows; how many.
    pub(crate) async fn change(&self, sql: &'static str, values: Vec<Value>) -> u64 {
        self.app.db.write().run(sql, values).await.unwrap()
    }

    /// Changes rows where the two databases need different words; how many.
    pub(crate) async fn change_each(
        &self,
        sqlite: &'static str,
        postgres: &'static str,
        values: Vec<Value>,
    ) -> u64 {
        let sql = Dialects { sqlite, postgres };
        self.app.db.write().run(sql, values).await.unwrap()
    }

    /// Waits until a number is as expected.
    ///
    /// # Panics
    /// When it does not get there in time.
    pub(crate) async fn until_number(&self, sql: &'static str, expected: i64) {
        wait::until(sql, BOUND, async || self.number(sql).await == expected).await;
    }

    /// Waits until the outbox and the workers' queue are empty: whatever was asked for has had its effect.
    pub(crate) async fn settled(&self) {
        // In one statement: work goes from the one to the other in one transaction.
        self.until_number(
            "SELECT (SELECT COUNT(*) FROM outbox_event WHERE status = 'PENDING') + (SELECT COUNT(*) FROM work_item)",
            0,
        )
        .await;
    }

    /// A READY source of a member with this text, as if it had been uploaded and read.
    pub(crate) async fn ready_source(&self, member: i64, text: &str) -> i64 {
        let id = self
            .app
            .db
            .write()
            .scalar::<i64, _>(
                "INSERT INTO source (member_id, original_name, content_type, file_path, file_size_bytes, status) \
                 VALUES ($1, '자료.txt', 'text/plain', $2, $3, 'READY') RETURNING id",
                vec![
                    member.into(),
                    format!("sources/{member}/{}", uuid::Uuid::new_v4()).into(),
                    i64::try_from(text.len()).unwrap().into(),
                ],
            )
            .await
            .unwrap()
            .unwrap();
        self.change(
            "INSERT INTO source_text (source_id, content) VALUES ($1, $2)",
            vec![id.into(), text.into()],
        )
        .await;
        id
    }
}
