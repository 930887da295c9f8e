//! Scheduled jobs on PostgreSQL or SQLite: one run per slot, and nothing forgotten.
