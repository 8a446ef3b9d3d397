//! A batch to the collector, over either transport. Which answers are worth another try is OTLP's specification's word.

use std::io::Write;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use keepwatch_deliver::http::{Answer, Client, TYPE};
use keepwatch_deliver::{Carrier, Verdict};
use keepwatch_model::OtlpProtocol;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse, logs_service_client::LogsServiceClient,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, trace_service_client::TraceServiceClient,
};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Response, Status};

use crate::records;
use crate::settings::{Error, Settings, Target};

/// What one signal is made of.
pub(crate) trait Signal: Send + Sync + Clone + 'static {
    type Request: Message + Send + 'static;
    type Answer: Message + Default + Send;

    /// A request with this batch.
    fn request(resource: Resource, scope: InstrumentationScope, batch: &[Self]) -> Self::Request;

    /// How many the collector refused, and why.
    fn refused(answer: Self::Answer) -> (i64, String);

    /// Hands it over by gRPC.
    fn export(
        channel: Channel,
        gzip: bool,
        request: Request<Self::Request>,
    ) -> impl Future<Output = Result<Response<Self::Answer>, Status>> + Send;
}

impl Signal for Span {
    type Request = ExportTraceServiceRequest;
    type Answer = ExportTraceServiceResponse;

    fn request(resource: Resource, scope: InstrumentationScope, batch: &[Self]) -> Self::Request {
        let scoped = ScopeSpans { scope: Some(scope), spans: batch.to_vec(), ..Default::default() };
        let of_resource =
            ResourceSpans { resource: Some(resource), scope_spans: vec![scoped], ..Default::default() };
        ExportTraceServiceRequest { resource_spans: vec![of_resource] }
    }

    fn refused(answer: Self::Answer) -> (i64, String) {
        answer.partial_success.map_or((0, String::new()), |part| (part.rejected_spans, part.error_message))
    }

    async fn export(
        channel: Channel,
        gzip: bool,
        request: Request<Self::Request>,
    ) -> Result<Response<Self::Answer>, Status> {
        let client = TraceServiceClient::new(channel);
        let mut client = if gzip { client.send_compressed(CompressionEncoding::Gzip) } else { client };
        client.export(request).await
    }
}

impl Signal for LogRecord {
    type Request = ExportLogsServiceRequest;
    type Answer = ExportLogsServiceResponse;

    fn request(resource: Resource, scope: InstrumentationScope, batch: &[Self]) -> Self::Request {
        let scoped = ScopeLogs { scope: Some(scope), log_records: batch.to_vec(), ..Default::default() };
        let of_resource =
            ResourceLogs { resource: Some(resource), scope_logs: vec![scoped], ..Default::default() };
        ExportLogsServiceRequest { resource_logs: vec![of_resource] }
    }

    fn refused(answer: Self::Answer) -> (i64, String) {
        let part = answer.partial_success;
        part.map_or((0, String::new()), |part| (part.rejected_log_records, part.error_message))
    }

    async fn export(
        channel: Channel,
        gzip: bool,
        request: Request<Self::Request>,
    ) -> Result<Response<Self::Answer>, Status> {
        let client = LogsServiceClient::new(channel);
        let mut client = if gzip { client.send_compressed(CompressionEncoding::Gzip) } else { client };
        client.export(request).await
    }
}

enum Way {
    Http(Client),
    Grpc { channel: Channel, metadata: MetadataMap, timeout: Duration },
}

/// The way to one collector, for one signal.
pub(crate) struct Collector<S> {
    way: Way,
    gzip: bool,
    resource: Resource,
    scope: InstrumentationScope,
    signal: std::marker::PhantomData<fn() -> S>,
}

impl<S: Signal> Collector<S> {
    /// Within a runtime. Nothing is connected to before there is something to send.
    pub(crate) fn new(target: &Target, settings: &Settings) -> Result<Self, Error> {
        let way = match target.protocol {
            OtlpProtocol::Http => Way::Http(Client::new(&target.http)?),
            OtlpProtocol::Grpc => grpc(target)?,
        };
        let attributes = settings.resource.iter().map(|(name, value)| records::text(name, value)).collect();
        let scope = InstrumentationScope {
            name: "keepwatch".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..Default::default()
        };
        let resource = Resource { attributes, ..Default::default() };
        Ok(Self { way, gzip: target.gzip, resource, scope, signal: std::marker::PhantomData })
    }

