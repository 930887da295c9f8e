//! Programs of publishes, faults, cuts and waits, thrown at random, against what must hold whatever happens: every effect
//! exactly once, every delivery at least once, the order of each key, nothing lost.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use outbox::{ApplyError, DeliveryError, Event, EventStatus, NewEvent, Relay};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Ledger, Outbox, Wire, long_run, run};

/// Where events go: into the ledger, out by the wire, both, or nowhere.
const TYPES: [&str; 4] = ["IN", "OUT", "BOTH", "NOWHERE"];

#[derive(Debug, Clone, Copy)]
enum Fault {
    Failed,
    Unavailable,
    Refused,
}

#[derive(Debug, Clone)]
struct Published {
    event_type: usize,
    key: u8,
    /// What its destinations say at first, and how often.
    fault: Option<(Fault, u8)>,
}

#[derive(Debug, Clone)]
enum Act {
    Publish(Vec<Published>),
    Run,
    /// A run that ends anywhere.
    CutRun(u16),
    Wait(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let fault = prop_oneof![
        4 => Just(Fault::Failed),
        2 => Just(Fault::Unavailable),
        1 => Just(Fault::Refused)
    ];
    let published = (
        prop_oneof![6 => Just(0), 3 => Just(1), 2 => Just(2), 1 => Just(3_usize)],
        0..5_u8,
        prop::option::weighted(0.15, (fault, 1..4_u8)),
    );
    let published = published.prop_map(|(event_type, key, fault)| Published {
        event_type,
        key,
        fault,
    });
    let act = prop_oneof![
        4 => prop::collection::vec(published, 1..12).prop_map(Act::Publish),
        3 => Just(Act::Run),
        3 => (1..120_u16).prop_map(Act::CutRun),
        2 => (1..70_u8).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..20)
}

/// The faults that are left, by destination and event.
#[derive(Default)]
struct Faults(Mutex<HashMap<(&'static str, i64), u64>>);

impl Faults {
    fn next(&self, destination: &'static str, event: &Event) -> Option<Fault> {
        let times = event.payload["times"].as_u64()?;
        let mut met = self.0.lock().unwrap();
        let met = met.entry((destination, event.id)).or_default();
        *met += 1;
        let fault = match event.payload["fault"].as_str()? {
            "Failed" => Fault::Failed,
            "Unavailable" => Fault::Unavailable,
            _ => Fault::Refused,
        };
        // Whoever refuses keeps to it: a run that is cut may forget that it was told.
        let stays = destination == "wire" && matches!(fault, Fault::Refused);
        (stays || *met <= times).then_some(fault)
    }
}

struct World {
    outbox: Outbox,
    relay: Relay,
    wire: Arc<Wire>,
    published: BTreeMap<i64, Published>,
}

impl World {
    async fn new(database: testkit::Database, batch_size: u64) -> Self {
        let outbox = Outbox::new(database).await;
        let faults = Arc::new(Faults::default());
        let ledger = Ledger::failing("ledger", {
            let faults = Arc::clone(&faults);
            move |event| {
                let fault = faults.next("ledger", event)?;
                let id = event.id;
                let reason = format!("{fault:?}");
                Some(match fault {
                    Fault::Failed => ApplyError::Event { id, reason },
                    _ => ApplyError::Failed(reason),
                })
            }
        });
        let wire = Wire::failing("wire", move |event| {
            let fault = faults.next("wire", event)?;
            let reason = format!("{fault:?}");
            Some(match fault {
                Fault::Failed => DeliveryError::Failed(reason),
                Fault::Unavailable => DeliveryError::Unavailable(reason),
                Fault::Refused => DeliveryError::Refused(reason),
            })
        });
        let relay = outbox
            .relay()
            .route("IN", ledger.to())
            .route("OUT", wire.to())
            .route("BOTH", ledger.to())
            .route("BOTH", wire.to())
            .batch_size(batch_size)
            .build()
            .unwrap();
        Self {
            outbox,
            relay,
            wire,
            published: BTreeMap::new(),
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Publish(events) => self.publish(events).await,
            Act::Run => drop(run(&self.relay).await),
            Act::CutRun(polls) => self.run_cut_after(polls).await,
            Act::Wait(seconds) => self.outbox.advance(Duration::from_secs(seconds.into())),
        }
    }

    async fn publish(&mut self, events: Vec<Published>) {
        let before = self.outbox.stored_ids().await;
        let new = events.iter().map(|event| {
            let payload = match event.fault {
                Some((fault, times)) => json!({ "fault": format!("{fault:?}"), "times": times }),
                None => json!({}),
            };
            NewEvent::new(TYPES[event.event_type], format!("k{}", event.key), payload)
        });
        let now = self.outbox.now();
        self.outbox.publish_all_at(new.collect(), now).await;
        let before: HashSet<i64> = before.into_iter().collect();
        let mut ids = self.outbox.stored_ids().await;
        ids.retain(|id| !before.contains(id));
        assert_eq!(ids.len(), events.len());
        self.published.extend(ids.into_iter().zip(events));
    }

    /// Polls a run so many times and then drops it, as a crash would.
    async fn run_cut_after(&self, polls: u16) {
        let all = long_run();
        let mut future = pin!(self.relay.run(&all));
        let mut left = polls;
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            future.as_mut().poll(context).map(drop)
        })
        .await;
    }

    /// Lets every retry come, and judges.
    async fn judge(&self) {
        // Each fault costs a minute at most, one after the other for a key.
        for _ in 0..1000 {
            run(&self.relay).await;
            let backlog = outbox::backlog(&self.outbox.db).await.unwrap();
            if backlog.pending.count == 0 {
                break;
            }
            self.outbox.advance(Duration::from_secs(60));
        }
        let mut dead = HashSet::new();
        for event in self.outbox.stored().await {
            assert_eq!(
                event.status,
                EventStatus::Dead,
                "{event:?} was never settled"
            );
            dead.insert(event.id);
        }
        for (id, event) in &self.published {
            let refused = matches!(event.fault, Some((Fault::Refused, _))) && event.event_type != 0;
            assert_eq!(
                dead.contains(id),
                refused || event.event_type == 3,
                "{id}: {event:?}"
            );
        }
        let effects = self.outbox.effects().await;
        self.in_order("an effect", &effects);
        for (id, event) in &self.published {
            let times = effects.iter().filter(|effect| *effect == id).count() as u8;
            let due = u8::from(matches!(event.event_type, 0 | 2));
            // The wire may refuse what the ledger has not accepted yet.
            let least = if dead.contains(id) { 0 } else { due };
            assert!(
                (least..=due).contains(&times),
                "{times} effects of {id}: {event:?}"
            );
        }
        let mut first = HashSet::new();
        let mut sent = self.wire.asked();
        sent.retain(|id| first.insert(*id));
        self.in_order("a delivery", &sent);
        for (id, event) in &self.published {
            let due = matches!(event.event_type, 1 | 2);
            assert_eq!(first.contains(id), due, "deliveries of {id}: {event:?}");
        }
    }

    fn in_order(&self, what: &str, ids: &[i64]) {
        let mut last: HashMap<u8, i64> = HashMap::new();
        for id in ids {
            let key = self.published[id].key;
            let before = last.insert(key, *id);
            assert!(
                before.is_none_or(|before| before < *id),
                "{what} of {id} after {before:?}"
            );
        }
    }
}

fn check(acts: Vec<Act>, batch_size: u64, database: impl AsyncFnOnce() -> testkit::Database) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(database().await, batch_size).await;
        for act in acts {
            world.act(act).await;
        }
        world.judge().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_lost_or_repeated_or_out_of_order_on_sqlite(
        acts in acts(), batch_size in 1..30_u64
    ) {
        check(acts, batch_size, async || testkit::Database::sqlite());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_lost_or_repeated_or_out_of_order_on_postgres(
        acts in acts(), batch_size in 1..30_u64
    ) {
        check(acts, batch_size, testkit::Database::postgres);
    }
}
