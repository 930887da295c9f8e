//! Work as an AMQP message, and back.

use chrono::SecondsFormat;
use ground::TraceParent;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use outbox::Event;
use uuid::Uuid;

const PERSISTENT: u8 = 2;
const CONTENT_TYPE: &str = "application/json";

const TRACEPARENT: &str = "traceparent";
const AGGREGATE_KEY: &str = "aggregate_key";
const CREATED_AT: &str = "created_at";
/// Deliveries before the broker began to count anew, because the work was put off.
const DELIVERIES_BEFORE: &str = "deliveries";
/// The broker's count of deliveries that came to nothing.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// A message to be published.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) queue: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

/// What a received message says.
pub(super) struct Content {
    pub(super) event_id: Uuid,
    pub(super) payload: serde_json::Value,
    pub(super) deliveries: i32,
    pub(super) trace: Option<TraceParent>,
}

fn text(value: impl Into<String>) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value.into()))
}

impl Message {
    /// The message that an event becomes.
    pub(super) fn of(event: &Event, queue: ShortString) -> Self {
        let mut headers = FieldTable::default();
        headers.insert(AGGREGATE_KEY.into(), text(event.aggregate_key.as_str()));
        let created_at = event
            .created_at
            .to_rfc3339_opts(SecondsFormat::Micros, false);
        headers.insert(CREATED_AT.into(), text(created_at));
        if let Some(trace) = event.traceparent {
            headers.insert(TRACEPARENT.into(), text(trace.to_string()));
        }
        let mut properties = BasicProperties::default()
            .with_message_id(event.event_id.to_string().into())
            .with_content_type(CONTENT_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_timestamp(u64::try_from(event.created_at.timestamp()).unwrap_or_default())
            .with_headers(headers);
        // Longer than AMQP can say: the routes decide what reaches this queue, so the type is a convenience.
        if let Ok(kind) = ShortString::try_new(event.event_type.as_str()) {
            properties = properties.with_type(kind);
        }
        Self {
            queue,
            properties,
            body: event.payload.to_string().into_bytes(),
        }
    }

    /// The same message for another queue, after so many deliveries. The broker's own remarks stay behind.
    pub(super) fn copy(
        properties: &BasicProperties,
        body: &[u8],
        queue: ShortString,
        deliveries: i32,
    ) -> Self {
        let mut headers = FieldTable::default();
        if let Some(known) = properties.headers() {
            for (key, value) in known {
                if !key.as_str().starts_with("x-") {
                    headers.insert(key.clone(), value.clone());
                }
            }
        }
        let deliveries = AMQPValue::LongLongInt(i64::from(deliveries));
        headers.insert(DELIVERIES_BEFORE.into(), deliveries);
        Self {
            queue,
            properties: properties.clone().with_headers(headers),
            body: body.to_vec(),
        }
    }
}

/// Reads a message; what is wrong with it when it is none of ours.
pub(super) fn read(message: &lapin::message::Delivery) -> Result<Content, String> {
    let id = message.properties.message_id().as_ref();
    let id = id.ok_or("it has no message id")?;
    let headers = message.properties.headers().as_ref();
    let number = |key: &str| {
        let value = headers.and_then(|headers| headers.inner().get(key));
        value.and_then(AMQPValue::as_long_long_int).unwrap_or(0)
    };
    let deliveries = number(DELIVERIES_BEFORE) + number(DELIVERY_COUNT) + 1;
    let trace = headers
        .and_then(|headers| headers.inner().get(TRACEPARENT))
        .and_then(AMQPValue::as_long_string)
        .and_then(|text| std::str::from_utf8(text.as_bytes()).ok())
        .and_then(|text| text.parse().ok());
    Ok(Content {
        event_id: id
            .as_str()
            .parse()
            .map_err(|_| "its message id is no UUID")?,
        payload: serde_json::from_slice(&message.data).map_err(|_| "its body is no JSON")?,
        deliveries: i32::try_from(deliveries).unwrap_or(i32::MAX),
        trace,
    })
}
