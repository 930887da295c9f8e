//! Nodes on one database, which can be killed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ground::{Database, Statements};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use sqlx::AssertSqlSafe;
use testkit::process::{Command, Pullit};
use testkit::{postgres, server, wait};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::TIMEOUT;
use crate::events;

pub(crate) const NODES: usize = 3;

/// Where the nodes are that live.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<BTreeMap<usize, String>>);

impl Addresses {
    pub(crate) fn any(&self, dice: &mut StdRng) -> Option<String> {
        let nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes: Vec<&String> = nodes.values().collect();
        nodes.choose(dice).map(|node| (*node).clone())
    }

    fn set(&self, node: usize, address: Option<&str>) {
        let mut nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match address {
            Some(address) => nodes.insert(node, address.to_owned()),
            None => nodes.remove(&node),
        };
    }
}

/// Three nodes on a PostgreSQL of their own.
pub(crate) struct Cluster {
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) db: Database,
    nodes: Vec<Node>,
    deaths: BTreeMap<&'static str, usize>,
    // Last: the database is dropped on a server that still runs.
    _database: postgres::Database,
    server: server::Postgres,
}

enum Node {
    Alive(Box<Pullit>),
    Starting(JoinHandle<Pullit>),
    Gone,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let server = server::Postgres::start().await;
        let database = postgres::Database::create_on(&server.url()).await;
        let db = database.connect().await;
        let mut cluster = Self {
            addresses: Arc::default(),
            db,
            nodes: Vec::new(),
            deaths: BTreeMap::new(),
            _database: database,
            server,
        };
        for number in 0..NODES {
            let command = events::node(cluster._database.url());
            cluster
                .nodes
                .push(start(number, &command, &cluster.addresses));
        }
        cluster.all_alive().await;
        cluster
    }

    /// Waits for the nodes that start.
    pub(crate) async fn all_alive(&mut self) {
        for node in &mut self.nodes {
            if let Node::Starting(starting) = node {
                *node = Node::Alive(Box::new(starting.await.unwrap()));
            }
        }
    }

    /// SIGKILL. It is started again meanwhile.
    pub(crate) async fn kill(&mut self, number: usize) {
        self.died("node");
        let node = &mut self.nodes[number];
        let mut pullit = match std::mem::replace(node, Node::Gone) {
            Node::Alive(pullit) => *pullit,
            Node::Starting(starting) => starting.await.unwrap(),
            Node::Gone => panic!("the start of node {number} failed"),
        };
        self.addresses.set(number, None);
        pullit.kill_9();
        *node = start(number, pullit.restartable(), &self.addresses);
    }

    /// The server crashes and is started again.
    pub(crate) async fn restart_postgres(&mut self) {
        // A node that starts without its database ends.
        self.all_alive().await;
        self.died("PostgreSQL");
        self.server.restart().await;
    }

    /// Cuts the connections by which the nodes hear of each other.
    pub(crate) async fn cut_listeners(&mut self) {
        self.died("listeners");
        self.cut("application_name LIKE 'wake-ups of %'").await;
    }

    /// Cuts all connections of the nodes.
    pub(crate) async fn cut_everything(&mut self) {
        self.all_alive().await;
        self.died("all connections");
        self.cut("TRUE").await;
    }

    /// Until at least one was there to be cut.
    async fn cut(&self, which: &str) {
        let cut = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND {which}"
        );
        wait::until("a connection is cut", TIMEOUT, async || {
            let cut = AssertSqlSafe(cut.clone());
            // An error when the connection of the pool is one that died.
            let cut = self.db.scalar::<i64, _>(cut, vec![]).await;
            cut.is_ok_and(|cut| cut.unwrap() > 0)
        })
        .await;
    }

    fn died(&mut self, what: &'static str) {
        *self.deaths.entry(what).or_default() += 1;
    }

    /// What died, and how often.
    pub(crate) fn deaths(&self) -> &BTreeMap<&'static str, usize> {
        &self.deaths
    }
}

fn start(number: usize, command: &Command, addresses: &Arc<Addresses>) -> Node {
    let (command, addresses) = (command.clone(), Arc::clone(addresses));
    let here = Handle::current();
    // What waits with a closure can be no task.
    Node::Starting(tokio::task::spawn_blocking(move || {
        let node = here.block_on(command.start());
        addresses.set(number, Some(node.base_url()));
        node
    }))
}
