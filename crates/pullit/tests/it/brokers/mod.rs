//! The way of work from the relay to the workers: one suite for every broker, and what only RabbitMQ can do wrong.

mod conformance;
mod rabbitmq;
mod rig;
mod topology;
