//! Nodes, the database and connections die under open streams.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use ground::{Database, Row, Statements};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::wait;
use tokio::sync::mpsc;

use crate::TIMEOUT;
use crate::book::Book;
use crate::cluster::{Cluster, NODES};
use crate::events;
use crate::tab::Tab;

const MEMBERS: usize = 300;
const TABS: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Blow {
    Node,
    AllNodes,
    Listeners,
    Everything,
    Postgres,
}

const BLOWS: [Blow; 14] = [
    Blow::Node,
    Blow::Node,
    Blow::Node,
    Blow::Node,
    Blow::Node,
    Blow::Node,
    Blow::AllNodes,
    Blow::Listeners,
    Blow::Listeners,
    Blow::Listeners,
    Blow::Everything,
    Blow::Everything,
    Blow::Postgres,
    Blow::Postgres,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_every_notification_arrives_at_each_tab_once_and_in_order() {
    let seed = std::env::var("PULLIT_CHAOS_SEED").map_or(20_261_123, |seed| seed.parse().unwrap());
    let began = Instant::now();
    let mut cluster = Cluster::start().await;
    let mut dice = StdRng::seed_from_u64(seed);
    let members = sign_in(&cluster, &mut dice).await;
    let book = Arc::new(Book::of(members.len() * TABS));
    let tabs = open(&cluster, &members, &book, seed).await;
    let ready = began.elapsed();

    let mut blows = BLOWS;
    blows.shuffle(&mut dice);
    let mut published = Published::default();
    for blow in blows {
        published.some(&cluster.db, &members, &mut dice).await;
        strike(&mut cluster, blow, &mut dice).await;
        published.some(&cluster.db, &members, &mut dice).await;
        // The next blow falls while some are still on their way.
        let enough = published.tabs * dice.random_range(50..100) / 100;
        wait::until("some notifications arrive", TIMEOUT, async || {
            book.total() >= enough
        })
        .await;
    }
    cluster.all_alive().await;
    wait::until("all notifications arrive", TIMEOUT, async || {
        book.total() >= published.tabs
    })
    .await;
    let settled = began.elapsed();
    // Once more from where each tab is: it has everything, and is told nothing again.
    book.forget_returns();
    strike(&mut cluster, Blow::AllNodes, &mut dice).await;
    wait::until("every tab is back", TIMEOUT, async || {
        book.total() >= published.tabs && book.all_are_back()
    })
    .await;
    for tab in tabs {
        tab.abort();
    }
    close(
        &cluster,
        &members,
        &book,
        &published,
        seed,
        [ready, settled],
    )
    .await;
}

/// Each member's id and access token.
type Members = Vec<(i64, String)>;

async fn sign_in(cluster: &Cluster, dice: &mut StdRng) -> Members {
    let client = testkit::http::direct();
    let node = cluster.addresses.any(dice).unwrap();
    let tokens: BTreeMap<String, String> = stream::iter(0..MEMBERS)
        .map(|n| {
            let email = format!("m{n}@pullit.test");
            let request = client
                .post(format!("{node}/auth/dev-login"))
                .json(&json!({"email": email}));
            async move {
                let answer: Value = request.send().await?.error_for_status()?.json().await?;
                let token = answer["accessToken"].as_str().unwrap().to_owned();
                Ok::<_, reqwest::Error>((email, token))
            }
        })
        .buffer_unordered(8)
        .try_collect()
        .await
        .unwrap();
    let rows = rows(&cluster.db, "SELECT id, email FROM member ORDER BY id").await;
    let members: Members = rows
        .iter()
        .map(|row| {
            let email: String = row.get("email").unwrap();
            (row.get("id").unwrap(), tokens[&email].clone())
        })
        .collect();
    assert_eq!(members.len(), MEMBERS);
    members
}

async fn open(
    cluster: &Cluster,
    members: &Members,
    book: &Arc<Book>,
    seed: u64,
) -> Vec<tokio::task::JoinHandle<()>> {
    let client = testkit::http::direct();
    let (open, mut opened) = mpsc::unbounded_channel();
    let tabs: Vec<_> = (0..members.len() * TABS)
        .map(|number| {
            let tab = Tab {
                number,
                token: members[number / TABS].1.clone(),
                client: client.clone(),
                nodes: Arc::clone(&cluster.addresses),
                book: Arc::clone(book),
                open: open.clone(),
            };
            tokio::spawn(tab.listen(seed))
        })
        .collect();
    for _ in &tabs {
        let opened = tokio::time::timeout(TIMEOUT, opened.recv()).await;
        opened.expect("all streams open").unwrap();
    }
    tabs
}

async fn strike(cluster: &mut Cluster, blow: Blow, dice: &mut StdRng) {
    match blow {
        Blow::Node => cluster.kill(dice.random_range(0..NODES)).await,
        Blow::AllNodes => {
            for number in 0..NODES {
                cluster.kill(number).await;
            }
        }
        Blow::Listeners => cluster.cut_listeners().await,
        Blow::Everything => cluster.cut_everything().await,
        Blow::Postgres => cluster.restart_postgres().await,
    }
}

#[derive(Default)]
struct Published {
    sets: i64,
    /// What all tabs together are to be told.
    tabs: usize,
}

impl Published {
    /// Some for many members, and many for one.
    async fn some(&mut self, db: &Database, members: &Members, dice: &mut StdRng) {
        let busy = members.choose(dice).unwrap().0;
        let mut sets = Vec::new();
        for n in 0..dice.random_range(40..160) {
            let member = if n % 10 == 0 {
                busy
            } else {
                members.choose(dice).unwrap().0
            };
            self.sets += 1;
            sets.push((self.sets, member));
        }
        self.tabs += sets.len() * TABS;
        // One transaction: when the answer is lost with the connection, the sets tell whether it was committed.
        let last = format!(
            "SELECT 1 AS n FROM outbox_event WHERE (payload ->> 'questionSetId')::bigint = {0} \
            UNION ALL SELECT 1 FROM notification WHERE (payload ->> 'questionSetId')::bigint = {0}",
            self.sets
        );
        let deadline = Instant::now() + TIMEOUT;
        while let Err(error) = events::publish(db, &sets).await {
            assert!(Instant::now() < deadline, "{error}");
            let mut there = None;
            while there.is_none() {
                assert!(Instant::now() < deadline, "{error}");
                let last = AssertSqlSafe(last.clone());
                there = db.raw_rows(last, vec![]).await.ok();
            }
            if there.is_some_and(|rows| !rows.is_empty()) {
                return;
            }
        }
    }
}

async fn rows(db: &Database, sql: &'static str) -> Vec<Row> {
    db.raw_rows(sql, vec![]).await.unwrap()
}

/// Every notification of a member was told to each of the member's tabs, once and in order, and every set is one notification.
#[expect(clippy::print_stderr, reason = "what the chaos has seen")]
async fn close(
    cluster: &Cluster,
    members: &Members,
    book: &Book,
    published: &Published,
    seed: u64,
    [ready, settled]: [Duration; 2],
) {
    book.total();
    assert!(
        book.reconnects() >= 2 * members.len() * TABS,
        "all nodes died twice"
    );
    let stored = rows(
        &cluster.db,
        "SELECT id, member_id, (payload ->> 'questionSetId')::bigint AS set_id, \
         (extract(epoch FROM created_at) * 1000000)::bigint AS stored_at FROM notification ORDER BY id",
    )
    .await;
    let mut sets: Vec<i64> = Vec::new();
    let mut expected: HashMap<i64, Vec<i64>> = HashMap::new();
    let mut stored_at = HashMap::new();
    for row in &stored {
        let id: i64 = row.get("id").unwrap();
        sets.push(row.get("set_id").unwrap());
        stored_at.insert(id, row.get::<i64>("stored_at").unwrap());
        let member = row.get("member_id").unwrap();
        expected.entry(member).or_default().push(id);
    }
    sets.sort_unstable();
    assert_eq!(sets, (1..=published.sets).collect::<Vec<_>>());
    let mut delays = Vec::new();
    for (number, told) in book.tabs().iter().enumerate() {
        let member = members[number / TABS].0;
        let ids: Vec<i64> = told.iter().map(|told| told.id).collect();
        let expected = expected.get(&member).cloned().unwrap_or_default();
        assert_eq!(
            ids, expected,
            "tab {number} of member {member}, seed {seed}"
        );
        delays.extend(told.iter().map(|told| told.at - stored_at[&told.id]));
    }
    delays.sort_unstable();
    let millis = |share: usize| delays[(delays.len() - 1) * share / 1000] / 1000;
    eprintln!(
        "seed {seed}: {} notifications told {} times; {} streams opened again; deaths: {:?}; from stored to told: median {} ms, \
         99 % {} ms, longest {} ms; ready after {ready:?}, all told after {settled:?}",
        published.sets,
        delays.len(),
        book.reconnects(),
        cluster.deaths(),
        millis(500),
        millis(990),
        millis(1000),
    );
}
