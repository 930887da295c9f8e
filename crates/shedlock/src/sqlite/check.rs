//! What can be wrong with the tables.

use sqlx::{Row, SqlitePool};

const COLUMNS: &str = "SELECT name, pk FROM pragma_table_info($1)";

const EXPECTED: [(&str, &[&str]); 2] = [
    (
        "shedlock",
        &["name", "lock_until", "locked_at", "locked_by"],
    ),
    ("shedlock_fence", &["name", "token"]),
];

pub(super) async fn problems(pool: &SqlitePool) -> Result<Vec<String>, sqlx::Error> {
    let mut problems = Vec::new();
    for (table, expected) in EXPECTED {
        let rows = sqlx::query(COLUMNS).bind(table).fetch_all(pool).await?;
        if rows.is_empty() {
            problems.push(format!(
                "table {table} is missing: create it as in shedlock::schema::SQLITE"
            ));
            continue;
        }
        let mut columns = Vec::new();
        let mut key = Vec::new();
        for row in rows {
            let name: String = row.try_get("name")?;
            if row.try_get::<i64, _>("pk")? > 0 {
                key.push(name.clone());
            }
            columns.push(name);
        }
        if key != ["name"] {
            problems.push(format!(
                "table {table} has no primary key on name: create it anew"
            ));
        }
        for column in expected
            .iter()
            .filter(|of| !columns.iter().any(|is| is == *of))
        {
            problems.push(format!("column {table}.{column} is missing: add it"));
        }
    }
    Ok(problems)
}
