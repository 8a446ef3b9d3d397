//! The configuration language of keepalived.conf: source, tree, schema, model, diagnostics.

pub mod model;

pub use model::Config;
