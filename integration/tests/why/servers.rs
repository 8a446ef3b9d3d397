//! Servers that are slow, show another page or an expired certificate, and a service that somebody takes away.

use anyhow::{Context, Result, ensure};
use integration::{
    Lab, conf, keepwatchd::Keepwatchd, nginx::Nginx, story, vm::Scenario, wait, web::WebServer,
};

use crate::witnesses::{NOTHING_CHANGED, Witnesses};

/// Waits until nothing is wrong, whatever happened before.
fn wait_until_well(we: &Keepwatchd) -> Result<()> {
    let well = || we.answer(&["why"]).is_ok_and(|why| why.starts_with("nothing is wrong now"));
    wait::until("nothing is wrong", wait::LONG, well).with_context(|| we.answer(&["why"]).unwrap_or_default())
}

#[test]
fn a_server_that_is_slow_and_one_with_another_page() -> Result<()> {
    let lab = Lab::new("servers")?;
    let host = lab.host("director")?;
    let witnesses = Witnesses::start(&host)?;
    let at: std::net::SocketAddr = "127.0.1.1:8080".parse()?;
    let page = "hello world";
    let checker = "        HTTP_GET {\n            url {\n                path /\n                \
                   digest 5eb63bbbe01eeed093cb22bb8f5acdc3\n            }\n            connect_timeout 1\n            \
                   retry 0\n        }\n";
    let server = format!("    real_server 127.0.1.1 8080 {{\n{checker}    }}\n");
    let mut web = Some(WebServer::start(&host, at, page)?);
    let config = conf::global_defs(2, &witnesses.global()) + &conf::virtual_server(&server);
    let we = Keepwatchd::on(&host).config(config).flags(&["--check", "--dataplane", "memory"]);
    let we = Witnesses::watch(we).start()?;
    we.wait_for_control()?;
    wait::until("the server is up", wait::LONG, || {
        we.metric("keepwatch_real_server_up", &["8080"]) == Some(1.0)
    })?;
    wait_until_well(&we)?;

    let lost = "VS [10.78.9.9]:tcp:80 has lost its quorum";
    web.take();
    let silent = host.listen(at)?;
    let root = story::wait_for_root(&we, "check_failed", "127.0.1.1", lost)?;
    ensure!(we.answer(&["why", "127.0.1.1:8080"])?.contains("within 1s"), "slow");
    witnesses.agree_on(&we, &root, &[])?;
    drop(silent);
    web = Some(WebServer::start(&host, at, page)?);
    wait_until_well(&we)?;

    drop(web.take());
    let _other = WebServer::start(&host, at, "another page")?;
    let root = story::wait_for_root(&we, "check_failed", "127.0.1.1", lost)?;
    witnesses.agree_on(&we, &root, &[])?;
    let why = || we.answer(&["why", "127.0.1.1:8080"]).unwrap_or_default();
    wait::until("why says that the page is another", wait::LONG, || {
        why().contains("is not 5eb63bbbe01eeed093cb22bb8f5acdc3")
    })
}

#[test]
fn a_certificate_that_has_expired() -> Result<()> {
    let lab = Lab::new("expired")?;
    let host = lab.host("director")?;
    let witnesses = Witnesses::start(&host)?;
    let mut about = rcgen::CertificateParams::new(vec!["127.0.1.1".to_owned()])?;
    about.not_after = rcgen::date_time_ymd(2024, 2, 29);
    let key = rcgen::KeyPair::generate()?;
    let certificate = host.file("web.pem", &about.self_signed(&key)?.pem())?;
    let key = host.file("web.key", &key.serialize_pem())?;
    let at = "127.0.1.1:443".parse()?;
    let _web = Nginx::encrypting(&host, at, "one", (&certificate, &key))?;
    let server = "    real_server 127.0.1.1 443 {\n SSL_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 1\n }\n }\n";
    // Of what nothing but checks had to do with, every trace.
    let traced = "observability {\n otlp {\n sample_checks 1\n }\n}\n";
    let config = conf::global_defs(2, &witnesses.global()) + &conf::virtual_server(server) + traced;
    let we = Keepwatchd::on(&host).config(config).flags(&["--check", "--dataplane", "memory"]);
    let we = Witnesses::watch(we).start()?;
    we.wait_for_control()?;
    let wrong = "the certificate of 127.0.1.1:443 is no good; it held until 2024-02-29T00:00:00Z";
    let root = story::wait_for_root(&we, "certificate_seen", "shows the certificate of", wrong)?;
    witnesses.agree_on(&we, &root, NOTHING_CHANGED)?;
    // As with keepalived it serves all the same.
    ensure!(we.metric("keepwatch_real_server_up", &[]) == Some(1.0));
    ensure!(we.answer(&["status"])?.contains("the certificate of 127.0.1.1:443 is no good"));
    Ok(())
}

/// The programs of this test in a machine whose kernel has IPVS.
#[test]
fn a_service_that_somebody_takes_out_of_the_kernel_s_table() -> Result<()> {
    Scenario::of_this_test("--exact servers::inside_the_machine")?
        .module("ip_vs_rr")
        .module("veth")
        .module("bridge")
        .succeed()
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn inside_the_machine() -> Result<()> {
    let lab = Lab::new("ipvsadm")?;
    let host = lab.host("director")?;
    let witnesses = Witnesses::start(&host)?;
    let _web = WebServer::start(&host, "127.0.0.1:8081".parse()?, "one")?;
    let service = conf::virtual_server(&conf::real_server("127.0.0.1:8081", "")).replace("wrr", "rr");
    let config = conf::global_defs(2, &witnesses.global()) + &service;
    let we = Witnesses::watch(Keepwatchd::on(&host).config(config).flag("--check")).start()?;
    we.wait_for_control()?;
    let has = || host.run("ipvsadm", &["-Ln"]).is_ok_and(|table| table.contains("127.0.0.1:8081"));
    wait::until("the kernel has the service", wait::LONG, has).with_context(|| we.process().log())?;
    host.run("ipvsadm", &["-D", "-t", "10.78.9.9:80"])?;
    let root = story::wait_for_root(&we, "drift_repaired", "IPVS table repaired: VS [10.78.9.9]:tcp:80", "")?;
    ensure!(we.answer(&["why", "10.78.9.9:80"])?.contains("was missing"));
    ensure!(has(), "it was told before it was done");
    witnesses.agree_on(&we, &root, NOTHING_CHANGED)
}
