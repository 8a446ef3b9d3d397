//! TLS and basic authentication by a web-config file, with Prometheus as the client that knows the password.

use anyhow::{Context, Result, ensure};
use integration::keepwatchd::Keepwatchd;
use integration::{Host, Instance, Lab, wait};

use crate::{ask, tls};

/// bcrypt of `secret`.
const HASH: &str = "$2b$04$WsWgKw7a1EvsDz7ZHkcEWu74sHqGLcBkwybDFNNPsHkQIZFKjAWMy";

fn write(host: &Host, names: &[&str]) -> Result<()> {
    let (certificate, key) = tls::certificate(names)?;
    host.file("cert.pem", &certificate)?;
    host.file("key.pem", &key)?;
    Ok(())
}

fn start(host: &Host, web: &str) -> Result<Keepwatchd> {
    let file = host.file("web.yml", web)?;
    let file = file.to_string_lossy();
    Keepwatchd::on(host)
        .config(Instance::new("VI_1").version_3(""))
        .flags(&["--dataplane", "memory", "--web-config-file", &file])
        .start()
}

/// The HTTP status that curl gets, 000 where there is none.
fn curl(host: &Host, arguments: &[&str]) -> Result<String> {
    let common = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10"];
    let output = host.output("curl", &[&common[..], arguments].concat())?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn who_has_the_password_gets_the_metrics_over_tls_and_nobody_else_gets_anything() -> Result<()> {
    let (_lan, hosts) = Lab::new("webconfig")?.routers(1)?;
    let host = &hosts[0];
    write(host, &["localhost", "127.0.0.1"])?;
    let web = format!(
        "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  prometheus: {HASH}\n"
    );
    let daemon = start(host, &web)?;
    let ca = host.directory().join("cert.pem");
    let ca = ca.to_string_lossy();
    let url = "https://127.0.0.1:9165/metrics";
    wait::until("the listener answers", wait::LONG, || {
        curl(host, &["--cacert", &ca, url]).is_ok_and(|status| status == "401")
    })
    .with_context(|| daemon.process().log())?;
    for (arguments, expected) in [
        (&["--cacert", &ca, "-u", "prometheus:secret", url][..], "200"),
        (&["--cacert", &ca, "-u", "prometheus:wrong", url], "401"),
        (&["--cacert", &ca, "-u", "nobody:secret", url], "401"),
        (&["--cacert", &ca, "https://127.0.0.1:9165/"], "401"),
        (&["--cacert", &ca, "https://127.0.0.1:9165/-/healthy"], "401"),
        // Another certificate than it knows, and no TLS at all.
        (&["-u", "prometheus:secret", url], "000"),
        (&["-u", "prometheus:secret", "http://127.0.0.1:9165/metrics"], "000"),
    ] {
        let status = curl(host, arguments)?;
        ensure!(status == expected, "{arguments:?}: {status}");
    }
    let more = format!(
        "scheme: https, tls_config: {{ca_file: {ca}}}, basic_auth: {{username: prometheus, password: secret}}, "
    );
    let prometheus = crate::prometheus(host, &[Keepwatchd::METRICS], &more)?;
    wait::until("Prometheus has scraped it", wait::LONG, || {
        ask(host, "keepalived_up").is_ok_and(|values| values == ["1"])
    })
    .with_context(|| format!("{:?}\n{}", ask(host, "up"), prometheus.log()))?;

    // A renewed certificate holds for the next connection; one that can't be read changes nothing, and is told.
    write(host, &["localhost", "127.0.0.1", "renewed.example"])?;
    wait::until("the new certificate is shown", wait::LONG, || {
        curl(host, &["--cacert", &ca, "-u", "prometheus:secret", url]).is_ok_and(|status| status == "200")
    })?;
    host.file("web.yml", "basic_auth_users:\n  prometheus: secret\n")?;
    wait::until("the mistake is told", wait::LONG, || {
        let status = curl(host, &["--cacert", &ca, "-u", "prometheus:secret", url]);
        status.is_ok_and(|status| status == "200") && daemon.process().log().contains("not a bcrypt hash")
    })
    .with_context(|| daemon.process().log())
}

#[test]
fn with_a_file_that_says_nothing_sensible_nothing_is_served_and_the_routers_run() -> Result<()> {
    let (_lan, hosts) = Lab::new("webmistake")?.routers(1)?;
    let daemon = start(&hosts[0], "tls_server_config:\n  cert_file: nowhere.pem\n  key_fil: k\n")?;
    daemon.wait_for_log("unknown field `key_fil`")?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
    ensure!(curl(&hosts[0], &["http://127.0.0.1:9165/metrics"])? == "000", "it is served all the same");
    Ok(())
}
