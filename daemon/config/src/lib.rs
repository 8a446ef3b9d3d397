//! The configuration language of keepalived.conf: source, tree, schema, model, diagnostics.
