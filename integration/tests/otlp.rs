//! Traces and log records at a collector that decodes OTLP's protobuf, over both transports; and collectors that are no
//! use.

#![allow(clippy::unwrap_used, reason = "a test that can not go on should panic")]

use std::{
    collections::HashMap,
    io::Read,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, conf,
    keepwatchd::{Keepwatchd, Settings},
    nginx::Nginx,
    receiver::{Received, Receiver},
    wait,
    web::WebServer,
};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
    logs::v1::LogRecord,
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::{Request, Response, Status, codec::CompressionEncoding};

const COLLECTOR: &str = "127.0.0.1:4318";
const WEB: &str = "127.0.0.1:8081";

/// What a collector got.
#[derive(Default, Clone)]
struct Seen {
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
    resources: Vec<Resource>,
}

impl Seen {
    fn traces(&mut self, request: ExportTraceServiceRequest) {
        for part in request.resource_spans {
            self.resources.extend(part.resource);
            self.spans.extend(part.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }

    fn logs(&mut self, request: ExportLogsServiceRequest) {
        for part in request.resource_logs {
            self.resources.extend(part.resource);
            self.logs.extend(part.scope_logs.into_iter().flat_map(|scope| scope.log_records));
        }
    }

    /// Of requests over HTTP.
    fn of(received: &[Received]) -> Result<Self> {
        let mut seen = Self::default();
        for request in received {
            ensure!(request.header("content-type") == Some("application/x-protobuf"), "{request:?}");
            let mut body = request.body.clone();
            if request.header("content-encoding") == Some("gzip") {
                body.clear();
                flate2::read::GzDecoder::new(&*request.body).read_to_end(&mut body)?;
            }
            match &*request.path {
                "/v1/traces" => seen.traces(ExportTraceServiceRequest::decode(&*body)?),
                "/v1/logs" => seen.logs(ExportLogsServiceRequest::decode(&*body)?),
                path => anyhow::bail!("nothing is expected at {path}"),
            }
        }
        Ok(seen)
    }

    fn span(&self, name: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.name == name)
    }

    /// The span of VI_1 entering this state.
    fn entering(&self, state: &str) -> Option<&Span> {
        let entering =
            |span: &&Span| span.name == "state_changed" && text(&span.attributes, "keepwatch.to") == state;
        self.spans.iter().find(entering)
    }
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

/// A collector that speaks gRPC.
#[derive(Clone, Default)]
struct Grpc {
    seen: Arc<Mutex<Seen>>,
    keys: Arc<Mutex<Vec<String>>>,
}

impl Grpc {
    fn start(&self, host: &Host, at: SocketAddr) -> Result<Runtime> {
        let listener = host.listen(at)?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (traces, logs) = (TraceServiceServer::new(self.clone()), LogsServiceServer::new(self.clone()));
        let (traces, logs) = (
            traces.accept_compressed(CompressionEncoding::Gzip),
            logs.accept_compressed(CompressionEncoding::Gzip),
        );
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let arrivals = tonic::transport::server::TcpIncoming::from(listener);
        let server = tonic::transport::Server::builder().add_service(traces).add_service(logs);
        runtime.spawn(server.serve_with_incoming(arrivals));
        Ok(runtime)
    }

    fn key<T>(&self, request: &Request<T>) {
        let key = request.metadata().get("x-key").and_then(|key| key.to_str().ok());
        self.keys.lock().unwrap().extend(key.map(str::to_owned));
    }
}

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.key(&request);
        self.seen.lock().unwrap().traces(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Grpc {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.key(&request);
        self.seen.lock().unwrap().logs(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

fn host(name: &str) -> Result<Host> {
    let (_lan, mut hosts) = Lab::new(name)?.routers(1)?;
    Ok(hosts.remove(0))
}

/// A keepwatchd with a notify script and a real server, that exports quickly by these lines of the block `otlp`.
fn director(host: &Host, otlp: &str) -> Settings {
    let instance = Instance::new("VI_1").interval("0.3").line("notify_master /usr/bin/true");
    let config = instance.version_3("script_user root")
        + &conf::virtual_server(&conf::real_server(WEB, ""))
        + &format!("observability {{\n otlp {{\n {otlp}\n }}\n}}\n");
    let quick = Keepwatchd::on(host).config(config).flags(&["--dataplane", "memory"]);
    quick.variable("OTEL_BSP_SCHEDULE_DELAY", "100").variable("OTEL_BLRP_SCHEDULE_DELAY", "100")
}

/// A failover and a server that dies are seen as chains.
fn is_seen_whole(host: &Host, director: &Keepwatchd, seen: impl Fn() -> Seen) -> Result<()> {
    let web = WebServer::start(host, WEB.parse()?, "one")?;
    wait::until("the real server is up", wait::LONG, || {
        director.metric("keepwatch_real_server_up", &[]) == Some(1.0)
    })?;
    drop(web);
    let complete = || {
        let seen = seen();
        let wanted = ["script_exited", "addresses_announced", "real_server_removed"];
        wanted.iter().all(|name| seen.span(name).is_some()).then_some(seen)
    };
    let seen = wait::value("the collector has the spans", wait::LONG, complete)
        .with_context(|| director.process().log())?;

    let master = seen.entering("MASTER").context("the election")?;
    let by_id: HashMap<&[u8], &Span> = seen.spans.iter().map(|span| (&*span.span_id, span)).collect();
    for (name, parent) in [
        ("address_added", "state_changed"),
        ("addresses_announced", "state_changed"),
        ("script_exited", "state_changed"),
    ] {
        let span = seen.span(name).context(name)?;
        assert_eq!(span.trace_id, master.trace_id, "{name} is of the same trace");
        assert_eq!(by_id.get(&*span.parent_span_id).map(|span| &*span.name), Some(parent), "{name}");
    }
    let detected = by_id.get(&*master.parent_span_id).context("what led to it")?;
    assert_eq!(detected.name, "advert_timed_out");
    let waited = detected.end_time_unix_nano - detected.start_time_unix_nano;
    // Three intervals of 0.3 s and the skew (RFC 9568 section 6.1).
    assert!((900_000_000..3_000_000_000).contains(&waited), "{waited}");
    assert!(master.start_time_unix_nano >= detected.end_time_unix_nano);

    let removed = seen.span("real_server_removed").context("the removal")?;
    let of_it = seen.spans.iter().filter(|span| span.trace_id == removed.trace_id);
    let names: Vec<&str> = of_it.map(|span| &*span.name).collect();
    assert!(names.contains(&"check_failed"), "{names:?}");
    for span in &seen.spans {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        let whole = span.parent_span_id.is_empty() || by_id.contains_key(&*span.parent_span_id);
        assert!(whole, "its parent is missing: {span:?}");
    }
    let ids: std::collections::HashSet<_> = seen.spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), seen.spans.len(), "every span came once");

    let entering = |log: &&LogRecord| {
        let body = log.body.as_ref().and_then(|body| body.value.as_ref());
        body == Some(&Value::StringValue("(VI_1) Entering MASTER STATE".into()))
    };
    let log = seen.logs.iter().find(entering).context("the line of the log")?;
    assert_eq!((&log.trace_id, &log.span_id), (&master.trace_id, &master.span_id));
    assert_eq!(
        (log.time_unix_nano, &*log.event_name),
        (master.end_time_unix_nano, "keepwatch.state_changed")
    );
    for resource in &seen.resources {
        assert_eq!(text(&resource.attributes, "service.name"), "edge");
        assert_eq!(text(&resource.attributes, "keepwatch.router_id"), "lab");
        assert_eq!(text(&resource.attributes, "deployment.environment.name"), "the lab");
    }
    Ok(())
}

const ABOUT: (&str, &str) = ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=the%20lab");

#[test]
fn a_failover_is_a_trace_over_http() -> Result<()> {
    let host = host("otlp-http")?;
    let collector = Receiver::start(&host, COLLECTOR.parse()?)?;
    let mut director = director(&host, "endpoint http://127.0.0.1:4318\n header x-key \"a b\"")
        .variable("OTEL_SERVICE_NAME", "edge")
        .variable(ABOUT.0, ABOUT.1)
        .start()?;
    is_seen_whole(&host, &director, || Seen::of(&collector.taken()).unwrap())?;
    assert!(collector.received().iter().all(|request| request.header("x-key") == Some("a b")));
    let delivered = |what: &str| director.metric("keepwatch_delivery_delivered_total", &[what]);
    assert!(delivered("otlp traces").is_some_and(|spans| spans >= 5.0));
    assert_eq!(director.metric("keepwatch_delivery_lost_total", &["otlp traces"]), Some(0.0));
    // What happens at the very end arrives too.
    director.process_mut().stop(wait::LONG)?;
    let seen = Seen::of(&collector.taken())?;
    assert!(seen.span("daemon_stopped").is_some());
    Ok(())
}

#[test]
fn a_failover_is_a_trace_over_grpc() -> Result<()> {
    let host = host("otlp-grpc")?;
    let collector = Grpc::default();
    let _runtime = collector.start(&host, COLLECTOR.parse()?)?;
    let director = director(&host, "sample_checks 1")
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
        .variable("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b")
        .variable("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        .variable("OTEL_SERVICE_NAME", "edge")
        .variable(ABOUT.0, ABOUT.1)
        .start()?;
    is_seen_whole(&host, &director, || collector.seen.lock().unwrap().clone())?;
    assert!(collector.keys.lock().unwrap().iter().all(|key| key == "a b"));
    Ok(())
}

#[test]
fn it_goes_encrypted_and_compressed_to_a_collector_that_wants_to_know_who_it_is() -> Result<()> {
    for (pass, protocol) in [("proxy_pass http", "http/protobuf"), ("grpc_pass grpc", "grpc")] {
        let host = host("otlp-tls")?;
        let behind: SocketAddr = "127.0.0.1:4319".parse()?;
        let made = |name: &str| {
            let made = rcgen::generate_simple_self_signed(vec![name.to_owned()])?;
            let certificate = host.file(&format!("{name}.pem"), &made.cert.pem())?;
            anyhow::Ok((certificate, host.file(&format!("{name}.key"), &made.signing_key.serialize_pem())?))
        };
        let (server, us) = (made("127.0.0.1")?, made("edge.example")?);
        let (grpc, http) = (Grpc::default(), Receiver::start(&host, "127.0.0.1:4320".parse()?)?);
        let _runtime = grpc.start(&host, behind)?;
        let to = if protocol == "grpc" { behind } else { "127.0.0.1:4320".parse()? };
        let _front = Nginx::decrypting(&host, COLLECTOR.parse()?, (pass, to), (&server.0, &server.1), &us.0)?;
        let seen = || match protocol {
            "grpc" => grpc.seen.lock().unwrap().clone(),
            _ => Seen::of(&http.taken()).unwrap(),
        };
        let director = |variables: &[(&str, &std::path::Path)]| {
            let lines = format!("endpoint https://127.0.0.1:4318\n protocol {protocol}");
            let mut director = director(&host, &lines)
                .variable("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
                .variable("OTEL_SERVICE_NAME", "edge")
                .variable(ABOUT.0, ABOUT.1);
            for (name, path) in variables {
                director = director.variable(&format!("OTEL_EXPORTER_OTLP_{name}"), &path.to_string_lossy());
            }
            director.start()
        };
        let authority = ("CERTIFICATE", &*server.0);
        // Whom we do not know gets nothing, and who does not know us takes nothing.
        for (variables, count) in [(&[][..], "failed_tries"), (&[authority], "lost")] {
            let director = director(variables)?;
            let name = format!("keepwatch_delivery_{count}_total");
            wait::until(&format!("{name} counts"), wait::LONG, || {
                director.metric(&name, &["otlp traces"]).is_some_and(|count| count > 0.0)
            })
            .with_context(|| director.process().log())?;
            assert!(seen().spans.is_empty() && seen().logs.is_empty());
        }
        let ours = [authority, ("CLIENT_CERTIFICATE", &*us.0), ("CLIENT_KEY", &*us.1)];
        let director = director(&ours)?;
        is_seen_whole(&host, &director, seen).with_context(|| protocol.to_owned())?;
        let packed = |request: &Received| request.header("content-encoding") == Some("gzip");
        assert!(http.received().iter().all(packed), "{protocol}");
    }
    Ok(())
}

#[test]
fn a_collector_that_is_no_use_costs_what_does_not_fit_and_that_is_counted() -> Result<()> {
    let host = host("otlp-dead")?;
    let at: SocketAddr = COLLECTOR.parse()?;
    // The kernel accepts, nobody reads.
    let silent = host.listen(at)?;
    let mut director = director(&host, "endpoint http://127.0.0.1:4318\n timeout 0.5")
        .variable("OTEL_BSP_MAX_QUEUE_SIZE", "4")
        .variable("OTEL_LOGS_EXPORTER", "none")
        .start()?;
    let traces = |metric: &str| director.metric(metric, &["otlp traces"]);
    let lost = || traces("keepwatch_delivery_lost_total");
    wait::until("spans are lost and counted", wait::LONG, || lost().is_some_and(|lost| lost > 0.0))
        .with_context(|| director.process().log())?;
    director.wait_for_log("otlp traces: not delivered")?;
    director.wait_for_log("no answer in time")?;
    assert_eq!(traces("keepwatch_delivery_works"), Some(0.0));
    assert!(director.answer(&["status"])?.contains("otlp traces"));

    drop(silent);
    let collector = Receiver::start(&host, at)?;
    director.wait_for_log("otlp traces: delivered again")?;
    wait::until("it works", wait::LONG, || traces("keepwatch_delivery_works") == Some(1.0))?;
    // What has arrived and what was lost is all that there was.
    let arrived = || Seen::of(&collector.taken()).map_or(0, |seen| seen.spans.len());
    wait::until("the counts agree", wait::LONG, || {
        traces("keepwatch_delivery_delivered_total") == Some(arrived() as f64)
    })?;
    ensure!(director.process().log().matches("otlp traces: not delivered").count() == 1, "told once");

    // One that hangs does not keep the daemon from ending.
    drop(collector);
    let _silent = host.listen(at)?;
    let began = std::time::Instant::now();
    director.process_mut().stop(wait::LONG)?;
    ensure!(began.elapsed() < wait::SHORT, "{:?}", began.elapsed());
    Ok(())
}

#[test]
fn a_reload_moves_it_and_disabled_is_disabled() -> Result<()> {
    let host = host("otlp-reload")?;
    let collector = Receiver::start(&host, COLLECTOR.parse()?)?;
    let off =
        director(&host, "endpoint http://127.0.0.1:4318").variable("OTEL_SDK_DISABLED", "true").start()?;
    off.wait_for_log("(VI_1) Entering MASTER STATE")?;
    drop(off);
    assert_eq!(collector.received().len(), 0);

    let none = director(&host, "").start()?;
    none.wait_for_log("(VI_1) Entering MASTER STATE")?;
    assert_eq!(collector.received().len(), 0);
    let with = std::fs::read_to_string(none.config_path())?
        .replace("otlp {", "otlp {\n endpoint http://127.0.0.1:4318\n");
    std::fs::write(none.config_path(), with)?;
    none.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    wait::until("the reload is seen by the collector", wait::LONG, || {
        Seen::of(&collector.received()).is_ok_and(|seen| seen.span("config_loaded").is_some())
    })
    .with_context(|| none.process().log())?;
    // Off again: nothing is counted of it any more.
    let counted = || none.metric("keepwatch_delivery_delivered_total", &["otlp traces"]);
    wait::until("what is delivered is counted", wait::LONG, || counted().is_some_and(|count| count > 0.0))?;
    none.reload(
        &std::fs::read_to_string(none.config_path())?.replace("endpoint http://127.0.0.1:4318\n", ""),
    )?;
    wait::until("nothing is counted of it", wait::LONG, || counted().is_none())
}

#[test]
fn the_sampler_decides_which_chains_are_traces_and_takes_no_record_away() -> Result<()> {
    let host = host("otlp-sampler")?;
    let entering = |log: &LogRecord| {
        let body = log.body.as_ref().and_then(|body| body.value.as_ref());
        body == Some(&Value::StringValue("(VI_1) Entering MASTER STATE".into()))
    };
    for (sampler, argument, traced) in
        [("always_off", "", false), ("traceidratio", "0", false), ("parentbased_traceidratio", "1", true)]
    {
        let collector = Receiver::start(&host, COLLECTOR.parse()?)?;
        let mut director = director(&host, "endpoint http://127.0.0.1:4318")
            .variable("OTEL_TRACES_SAMPLER", sampler)
            .variable("OTEL_TRACES_SAMPLER_ARG", argument)
            .start()?;
        let seen = || Seen::of(&collector.taken()).unwrap_or_default();
        wait::until("the collector has the record", wait::LONG, || seen().logs.iter().any(entering))
            .with_context(|| director.process().log())?;
        // What happens at the very end arrives too, so that whatever is to come has come then.
        director.process_mut().stop(wait::LONG)?;
        assert_eq!(seen().entering("MASTER").is_some(), traced, "{sampler} {argument}");
        assert_eq!(seen().spans.is_empty(), !traced, "{sampler} {argument}");
    }
    Ok(())
}

#[test]
fn the_variable_says_how_long_a_collector_is_waited_for() -> Result<()> {
    let host = host("otlp-timeout")?;
    // The kernel accepts, nobody reads. Without the variable it would be waited for as long as the file says.
    let _silent = host.listen(COLLECTOR.parse()?)?;
    let began = std::time::Instant::now();
    let director = director(&host, "endpoint http://127.0.0.1:4318\n timeout 60")
        .variable("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
        .start()?;
    director.wait_for_log("otlp traces: not delivered")?;
    director.wait_for_log("no answer in time")?;
    ensure!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    Ok(())
}
