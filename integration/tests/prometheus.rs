//! `/metrics` of a running keepwatchd as Prometheus's own programs see it, and clients of the listener that misbehave.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, capture,
    conf::{self, VIP},
    http,
    keepwatchd::Keepwatchd,
    pair::OURS,
    wait,
    web::WebServer,
};
use serde_json::Value;

#[path = "prometheus/dashboards.rs"]
mod dashboards;
#[path = "prometheus/tls.rs"]
mod tls;
#[path = "prometheus/web_config.rs"]
mod web_config;

const PROMETHEUS: &str = "127.0.0.1:9090";
/// The interval of adverts: long enough that a busy machine alone never makes a peer take over.
const INTERVAL: Duration = Duration::from_millis(500);

/// A director with an instance that becomes master, and a virtual server whose one real server lives and whose other
/// one does not.
fn director(host: &Host) -> Result<(Keepwatchd, WebServer)> {
    let web = WebServer::start(host, "127.0.0.1:8081".parse()?, "one")?;
    let reals =
        conf::real_server("127.0.0.1:8081", "weight 3") + &conf::real_server("127.0.0.1:8082", "weight 1");
    let config = Instance::new("VI_1").interval("0.5").version_3("") + &conf::virtual_server(&reals);
    let director = Keepwatchd::on(host).config(config).flags(&["--dataplane", "memory"]).start()?;
    let dead = ["real_server=\"127.0.0.1:8082\""];
    wait::until("the instance is master and the dead real server is known to be", wait::LONG, || {
        director.metric("keepalived_vrrp_state", &["VI_1"]) == Some(2.0)
            && director.metric("keepwatch_real_server_up", &dead) == Some(0.0)
    })
    .with_context(|| director.process().log())?;
    Ok((director, web))
}

/// A lab of one director on a recorded LAN.
fn scene(name: &str) -> Result<(Capture, Host)> {
    let (lan, mut hosts) = Lab::new(name)?.routers(1)?;
    Ok((lan.capture()?, hosts.remove(0)))
}

#[test]
fn promtool_has_nothing_to_complain_about() -> Result<()> {
    let (_wire, host) = scene("promtool")?;
    let (director, _web) = director(&host)?;
    let page = director.get("/metrics")?;
    assert!(page.head.contains("content-type: text/plain; version=0.0.4"), "{}", page.head);

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("run promtool")?;
    promtool.stdin.take().context("no standard input")?.write_all(page.body.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    Ok(())
}

#[test]
fn prometheus_scrapes_what_happens() -> Result<()> {
    let (_wire, host) = scene("prometheus")?;
    let (director, _web) = director(&host)?;
    let prometheus = prometheus(&host, &[Keepwatchd::METRICS], "")?;
    for (query, expected) in [
        ("up", "1"),
        ("keepalived_up", "1"),
        ("keepalived_vrrp_state{iname=\"VI_1\",intf=\"eth0\",vrid=\"51\",ip_address=\"10.78.9.9\"}", "2"),
        ("keepwatch_real_server_up{real_server=\"127.0.0.1:8081\"}", "1"),
        ("keepwatch_real_server_up{real_server=\"127.0.0.1:8082\"}", "0"),
        ("keepwatch_real_server_weight{real_server=\"127.0.0.1:8081\"}", "3"),
        ("rate(keepalived_advertisements_sent_total[5s]) > bool 0", "1"),
        ("increase(keepwatch_checks_total{result=\"failure\"}[5s]) > bool 0", "1"),
    ] {
        wait::until(&format!("{query} is {expected}"), wait::LONG, || {
            ask(&host, query).is_ok_and(|values| values.iter().any(|value| value == expected))
        })
        .with_context(|| format!("{:?}\n{}", ask(&host, query), prometheus.log()))?;
    }
    drop(director);
    wait::until("Prometheus notices the death", wait::LONG, || {
        ask(&host, "up").is_ok_and(|values| values == ["0"])
    })
}

/// A Prometheus on this host that scrapes these targets four times a second; `more` is what else it should know of them,
/// each with a comma behind it.
fn prometheus(host: &Host, targets: &[&str], more: &str) -> Result<integration::Process> {
    let targets = targets.iter().map(|target| format!("'{target}'")).collect::<Vec<_>>().join(", ");
    let config = host.file(
        "prometheus.yml",
        &format!(
            "global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}\n\
             scrape_configs: [{{job_name: keepwatch, {more}static_configs: [{{targets: [{targets}]}}]}}]\n"
        ),
    )?;
    host.process("prometheus", "prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", host.directory().join("tsdb").display()))
        .arg(format!("--web.listen-address={PROMETHEUS}"))
        .start()
}

