//! The crash matrix: a process that runs the real service is killed at every step of a delivery, over and over on the same
//! database, while PostgreSQL and RabbitMQ crash as well. At the end nothing is lost, nothing was made up, and nothing
//! happened twice.
//!
//! - `plan`: what the seed decides about a round.
//! - `child`: the process that is killed, and `deadly`, by which it kills itself; `hands`: what members do in it.
//! - `lane`: rounds on one database, one after the other; `broker`: the RabbitMQ that all lanes share.
//! - `taps`: what triggers in the database write down; `books`: what must hold between rounds and at the end.
//!
//! `PULLIT_CRASH_SEED` and `PULLIT_CRASH_ROUNDS` (for each database) run another matrix, or a failed one again.

#![allow(
    clippy::disallowed_methods,
    reason = "tests live in real time, and are told of their servers by the environment"
)]
#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests, which clippy does not take for tests"
)]

mod books;
mod broker;
mod child;
mod deadly;
mod hands;
mod lane;
mod plan;
mod taps;

use testkit::{Database, postgres, server};

use broker::Broker;
use lane::Lane;
use plan::{STEPS, STEPS_OUTSIDE};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{name} is no number: {error}"))
    })
}

fn seed() -> u64 {
    number("PULLIT_CRASH_SEED", 20_261_123)
}

fn rounds() -> u64 {
    number("PULLIT_CRASH_ROUNDS", 200)
}

/// Half of the rounds with the work table, half with RabbitMQ, each half on a database of its own.
async fn matrix(
    name: &'static str,
    databases: [Database; 2],
    mut server: Option<&mut server::Postgres>,
) {
    let (seed, rounds) = (seed(), rounds());
    let half = rounds / 2;
    // It takes a while.
    let broker = broker::in_the_background(async || Broker::shared().await);
    let lane = Lane::new(name, &databases[0], None, server.as_deref_mut()).await;
    let mut deaths = lane.run(seed, 0..half).await;
    let broker = broker.await.unwrap();
    let lane = Lane::new(name, &databases[1], Some(broker), server).await;
    deaths.extend(lane.run(seed, half..rounds).await);
    let died_at = |step: &str| rounds < 200 || deaths.contains_key(step);
    for (step, _) in STEPS {
        assert!(died_at(step), "no node died when it had {step}");
    }
    let outside = STEPS_OUTSIDE.iter().any(|(step, _)| died_at(step));
    assert!(outside, "no node died on the way to the broker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_moment_a_node_on_sqlite_dies_at_every_effect_happens_once() {
    let databases = [Database::sqlite(), Database::sqlite()];
    matrix("sqlite", databases, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_moment_a_node_or_its_postgres_dies_at_every_effect_happens_once() {
    let mut server = server::Postgres::start().await;
    let database = async || postgres::Database::create_on(&server.url()).await;
    let databases = [database().await, database().await].map(Database::Postgres);
    matrix("postgres", databases, Some(&mut server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the matrix kills; alone it does nothing"]
async fn child() {
    child::run().await;
}
