//! The endpoint over a real socket: what it answers, and what clients that misbehave can not do to it.

#![allow(clippy::unwrap_used, reason = "a test that can not go on should panic")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::{DaemonFact, LinkFact};
use keepwatch_bus::subject::VrrpState;
use keepwatch_export::{Limits, Web, serve, serve_behind};
use story::Story;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

mod story;

/// Long enough for a busy machine; nothing here waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

async fn start(story: &Story, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, story.reader.clone(), limits));
    address
}

/// Sends a request with `Connection: close` and returns all that comes back.
async fn ask(server: SocketAddr, method: &str, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn metrics_have_the_exporter_s_names_and_labels() {
    let story = Story::told("VI_1").await;
    let answer = ask(start(&story, Limits::default()).await, "GET", "/metrics", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for line in [
        "keepalived_up 1",
        "keepalived_vrrp_state{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\",ip_address=\"10.0.0.100/24\"} 2",
        "keepalived_vrrp_excluded_state{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\",ip_address=\"10.0.0.100\"} 2",
        "keepalived_advertisements_received_total{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\"} 42",
        "keepalived_gratuitous_arp_delay_total{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\"} 5",
        "keepalived_check_script_status{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\",ip_address=\"10.0.0.100/24\"} 0",
        "keepwatch_bus_events_total{kind=\"state_changed\"} 1",
        "keepwatch_vrrp_transitions_total{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\",from=\"BACKUP\",to=\"MASTER\",reason=\"advert_timed_out\"} 1",
        "keepwatch_vrrp_advert_gap_seconds_count{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\"} 1",
        "keepwatch_vrrp_advert_gap_max_seconds{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\",sender=\"10.0.0.2\"} 1",
        "keepwatch_ipvs_operations_total{operation=\"add_virtual_server\"} 1",
        "keepwatch_virtual_server_quorum_margin{virtual_server=\"10.0.0.100:80\",protocol=\"tcp\"} -1",
        "keepwatch_check_latency_seconds_bucket{virtual_server=\"10.0.0.100:80\",protocol=\"tcp\",checker=\"TCP_CHECK\",le=\"0.0025\"} 1",
        "keepwatch_real_server_up{virtual_server=\"10.0.0.100:80\",protocol=\"tcp\",real_server=\"10.0.1.1:8080\"} 0",
    ] {
        assert!(body(&answer).lines().any(|l| l == line), "{line} is missing in\n{answer}");
    }
}

/// Asks for the metrics as Prometheus does; the head and the body as it came.
async fn scrape(server: SocketAddr, headers: &str) -> (String, Vec<u8>) {
    get(server, "/metrics", headers).await
}

/// The head and the body of an answer, as it came.
async fn get(server: SocketAddr, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

#[tokio::test]
async fn openmetrics_names_the_event_that_stands_for_a_number() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let (head, body) = scrape(server, "Accept: application/openmetrics-text;version=1.0.0\r\n").await;
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let body = String::from_utf8(body).unwrap();
    let line = body.lines().find(|line| line.starts_with("keepwatch_vrrp_transitions_total{")).unwrap();
    let history = story.reader.history();
    let change = history.iter().find(|event| event.fact.kind() == "state_changed").unwrap();
    assert!(line.contains(&format!(" # {{event_id=\"{}\"}} 1 ", change.id.0)), "{line}");
    assert!(body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn gzip_makes_it_small_and_changes_nothing_else() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let (_, plain) = scrape(server, "").await;
    let (head, packed) = scrape(server, "Accept-Encoding: gzip\r\n").await;
    assert!(head.contains("content-encoding: gzip") && head.contains("vary: accept"), "{head}");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed), &mut text).unwrap();
    assert!(packed.len() * 4 < plain.len(), "{} of {}", packed.len(), plain.len());
    let names = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("process_"));
        lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    assert_eq!(names(&text), names(&String::from_utf8(plain).unwrap()));
}

#[tokio::test]
async fn the_page_is_packed_for_those_who_take_it_so() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let (head, plain) = get(server, "/", "").await;
    assert!(head.contains("vary: accept-encoding") && !head.contains("content-encoding"), "{head}");
    let (head, packed) = get(server, "/", "Accept-Encoding: gzip, br\r\n").await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed), &mut text).unwrap();
    assert!(text.contains("VI_1") && text.ends_with("</html>\n"), "{text}");
    assert!(packed.len() * 2 < plain.len(), "{} of {}", packed.len(), plain.len());
}