/// The values that Prometheus has for a query.
fn ask(host: &Host, query: &str) -> Result<Vec<String>> {
    let escaped: String =
        query
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
    let at: SocketAddr = PROMETHEUS.parse()?;
    let answer = http::get(host, at, &format!("/api/v1/query?query={escaped}"), wait::SHORT)?;
    let answer: Value = serde_json::from_str(&answer.body)?;
    let result = answer["data"]["result"].as_array().context("no result")?;
    Ok(result.iter().filter_map(|sample| Some(sample["value"][1].as_str()?.to_owned())).collect())
}

#[test]
fn the_page_and_the_api_tell_the_same_story() -> Result<()> {
    let (_wire, host) = scene("page")?;
    let (director, _web) = director(&host)?;
    let page = director.get("/")?;
    for text in ["VI_1", "MASTER", VIP, "127.0.0.1:8082", "TCP_CHECK"] {
        assert!(page.body.contains(text), "{text} is not on the page:\n{}", page.body);
    }
    let world: Value = serde_json::from_str(&director.get("/api/v1/world")?.body)?;
    assert_eq!(world["instances"][0]["state"], "MASTER");
    let events: Value = serde_json::from_str(&director.get("/api/v1/events?kind=state_changed")?.body)?;
    let texts: Vec<_> = events.as_array().into_iter().flatten().filter_map(|e| e["text"].as_str()).collect();
    assert!(texts.contains(&"(VI_1) Entering MASTER STATE"), "{texts:?}");
    assert_eq!(director.get("/-/ready")?.status, 200);
    Ok(())
}

#[test]
fn clients_that_stall_delay_no_advert() -> Result<()> {
    let (wire, host) = scene("stall")?;
    let (director, _web) = director(&host)?;
    let at: SocketAddr = Keepwatchd::METRICS.parse()?;
    let since = capture::now();

    // More than the listener has places for: some never read, some never finish their request.
    let mut clients: Vec<TcpStream> = Vec::new();
    for number in 0..200 {
        let mut client = host.connect(at, wait::SHORT)?;
        client.set_nonblocking(true)?;
        let request = match number % 2 {
            0 => "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200),
            _ => "GET /metrics HTTP/1.1\r\nHost".to_owned(),
        };
        // What does not fit into the socket's buffers is not sent: the other side does not read any more.
        let _ = client.write(request.as_bytes());
        clients.push(client);
    }
    std::thread::sleep(Duration::from_secs(5));
    // A peer would take over after three.
    wire.is_in_time(OURS, since, 3 * INTERVAL)?;

    // They are dropped in the end, and somebody else is served.
    wait::until("the listener answers again", Duration::from_secs(60), || {
        director.get("/-/healthy").is_ok()
    })?;
    for mut client in clients {
        client.set_nonblocking(false)?;
        client.set_read_timeout(Some(wait::LONG))?;
        // The end, or a reset: both are fine; a connection kept open for ever is not.
        let mut sink = Vec::new();
        let ended = client.read_to_end(&mut sink);
        ensure!(
            !ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
            "a stalled connection was not closed"
        );
    }
    Ok(())
}
