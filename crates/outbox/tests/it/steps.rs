//! What a relay says about its steps, which whoever kills it in between relies on.

use std::{cell::RefCell, sync::Once};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

use crate::support::{Ledger, Outbox, Wire, bad_delivery, report, run};

thread_local! {
    /// What was said on this thread, which is all of a test.
    static SAID: RefCell<Vec<(String, u64)>> = const { RefCell::new(Vec::new()) };
}

struct Steps;

#[derive(Default)]
struct Fields {
    step: String,
    events: u64,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "step" {
            self.step = value.to_owned();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "events" {
            self.events = value;
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl<S: Subscriber> Layer<S> for Steps {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() == "outbox::step" {
            let mut fields = Fields::default();
            event.record(&mut fields);
            SAID.with_borrow_mut(|said| said.push((fields.step, fields.events)));
        }
    }
}

/// From here on, steps are heard.
fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        tracing::subscriber::set_global_default(Registry::default().with(Steps)).unwrap();
        // Another thread may have met a step just before, and have noted that nobody listens.
        tracing::callsite::rebuild_interest_cache();
    });
    SAID.take();
}

fn steps(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected
        .iter()
        .map(|(step, events)| ((*step).to_owned(), *events))
        .collect()
}

testkit::on_each_database! {
    async fn every_step_of_a_projection_is_said_in_its_order(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let relay = outbox.relay().route("A", Ledger::new().to()).batch_size(2).build().unwrap();
        for key in ["a", "b", "c"] {
            outbox.publish("A", key).await;
        }
        listen();
        assert_eq!(run(&relay).await, report(3, 0, 0));
        let batch = |events| {
            ["claimed", "deleted", "applied", "committing", "committed"].map(|step| (step, events))
        };
        assert_eq!(SAID.take(), steps(&[batch(2), batch(1)].concat()));
    }

    async fn every_step_of_a_transport_is_said_in_its_order(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", bad_delivery);
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        for key in ["a", "bad", "c"] {
            outbox.publish("A", key).await;
        }
        listen();
        assert_eq!(run(&relay).await, report(2, 1, 0));
        let settled = ["confirmed", "deleted", "committing", "committed"].map(|step| (step, 2));
        let put_off = [("committing", 1), ("committed", 1)];
        assert_eq!(
            SAID.take(),
            steps(&[&[("claimed", 3)], &settled[..], &put_off[..]].concat())
        );
    }
}