#[tokio::test]
async fn a_hostile_name_stays_a_name() {
    let story = Story::told("\"} 1\n<script>alert(1)</script>\\").await;
    let server = start(&story, Limits::default()).await;
    let metrics = ask(server, "GET", "/metrics", "").await;
    assert!(metrics.contains("iname=\"\\\"} 1\\n<script>alert(1)</script>\\\\\","), "{metrics}");
    let page = ask(server, "GET", "/", "").await;
    assert!(!page.contains("<script>"), "{page}");
    assert!(page.contains("&lt;script&gt;"));
}

#[tokio::test]
async fn the_page_says_what_is_and_why() {
    let story = Story::told("VI_1").await;
    let page = ask(start(&story, Limits::default()).await, "GET", "/", "").await;
    for text in
        ["keepwatch on LVS_1", "class=\"state good\">MASTER<", "VG_1", "10.0.1.1:8080", "connection refused"]
    {
        assert!(page.contains(text), "{text} is missing in\n{page}");
    }
    assert!(page.contains("because of #"), "{page}");
}

#[tokio::test]
async fn an_event_has_a_page_with_its_chain() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let changed = story.reader.history().iter().find(|e| e.fact.kind() == "state_changed").cloned().unwrap();
    let page = ask(server, "GET", &format!("/event/{}", changed.id.0), "").await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    let (cause, effect) = ("(VI_1) Receive advertisement timeout", "(VI_1) Entering MASTER STATE");
    let chain = body(&page).split("<ol").nth(1).unwrap();
    assert!(chain.find(cause).unwrap() < chain.find(effect).unwrap(), "{page}");
    assert!(page.contains("&quot;kind&quot;: &quot;state_changed&quot;"), "its data is told: {page}");
    for (path, status) in [("/event/99999999", 404), ("/event/first", 400), ("/event/-1", 400)] {
        let answer = ask(server, "GET", path, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_filter_is_part_of_the_address() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    for (query, there, away) in [
        ("/?q=vi_1", "data-k=\"router VI_1\"", "data-k=\"real"),
        ("/?q=10.0.0.100/24", "data-k=\"router VI_1\"", "data-k=\"real"),
        ("/?q=10.0.1.1", "data-k=\"real [10.0.0.100]:tcp:80 10.0.1.1:8080\"", "data-k=\"router"),
        ("/?q=nothing", "none that the filter wants", "data-k"),
        ("/?q=%22%3E%3Cscript%3Ex", "value=\"&quot;&gt;&lt;script&gt;x\"", "<script>"),
    ] {
        let page = ask(server, "GET", query, "").await;
        assert!(page.contains(there), "{query}: {there} is missing in {page}");
        assert!(!page.contains(away), "{query}: {away} is in {page}");
    }
    for (query, said) in [
        ("/?routers=many", "routers: invalid digit found in string"),
        ("/?span=week", "span: unknown variant `week`, expected `hour` or `day`"),
    ] {
        let refused = ask(server, "GET", query, "").await;
        assert!(refused.starts_with("HTTP/1.1 400 ") && body(&refused) == format!("{said}\n"), "{refused}");
    }
}

#[tokio::test]
async fn a_browser_may_load_nothing_from_elsewhere_and_needs_nothing() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let page = ask(server, "GET", "/", "").await;
    let policy = page.lines().find(|line| line.starts_with("content-security-policy: ")).unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !page.contains("style="), "{policy}");
    for word in ["http://", "https://", "//"] {
        assert!(
            !body(&page).replace("href=\"data:,\"", "").contains(&format!("=\"{word}")),
            "{word}: {page}"
        );
    }
    for (path, kind) in [("/page.css", "text/css"), ("/page.js", "text/javascript")] {
        let answer = ask(server, "GET", path, "").await;
        assert!(answer.contains(&format!("content-type: {kind}")), "{answer}");
        assert!(!body(&answer).contains("http"), "{path} loads nothing");
    }
}

#[tokio::test]
async fn an_open_page_is_told_what_changes_and_only_so_many_are() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits { pages: 1, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut told = String::new();
    wait_for(&mut stream, &mut told, "text/event-stream").await;
    let refused = ask(server, "GET", "/live", "").await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    // The first word says that the page is to be fetched, since nobody knows what it has; then rows come.
    story.changed(VrrpState::Master, VrrpState::Backup);
    wait_for(&mut stream, &mut told, "\"again\":true").await;
    story.changed(VrrpState::Backup, VrrpState::Fault);
    wait_for(&mut stream, &mut told, "\"router VI_1\":\"<tr data-k=\\\"router VI_1\\\" data-bad>").await;
    wait_for(&mut stream, &mut told, "Entering FAULT STATE").await;
}

