//! The dashboards and rules that are delivered, on a live lab: a real Prometheus scrapes two hosts of which one takes over
//! from the other, and each panel's query has data.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::keepwatchd::Keepwatchd;
use integration::web::WebServer;
use integration::{Host, Instance, Lab, conf, wait};
use serde_json::Value;

use crate::{ask, tls};

/// The other host's listener.
const OTHER: &str = "10.78.0.2:9165";
/// Scrapes, discovery and a few seconds of rates, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn delivered(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards").join(path)
}

/// Everything that the dashboards show: trackers, a FIFO, scripts, routes, a group, virtual servers with and without
/// TLS.
fn rich(host: &Host) -> Result<String> {
    let number = host.file("number", "3\n")?;
    let blocks = format!(
        "vrrp_script chk {{\n script /bin/true\n interval 1\n}}\n\
         track_file f {{\n file {}\n}}\n\
         vrrp_track_process p {{\n process keepwatchd\n}}\n\
         bfd_instance b {{\n neighbor_ip 10.78.0.2\n source_ip 10.78.0.1\n}}\n\
         static_routes {{\n 10.99.0.0/24 via 10.78.0.2 dev eth0\n}}\n\
         observability {{\n otlp {{\n endpoint http://127.0.0.1:4318\n}}\n}}\n",
        number.display()
    );
    let follows = "track_script {\n chk\n }\n track_file {\n f weight 1\n }\n track_process {\n p weight 1\n }\n\
                   track_bfd {\n b weight 1\n }";
    let first = Instance::new("VI_1")
        .priority(150)
        .interval("0.3")
        .line(follows)
        .line("virtual_ipaddress_excluded {\n 10.78.9.10\n }")
        .line("notify_master /bin/true");
    let second =
        Instance::new("VI_2").vrid(52).interval("0.3").vip("10.78.9.12").line("notify_backup /bin/true");
    let fifo = host.directory().join("fifo");
    let global = format!("script_user root\nvrrp_notify_fifo {}", fifo.display());
    let reals = conf::real_server("127.0.0.1:8081", "weight 3")
        + &conf::real_server("127.0.0.1:8082", "weight 1")
        + "real_server 127.0.0.1 8443 {\n SSL_GET {\n url {\n path /\n status_code 200\n }\n }\n}\n";
    Ok(conf::global_defs(3, &global)
        + &blocks
        + &first.to_string()
        + &second.to_string()
        + &conf::sync_group("VG", &["VI_2"])
        + &conf::virtual_server(&reals))
}

/// Queries of all panels, and of the lists to choose from above them, by where they stand.
fn queries() -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(delivered("grafana"))? {
        let board: Value = serde_json::from_str(&fs::read_to_string(file?.path())?)?;
        let variables = board["templating"]["list"].as_array().context("no variables")?;
        for variable in variables.iter().filter(|variable| variable["type"] == "query") {
            let query = variable["query"]["query"].as_str().context("no query")?;
            let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (metric, label) =
                inside.and_then(|inside| inside.split_once(", ")).context("no label_values")?;
            let place = format!("{}: ${}", board["title"], variable["name"]);
            found.insert(place, format!("count by ({label}) ({metric}{{{label}!=\"\"}})"));
        }
        for panel in board["panels"].as_array().context("no panels")? {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{}: {} {}", board["title"], panel["title"], target["refId"]);
                let query = target["expr"].as_str().context("no query")?;
                found.insert(place, with_variables(query));
            }
        }
    }
    Ok(found)
}

fn with_variables(query: &str) -> String {
    let values = [
        ("$__rate_interval", "10s"),
        ("$__range", "2m"),
        ("$instance", ".*"),
        ("$iname", ".*"),
        ("$virtual_server", ".*"),
    ];
    values.iter().fold(query.to_owned(), |query, (name, value)| query.replace(name, value))
}

/// Asks until each has data; those that have none in the end are the error.
fn until_all_have_data(host: &Host, queries: &mut BTreeMap<String, String>, limit: Duration) -> Result<()> {
    let all = wait::until("every panel has data", limit, || {
        queries.retain(|_, query| !ask(host, query).is_ok_and(|values| !values.is_empty()));
        queries.is_empty()
    });
    all.with_context(|| format!("no data for {queries:#?}"))
}

