//! What people and programs watch: Prometheus metrics, JSON and the status page.