#[tokio::test]
async fn the_world_and_the_events_are_json() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let world: serde_json::Value =
        serde_json::from_str(body(&ask(server, "GET", "/api/v1/world", "").await)).unwrap();
    assert_eq!(world["instances"][0]["state"], "MASTER");
    let events: serde_json::Value = serde_json::from_str(body(
        &ask(server, "GET", "/api/v1/events?limit=2&kind=state_changed", "").await,
    ))
    .unwrap();
    assert_eq!(events[0]["kind"], "state_changed");
    assert_eq!(events[0]["text"], "(VI_1) Entering MASTER STATE");
    // What narrows nothing must not look as if it did.
    for query in ["limit=many", "since=10m", "kind=state_change"] {
        let refused = ask(server, "GET", &format!("/api/v1/events?{query}"), "").await;
        assert!(refused.starts_with("HTTP/1.1 400 "), "{query}: {refused}");
    }
}

#[tokio::test]
async fn nothing_but_reading_is_allowed() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    for path in ["/", "/metrics", "/api/v1/world", "/nowhere"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = ask(server, method, path, "").await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{method} {path}: {answer}");
        }
    }
    assert!(ask(server, "GET", "/nowhere", "").await.starts_with("HTTP/1.1 404 "));
    assert!(ask(server, "GET", "/-/healthy", "").await.starts_with("HTTP/1.1 200 "));
    assert!(ask(server, "GET", "/-/ready", "").await.starts_with("HTTP/1.1 200 "));
    story.bus.publish(None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    while !story.reader.world().stopping {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(ask(server, "GET", "/-/ready", "").await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn the_probes_say_what_is_wrong() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let (part, doing) = ("ipvs".into(), "read".into());
    let hung = DaemonFact::PartHung { part, doing, since: jiff::Timestamp::UNIX_EPOCH };
    story.bus.publish(None, hung);
    while story.reader.world().hung.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let answer = ask(server, "GET", "/-/healthy", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && body(&answer).contains("ipvs hangs since"), "{answer}");
    story.bus.publish(None, DaemonFact::PartMoves { part: "ipvs".into(), stood: Duration::from_secs(1) });
    let service = keepwatch_bus::sample::service_key(([10, 0, 0, 100], 80));
    let gone = keepwatch_bus::fact::ServiceFact::VirtualServerRemoved { service };
    story.bus.publish(None, gone);
    while story.reader.world().services.values().any(|service| service.present) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(ask(server, "GET", "/-/healthy", "").await.starts_with("HTTP/1.1 200 "));
    let answer = ask(server, "GET", "/-/ready", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && body(&answer).contains("is not in the table yet"),
        "{answer}"
    );
}

#[tokio::test]
async fn who_never_ends_a_handshake_is_dropped() {
    let story = Story::told("VI_1").await;
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let web = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n";
    for (name, text) in
        [("cert.pem", &*made.cert.pem()), ("key.pem", &*made.signing_key.serialize_pem()), ("web.yml", web)]
    {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let web = Web::open(directory.path().join("web.yml"), |complaint| panic!("{complaint}")).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = listener.local_addr().unwrap();
    let limits = Limits { header: Duration::from_millis(300), ..Limits::default() };
    tokio::spawn(serve_behind(listener, story.reader.clone(), limits, Some(web)));
    for words in [&b""[..], b"GET /metrics HTTP/1.1\r\n\r\n"] {
        let mut silent = TcpStream::connect(server).await.unwrap();
        silent.write_all(words).await.unwrap();
        let mut answer = Vec::new();
        // The end, or a reset; what comes before is an alert at most.
        let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut answer)).await.expect("it is kept");
        assert!(!answer.starts_with(b"HTTP"), "answered without TLS");
    }
}

#[tokio::test]
async fn events_are_streamed_as_they_happen() {
    let story = Story::told("VI_1").await;
    let limits = Limits { streams: 1, ..Limits::default() };
    let server = start(&story, limits).await;
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request = "GET /api/v1/events?after=0&kind=link_up HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    wait_for(&mut stream, &mut told, "\"interface\":\"eth0\"").await;
    let refused = ask(server, "GET", "/api/v1/events", "Accept: text/event-stream\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    story.bus.publish(None, LinkFact::LinkUp { interface: "eth7".into(), index: 7 });
    wait_for(&mut stream, &mut told, "\"interface\":\"eth7\"").await;
    assert!(told.contains("event: link_up"), "{told}");
    assert_eq!(told.matches("\"eth0\"").count(), 1, "{told}");
}

#[tokio::test]
async fn a_stream_that_was_cut_off_goes_on_where_it_ended() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let ids: Vec<u64> = story.reader.history().iter().map(|event| event.id.0).collect();
    let last_seen = ids[ids.len() - 3];
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: {last_seen}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    wait_for(&mut stream, &mut told, &format!("id: {}\n", ids[ids.len() - 1])).await;
    assert!(told.contains(&format!("id: {}\n", ids[ids.len() - 2])), "{told}");
    assert!(!told.contains(&format!("id: {last_seen}\n")), "{told}");
}

