//! `observability { otlp { … } }`: where traces and log records go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::header::Header;

/// The block `otlp`. Nothing is sent without an endpoint, here or in `OTEL_EXPORTER_OTLP_ENDPOINT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Otlp {
    /// `endpoint URL`: the collector, without the path of a signal.
    pub endpoint: Option<Box<str>>,
    /// `protocol grpc | http/protobuf`.
    pub protocol: OtlpProtocol,
    /// `header NAME VALUE`, any number of times.
    pub headers: Vec<Header>,
    /// `timeout SECONDS`: bound of one try.
    pub timeout: Duration,
    /// `sample_checks N`: of chains in which nothing but checks happened, one in N is sent; none if 0.
    pub sample_checks: u32,
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: OtlpProtocol::default(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            sample_checks: 100,
        }
    }
}

/// How OTLP travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtlpProtocol {
    /// Protobuf in POST requests of HTTP/1.1.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}
