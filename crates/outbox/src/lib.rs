//! A transactional outbox for SeaORM: publish, relay, inbox, dead letters.
