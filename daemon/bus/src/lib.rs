//! Events, world, counters, history and hub of keepwatch.
