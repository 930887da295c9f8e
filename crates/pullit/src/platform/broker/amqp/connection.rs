//! One connection to the broker, opened when it is needed.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use tokio::sync::Mutex;

use super::topology::Topology;
use crate::platform::broker::BrokerError;

/// Longest time of connecting, and of making or checking the queues.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time of taking leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection that is made when it is needed, and made anew when it broke. Each new one makes or checks the queues first.
pub(super) struct LazyConnection {
    address: AMQPUri,
    name: String,
    topology: Arc<Topology>,
    connection: Mutex<Option<Connection>>,
}

impl LazyConnection {
    pub(super) fn new(address: AMQPUri, name: String, topology: Arc<Topology>) -> Self {
        Self {
            address,
            name,
            topology,
            connection: Mutex::new(None),
        }
    }

    /// A new channel.
    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        in_time(async {
            let mut connection = self.connection.lock().await;
            if let Some(open) = connection.as_ref().filter(|open| open.status().connected()) {
                return open.create_channel().await;
            }
            *connection = None;
            let properties =
                ConnectionProperties::default().with_connection_name(self.name.as_str().into());
            let open = Connection::connect_uri(self.address.clone(), properties).await?;
            self.topology.declare(&open.create_channel().await?).await?;
            let channel = open.create_channel().await?;
            *connection = Some(open);
            Ok(channel)
        })
        .await
    }

    /// Whether the broker answers and has the queue. When it has not, the next call finds a new connection, which makes it: on a node
    /// that has nothing to send nobody else would.
    pub(super) async fn check(&self) -> Result<(), BrokerError> {
        let channel = self.channel().await?;
        let passive = QueueDeclareOptions {
            passive: true,
            ..Default::default()
        };
        let queue = self.topology.work().clone();
        let declare = channel.queue_declare(queue, passive, FieldTable::default());
        let Ok(found) = tokio::time::timeout(TIMEOUT, declare).await else {
            return Err(no_answer());
        };
        let Err(error) = found else { return Ok(()) };
        if is_missing(&error) {
            self.close().await;
        }
        Err(broker_error(error))
    }

    /// The next channel is one of a new connection.
    pub(super) async fn close(&self) {
        let gone = self.connection.lock().await.take();
        if let Some(gone) = gone {
            let farewell = gone.close(lapin::protocol::constants::REPLY_SUCCESS, "OK".into());
            let _late_or_broken = tokio::time::timeout(CLOSE_TIMEOUT, farewell).await;
        }
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, BrokerError> {
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(done) => done.map_err(broker_error),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> BrokerError {
    BrokerError::Unavailable(format!("no answer within {} s", TIMEOUT.as_secs()))
}

fn is_missing(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(said) = error.kind() else {
        return false;
    };
    matches!(said.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
}

/// What an error of the protocol means for us.
pub(super) fn broker_error(error: lapin::Error) -> BrokerError {
    let ErrorKind::ProtocolError(said) = error.kind() else {
        return BrokerError::Unavailable(error.to_string());
    };
    let message = said.get_message();
    match said.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => BrokerError::Refused(format!(
            "an exchange or a queue of ours is there already, made otherwise than this version makes it ({message}). \
             Let the workers empty the queue and delete it, or use another broker.prefix or virtual host"
        )),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => BrokerError::Refused(format!(
            "{message}. Check the user and the password in broker.url, and that the user may configure, write and read there"
        )),
        AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => BrokerError::Refused(format!(
            "{message}. Check the virtual host in broker.url (the default one is written `%2f`) and the user's right to it"
        )),
        _ => BrokerError::Unavailable(message.to_string()),
    }
}
