//! The statements of the room, by what they serve.

pub(super) mod leases;
pub(super) mod removal;
pub(super) mod sources;
pub(super) mod uploads;