#[test]
fn each_panel_has_data_and_so_has_what_the_exporter_s_dashboards_ask_for() -> Result<()> {
    let (_lan, hosts) = Lab::new("dashboards")?.routers(2)?;
    let [host, other] = &hosts[..] else { anyhow::bail!("no hosts") };
    let _web = WebServer::start(host, "127.0.0.1:8081".parse()?, "one")?;
    let _secure = tls::server(host, "127.0.0.1:8443".parse()?)?;
    let theirs = Instance::new("VI_1").priority(100).interval("0.3").version_3("")
        + &Instance::new("VI_2").vrid(52).priority(150).interval("0.3").vip("10.78.9.12").to_string();
    let mut second =
        Keepwatchd::on(other).config(theirs).flags(&["--dataplane", "memory", "--listen", OTHER]).start()?;
    second.wait_for_log("(VI_2) Entering MASTER STATE")?;
    let director = Keepwatchd::on(host).config(rich(host)?).flags(&["--dataplane", "memory"]).start()?;
    director.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let _prometheus = crate::prometheus(host, &[Keepwatchd::METRICS, OTHER], "")?;

    let mut queries = queries()?;
    ensure!(queries.len() > 100, "only {} queries", queries.len());
    let here = format!("{{instance=\"{}\"}}", Keepwatchd::METRICS);
    for metric in ITS_NUMBERS {
        queries.insert(format!("the exporter's dashboard: {metric}"), format!("{metric}{here}"));
    }
    for metric in ITS_RATES {
        let query = with_variables(&format!("rate({metric}{here}[$__rate_interval])"));
        queries.insert(format!("the exporter's dashboard: the rate of {metric}"), query);
    }
    for metric in ITS_OTHERS {
        queries.insert(format!("the exporter: {metric}"), format!("{metric}{here}"));
    }
    // What is there while both live, and then what a failover leaves.
    wait::until("the master of VI_2 is seen", PATIENCE, || {
        queries.retain(|_, query| !ask(host, query).is_ok_and(|values| !values.is_empty()));
        ask(host, "keepwatch_vrrp_master_priority{iname=\"VI_2\"} == 150").is_ok_and(|v| !v.is_empty())
    })?;
    // It may have come to be between the two questions.
    queries.retain(|_, query| !ask(host, query).is_ok_and(|values| !values.is_empty()));
    second.process_mut().signal_all(nix::sys::signal::Signal::SIGKILL);
    director.wait_for_log("(VI_2) Entering MASTER STATE")?;
    until_all_have_data(host, &mut queries, PATIENCE).with_context(|| director.process().log())
}

/// What the panels of the dashboard of github mehdy/keepalived-exporter show of one host: of these the number,
const ITS_NUMBERS: [&str; 5] = [
    "keepalived_up",
    "keepalived_script_status",
    "keepalived_exporter_check_script_status",
    "keepalived_script_state",
    "keepalived_vrrp_state",
];

/// and of these the rate.
const ITS_RATES: [&str; 15] = [
    "keepalived_become_master_total",
    "keepalived_release_master_total",
    "keepalived_advertisements_sent_total",
    "keepalived_advertisements_received_total",
    "keepalived_priority_zero_sent_total",
    "keepalived_priority_zero_received_total",
    "keepalived_gratuitous_arp_delay_total",
    "keepalived_advertisements_interval_errors_total",
    "keepalived_packet_length_errors_total",
    "keepalived_ip_ttl_errors_total",
    "keepalived_invalid_type_received_total",
    "keepalived_address_list_errors_total",
    "keepalived_authentication_invalid_total",
    "keepalived_authentication_failure_total",
    "keepalived_authentication_mismatch_total",
];

/// The rest of its metrics, and the older name of one, which dashboards of others may ask for.
const ITS_OTHERS: [&str; 3] =
    ["keepalived_vrrp_excluded_state", "keepalived_exporter_build_info", "keepalived_check_script_status"];

/// As `packaging/docker/compose.yaml` lays them out: one file that Prometheus can't read, and it does not start.
#[test]
fn prometheus_starts_with_what_the_compose_file_gives_it() -> Result<()> {
    let compose = fs::read_to_string(delivered("../packaging/docker/compose.yaml"))?;
    for mount in
        ["./prometheus.yml:/etc/prometheus/prometheus.yml", "../../dashboards/rules:/etc/prometheus/rules"]
    {
        ensure!(compose.contains(mount), "no {mount}");
    }
    let directory = tempfile::tempdir()?;
    let config = directory.path().join("prometheus.yml");
    fs::copy(delivered("../packaging/docker/prometheus.yml"), &config)?;
    let rules = directory.path().join("rules");
    fs::create_dir(&rules)?;
    for file in fs::read_dir(delivered("rules"))? {
        let file = file?;
        fs::copy(file.path(), rules.join(file.file_name()))?;
    }
    let output =
        Command::new("promtool").args(["check", "config"]).arg(&config).output().context("run promtool")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(output.status.success() && said.contains("2 rule files found"), "{said}");
    Ok(())
}

#[test]
fn each_rule_is_one_for_prometheus_and_fires_when_it_should() -> Result<()> {
    for arguments in [
        ["check", "rules", "rules/keepwatch-alerts.yml"],
        ["check", "rules", "rules/keepwatch-recording.yml"],
        ["test", "rules", "rules/tests.yml"],
        ["check", "config", "prometheus.yml"],
    ] {
        let output = Command::new("promtool")
            .args(&arguments[..2])
            .arg(delivered(arguments[2]))
            .output()
            .context("run promtool")?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(output.status.success() && !said.contains("WARNING"), "{arguments:?}: {said}");
    }
    Ok(())
}
