//! Slots: run as they come, skipped, or caught up on when they were missed.

mod catch_up;
mod owed;
mod step;
