//! The RabbitMQ that all lanes share, and a tap on what they publish.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use testkit::server::RabbitMq;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, RwLock, RwLockReadGuard};
use tokio::task::JoinHandle;

/// The virtual hosts: a lane has one to itself.
const HOSTS: [&str; 2] = ["sqlite", "postgres"];

const EXCHANGE: &str = "pullit";
const WORK: &str = "pullit.question-generation";
const TAP: &str = "tap";
const TIMEOUT: Duration = Duration::from_secs(60);

static SHARED: Mutex<Weak<Broker>> = Mutex::const_new(Weak::new());

/// A RabbitMQ that crashes now and then.
pub(crate) struct Broker {
    server: RwLock<RabbitMq>,
    crashes: AtomicU32,
}

impl Broker {
    /// The one of all tests that run now; the last of them stops it.
    pub(crate) async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(broker) = shared.upgrade() {
            return broker;
        }
        let broker = Arc::new(Self {
            server: RwLock::new(RabbitMq::start(&HOSTS).await),
            crashes: AtomicU32::new(0),
        });
        *shared = Arc::downgrade(&broker);
        broker
    }

    /// How often it has crashed.
    pub(crate) fn crashes(&self) -> u32 {
        self.crashes.load(Ordering::Relaxed)
    }

    /// It is there, and does not crash as long as this is held.
    pub(crate) async fn at_peace(&self) -> RwLockReadGuard<'_, RabbitMq> {
        self.server.read().await
    }

    /// Crashes it and lets it come back while the rounds go on; not when it is about that already, or somebody needs peace.
    pub(crate) fn crash(self: &Arc<Self>) -> JoinHandle<()> {
        let broker = Arc::clone(self);
        in_the_background(async move || {
            if let Ok(mut server) = broker.server.try_write() {
                broker.crashes.fetch_add(1, Ordering::Relaxed);
                server.restart().await;
            }
        })
    }

    /// Where a lane finds it, with a tap laid.
    pub(crate) async fn url(&self, host: &str) -> String {
        let server = self.at_peace().await;
        let url = server.url(host);
        let (_connection, channel) = connect(&url).await;
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let nothing = FieldTable::default;
        channel
            .exchange_declare(EXCHANGE.into(), ExchangeKind::Direct, durable, nothing())
            .await
            .unwrap();
        let durable = QueueDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let mut quorum = FieldTable::default();
        quorum.insert(
            "x-queue-type".into(),
            AMQPValue::LongString(LongString::from("quorum")),
        );
        channel
            .queue_declare(TAP.into(), durable, quorum)
            .await
            .unwrap();
        let options = QueueBindOptions::default();
        channel
            .queue_bind(TAP.into(), EXCHANGE.into(), WORK.into(), options, nothing())
            .await
            .unwrap();
        url
    }

    /// What the relays have published, in the order in which the broker got it. Work that a worker gave back is none of that.
    pub(crate) async fn tapped(&self, url: &str) -> Vec<String> {
        let (_connection, channel) = connect(url).await;
        let mut tapped = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = channel.basic_get(TAP.into(), options).await.unwrap() {
            let properties = &message.delivery.properties;
            let headers = properties.headers().as_ref();
            let given_back = headers.is_some_and(|headers| {
                headers.inner().contains_key("deliveries")
                    || headers.inner().contains_key("x-death")
            });
            if !given_back {
                tapped.push(properties.message_id().as_ref().unwrap().to_string());
            }
        }
        tapped
    }
}

/// On a thread of its own, because what the test kit waits with is not `Send`.
pub(crate) fn in_the_background<T: Send + 'static>(
    work: impl AsyncFnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work()))
}

async fn connect(url: &str) -> (Connection, Channel) {
    let connecting = async {
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    };
    tokio::time::timeout(TIMEOUT, connecting).await.unwrap()
}
