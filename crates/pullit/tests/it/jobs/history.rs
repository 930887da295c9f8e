//! Random histories: whatever happens in whatever order, in the end the stats are what the ledgers say.
