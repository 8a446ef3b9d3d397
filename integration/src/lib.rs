//! The lab: namespaces, peers, VM; end-to-end tests, benchmarks and the demo.

pub mod vm;
