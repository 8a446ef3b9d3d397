//! The data planes that need no IPVS in the kernel: `memory`, where everything is as if, and `shadow`, which only says
//! what it would do. The checks are real in both.

use std::fs;

use anyhow::{Result, ensure};
use integration::{Host, Lab, keepwatchd::Keepwatchd, wait, web::WebServer};
use nix::sys::signal::Signal;

const VIRTUAL_SERVER: &str = "
virtual_server 10.78.9.9 80 {
    delay_loop 0.2
    lvs_sched wrr
    lvs_method NAT
    protocol TCP
    retry 1
    delay_before_retry 0.1
    warmup 0
    sorry_server 127.0.0.9 8080
    real_server 127.0.0.2 8080 {
        weight 1
        TCP_CHECK { connect_timeout 2 }
    }
    real_server 127.0.0.3 8080 {
        weight 3
        TCP_CHECK { connect_timeout 2 }
    }
}
";

fn web(host: &Host, n: u8) -> Result<WebServer> {
    WebServer::start(host, ([127, 0, 0, n], 8080).into(), "hello")
}

fn director(host: &Host, dataplane: &str) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(VIRTUAL_SERVER).flags(&["--check", "--dataplane", dataplane]).start()
}

#[test]
fn in_memory_servers_die_and_come_back_and_a_reload_raises_no_dead() -> Result<()> {
    let lab = Lab::new("dataplane-memory")?;
    let host = lab.host("director")?;
    let (two, _three) = (web(&host, 2)?, web(&host, 3)?);
    let mut daemon = director(&host, "memory")?;
    daemon.wait_for_log("TCP connection to [127.0.0.2]:tcp:8080 success.")?;
    daemon.wait_for_log("TCP connection to [127.0.0.3]:tcp:8080 success.")?;

    drop(two);
    daemon.wait_for_log("Removing service [127.0.0.2]:tcp:8080 from VS [10.78.9.9]:tcp:80")?;
    let why = daemon.answer(&["why", "127.0.0.2:8080"])?;
    ensure!(why.contains("refused"), "the cause is not in\n{why}");

    // Another weight for the one that lives: the dead one stays out.
    fs::write(daemon.config_path(), VIRTUAL_SERVER.replace("weight 3", "weight 4"))?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("Changing weight from 3 to 4 for active service [127.0.0.3]:tcp:8080")?;
    let log = daemon.process().log();
    let raised = log.matches("Adding service [127.0.0.2]:tcp:8080").count();
    ensure!(raised == 1, "a dead server came back with the reload\n{log}");

    let _two = web(&host, 2)?;
    let back = || daemon.process().log().matches("Adding service [127.0.0.2]:tcp:8080").count() == 2;
    wait::until("the server is back", wait::LONG, back)?;
    daemon.process().signal(Signal::SIGTERM)?;
    let status = daemon.process_mut().wait(wait::LONG)?;
    ensure!(status.success(), "{status}");
    let log = daemon.process().log();
    ensure!(log.contains("Removed Virtual Server [10.78.9.9]:tcp:80"), "{log}");
    ensure!(!log.contains("IPVS: "), "something failed\n{log}");
    Ok(())
}

#[test]
fn in_shadow_it_says_what_it_would_do() -> Result<()> {
    let lab = Lab::new("dataplane-shadow")?;
    let host = lab.host("director")?;
    let (two, three) = (web(&host, 2)?, web(&host, 3)?);
    let daemon = director(&host, "shadow")?;
    daemon.wait_for_log("IPVS (shadow): would add service [10.78.9.9]:tcp:80 (wrr)")?;
    daemon.wait_for_log(
        "IPVS (shadow): would add real server 127.0.0.3:8080 to [10.78.9.9]:tcp:80 (weight 3)",
    )?;
    daemon.wait_for_log("TCP connection to [127.0.0.3]:tcp:8080 success.")?;
    drop((two, three));
    daemon.wait_for_log("IPVS (shadow): would delete real server 127.0.0.3:8080 from [10.78.9.9]:tcp:80")?;
    daemon.wait_for_log(
        "IPVS (shadow): would add real server 127.0.0.9:8080 to [10.78.9.9]:tcp:80 (weight 1)",
    )?;
    Ok(())
}