    async fn by_http(&self, client: &Client, batch: &[S]) -> Verdict {
        let mut body = S::request(self.resource.clone(), self.scope.clone(), batch).encode_to_vec();
        let mut headers = vec![(TYPE, "application/x-protobuf")];
        if self.gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing to memory can't fail; if it did, what is sent would be what there is.
            if let Ok(packed) = encoder.write_all(&body).and_then(|()| encoder.finish()) {
                body = packed;
                headers.push(("content-encoding", "gzip"));
            }
        }
        match client.post(&headers, body).await {
            Answer::Taken(answer) => taken::<S>(S::Answer::decode(&answer[..]).unwrap_or_default()),
            // The specification, "Failures" of OTLP/HTTP: these, and no others.
            Answer::Status { status: 429 | 502 | 503 | 504, text, again } => {
                Verdict::NotNow { error: text, again }
            }
            Answer::Status { text, .. } => Verdict::Never(text),
            Answer::Nothing(error) => Verdict::NotNow { error, again: None },
        }
    }

    async fn by_grpc(
        &self,
        channel: &Channel,
        metadata: &MetadataMap,
        timeout: Duration,
        batch: &[S],
    ) -> Verdict {
        let mut request = Request::new(S::request(self.resource.clone(), self.scope.clone(), batch));
        *request.metadata_mut() = metadata.clone();
        request.set_timeout(timeout);
        let export = S::export(channel.clone(), self.gzip, request);
        match tokio::time::timeout(timeout, export).await {
            Err(_) => Verdict::NotNow { error: "no answer in time".into(), again: None },
            Ok(Ok(answer)) => taken::<S>(answer.into_inner()),
            Ok(Err(status)) => refused(&status),
        }
    }
}

fn taken<S: Signal>(answer: S::Answer) -> Verdict {
    let (refused, why) = S::refused(answer);
    Verdict::Taken { refused: u64::try_from(refused).unwrap_or(0), why }
}

/// The specification, "Failures" of OTLP/gRPC: which codes are worth another try.
fn refused(status: &Status) -> Verdict {
    let mut error = format!("it answers {:?}: {}", status.code(), status.message());
    if let Some(source) = std::error::Error::source(status) {
        error = format!("{error}: {source}");
    }
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Verdict::NotNow { error, again: None },
        // Only if it says when: then its details have a RetryInfo.
        Code::ResourceExhausted if contains(status.details(), b"google.rpc.RetryInfo") => {
            Verdict::NotNow { error, again: None }
        }
        _ => Verdict::Never(error),
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn grpc(target: &Target) -> Result<Way, Error> {
    let settings = &target.http;
    let failed = |reason: String| Error::Grpc { url: settings.url.clone(), reason };
    let mut endpoint = Endpoint::from_shared(settings.url.to_string())
        .map_err(|error| failed(error.to_string()))?
        .connect_timeout(settings.timeout)
        .user_agent(concat!("keepwatch/", env!("CARGO_PKG_VERSION")))
        .map_err(|error| failed(error.to_string()))?;
    match endpoint.uri().scheme_str() {
        Some("http") => {}
        Some("https") => {
            let mut tls = ClientTlsConfig::new();
            tls = match &settings.authority {
                Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
                None => tls.with_native_roots(),
            };
            if let Some(pem) = &settings.identity {
                tls = tls.identity(Identity::from_pem(pem.reveal(), pem.reveal()));
            }
            endpoint = endpoint.tls_config(tls).map_err(|error| failed(error.to_string()))?;
        }
        _ => return Err(failed("it should begin with http:// or https://".into())),
    }
    let mut metadata = MetadataMap::new();
    for (name, value) in &settings.headers {
        let refused = || Error::Client(keepwatch_deliver::http::Error::Header(name.clone()));
        let key: MetadataKey<Ascii> = name.to_ascii_lowercase().parse().map_err(|_| refused())?;
        let mut value: MetadataValue<Ascii> = value.reveal().parse().map_err(|_| refused())?;
        value.set_sensitive(true);
        metadata.append(key, value);
    }
    Ok(Way::Grpc { channel: endpoint.connect_lazy(), metadata, timeout: settings.timeout })
}

impl<S: Signal> Carrier for Collector<S> {
    type Parcel = S;

    async fn carry(&self, batch: &[S]) -> Verdict {
        match &self.way {
            Way::Http(client) => self.by_http(client, batch).await,
            Way::Grpc { channel, metadata, timeout } => {
                self.by_grpc(channel, metadata, *timeout, batch).await
            }
        }
    }
}
