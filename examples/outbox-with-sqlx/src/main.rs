//! Orders and their events in plain sqlx transactions, and a sum that follows them: `DATABASE_URL=postgres://… cargo run`.

use std::{env, error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use outbox::{ApplyError, Connection, Destination, Event, NewEvent, Projection, Relay, RelayRun};
use serde_json::json;
use sqlx::{Executor, PgPool, postgres::PgPoolOptions};

/// Adds up what was ordered, in the transaction that deletes the events.
struct Turnover;

#[async_trait]
impl Projection for Turnover {
    fn name(&self) -> &str {
        "turnover"
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        let won: i64 = events
            .iter()
            .filter_map(|event| event.payload["won"].as_i64())
            .sum();
        let add = sqlx::query("UPDATE turnover SET won = won + $1").bind(won);
        add.execute(tx.postgres()?).await?;
        Ok(())
    }
}

async fn order(shop: &PgPool, customer: i64, won: i64) -> Result<(), Box<dyn Error>> {
    let mut tx = shop.begin().await?;
    let insert = sqlx::query("INSERT INTO purchase (customer, won) VALUES ($1, $2)");
    insert.bind(customer).bind(won).execute(&mut *tx).await?;
    let ordered = NewEvent::new(
        "ORDERED",
        format!("customer:{customer}"),
        json!({ "won": won }),
    );
    outbox::publish(&mut tx, ordered, chrono::Utc::now()).await?;
    Ok(tx.commit().await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // One connection, so that each statement finds the schema.
    let shop = PgPoolOptions::new()
        .max_connections(1)
        .connect(&env::var("DATABASE_URL")?)
        .await?;
    shop.execute(
        "CREATE SCHEMA IF NOT EXISTS outbox_with_sqlx; SET search_path = outbox_with_sqlx",
    )
    .await?;
    shop.execute("DROP TABLE IF EXISTS purchase, turnover")
        .await?;
    shop.execute(
        "CREATE TABLE purchase (customer BIGINT, won BIGINT); CREATE TABLE turnover (won BIGINT)",
    )
    .await?;
    shop.execute("INSERT INTO turnover VALUES (0)").await?;
    outbox::schema::create_tables(&shop).await?;

    for (customer, won) in [(1, 12_000), (2, 8_500), (1, 300)] {
        order(&shop, customer, won).await?;
    }
    let turnover = Destination::Projection(Arc::new(Turnover));
    let relay = Relay::builder(shop.clone())
        .route("ORDERED", turnover)
        .build()?;
    let report = relay.run(&RelayRun::new(Duration::from_secs(10))).await?;

    let sum: i64 = sqlx::query_scalar("SELECT won FROM turnover")
        .fetch_one(&shop)
        .await?;
    println!("{} events delivered, turnover {sum} won", report.delivered);
    (report.delivered == 3 && sum == 20_800)
        .then_some(())
        .ok_or("the sum is wrong")?;
    shop.execute("DROP SCHEMA outbox_with_sqlx CASCADE").await?;
    Ok(())
}