async fn wait_for(stream: &mut TcpStream, told: &mut String, text: &str) {
    let mut buffer = [0; 4096];
    while !told.contains(text) {
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(length > 0, "the stream ended: {told}");
        told.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}

#[tokio::test]
async fn clients_that_stall_are_dropped_and_others_are_served() {
    let story = Story::told("VI_1").await;
    let limits = Limits {
        connections: 2,
        header: Duration::from_millis(300),
        send: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = start(&story, limits).await;

    // One sends half a request and no more.
    let mut half = TcpStream::connect(server).await.unwrap();
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost:").await.unwrap();
    // One asks again and again and never reads.
    let mut deaf = TcpStream::connect(server).await.unwrap();
    let asking = tokio::spawn(async move {
        while deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.is_ok() {}
    });

    // Both places are taken; this one is served once they are dropped.
    let begun = Instant::now();
    let answer = ask(server, "GET", "/metrics", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(begun.elapsed() < PATIENCE);
    tokio::time::timeout(PATIENCE, asking).await.unwrap().unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, half.read_to_end(&mut rest)).await.unwrap().ok();
}

#[tokio::test]
async fn an_endless_request_head_is_refused() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let junk = format!("X: {}\r\n", "y".repeat(1000));
    let mut answer = Vec::new();
    for _ in 0..1000 {
        if stream.write_all(junk.as_bytes()).await.is_err() {
            break;
        }
    }
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
}

#[tokio::test]
async fn state_is_told_only_to_those_who_ask_by_a_name_of_this_host() {
    let story = Story::told("VI_1").await;
    let server = start(&story, Limits::default()).await;
    for (path, host, status) in [
        ("/api/v1/world", "evil.example", 403),
        ("/api/v1/events", "evil.example:9165", 403),
        ("/", "127.0.0.1.evil.example", 403),
        ("/api/v1/world", "127.0.0.1:9165", 200),
        ("/", "[::1]:9165", 200),
        ("/metrics", "lb1.monitoring.example", 200),
        ("/-/ready", "lb1.monitoring.example", 200),
    ] {
        let mut stream = TcpStream::connect(server).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} of {host}: {answer}");
        assert!(status == 200 || !answer.contains("VI_1"), "{answer}");
    }
}

#[tokio::test]
async fn whoever_only_holds_a_place_loses_it_to_who_asks() {
    let story = Story::told("VI_1").await;
    // Nobody here waits for these to pass.
    let never = Duration::from_secs(600);
    let limits = Limits { connections: 8, streams: 2, header: never, send: never, ..Limits::default() };
    let server = start(&story, limits).await;
    let live = "GET /api/v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(live.as_bytes()).await.unwrap();
    let mut told = String::new();
    wait_for(&mut stream, &mut told, "\"interface\":\"eth0\"").await;

    let whole = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for sent in ["", "GET /metrics HTTP/1.1\r\nHo", whole, &whole.repeat(500)] {
        let mut held = Vec::new();
        for _ in 0..40 {
            let stream = TcpStream::connect(server).await.unwrap();
            // What does not fit the way is not needed.
            let _ = stream.try_write(sent.as_bytes());
            held.push(stream);
        }
        let answer = tokio::time::timeout(PATIENCE, ask(server, "GET", "/metrics", "")).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    // Who listens to a stream was silent all the time, and is still there.
    story.bus.publish(None, LinkFact::LinkUp { interface: "eth7".into(), index: 7 });
    wait_for(&mut stream, &mut told, "\"interface\":\"eth7\"").await;
}
