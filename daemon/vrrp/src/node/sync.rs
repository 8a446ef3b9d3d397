//! Sync groups at work: what one member does, all do.
