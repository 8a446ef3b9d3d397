//! Authentication against Debian's keepalived: who does not know the password is refused, and both sides count it.

use std::time::Duration;

use anyhow::Result;
use integration::{Host, Instance, Lab, keepalived::Keepalived, keepwatchd::Keepwatchd, wait};

const VIP: &str = "10.78.9.9";

/// Both start with these passwords (none: no authentication) on one LAN; ours has the lower priority.
fn meet(
    name: &str,
    ours: Option<&str>,
    theirs: Option<&str>,
) -> Result<(Lab, Vec<Host>, Keepwatchd, Keepalived)> {
    let lab = Lab::new(name)?;
    let (_lan, hosts) = lab.routers(2)?;
    let instance = |priority, password: Option<&str>| {
        let instance = Instance::new("VI_1").priority(priority);
        password.into_iter().fold(instance, Instance::password).version_2("")
    };
    let it = Keepalived::start(&hosts[1], &instance(200, theirs), &[])?;
    let we = Keepwatchd::on(&hosts[0]).config(instance(100, ours)).flag("--vrrp").start()?;
    Ok((lab, hosts, we, it))
}

/// Waits until each refused the other's adverts: `metric` counts it on our side, `statistic` on theirs.
fn both_count(we: &Keepwatchd, it: &Keepalived, metric: &str, statistic: &str) -> Result<()> {
    wait::until(&format!("we count {metric}"), wait::LONG, || {
        we.metric(metric, &["iname=\"VI_1\""]).is_some_and(|count| count >= 1.0)
    })?;
    wait::until(&format!("it counts {statistic}"), wait::LONG, || {
        it.statistics("VI_1").is_ok_and(|all| all.get(statistic).is_some_and(|&count| count >= 1))
    })
}

#[test]
fn another_password_is_refused_and_counted_on_both_sides() -> Result<()> {
    let (_lab, hosts, we, it) = meet("password", Some("1111"), Some("2222"))?;
    wait::until("both believe to be alone", wait::LONG, || hosts.iter().all(|host| host.has("eth0", VIP)))?;
    both_count(&we, &it, "keepalived_authentication_failure_total", "Authentication Errors/Failure")
}

#[test]
fn a_missing_authentication_is_refused_and_counted_on_both_sides() -> Result<()> {
    let (_lab, hosts, we, it) = meet("no-password", None, Some("2222"))?;
    wait::until("both believe to be alone", wait::LONG, || hosts.iter().all(|host| host.has("eth0", VIP)))?;
    both_count(&we, &it, "keepalived_authentication_mismatch_total", "Authentication Errors/Type Mismatch")
}

#[test]
fn the_same_password_is_accepted_and_nothing_is_counted() -> Result<()> {
    let (_lab, hosts, we, it) = meet("same-password", Some("1111"), Some("1111"))?;
    wait::until("the higher priority wins", wait::LONG, || {
        hosts[1].has("eth0", VIP) && !hosts[0].has("eth0", VIP)
    })?;
    wait::until("we hear it", wait::LONG, || {
        we.metric("keepalived_advertisements_received_total", &["iname=\"VI_1\""])
            .is_some_and(|count| count >= 3.0)
    })?;
    std::thread::sleep(Duration::from_secs(1));
    for metric in ["keepalived_authentication_failure_total", "keepalived_authentication_mismatch_total"] {
        assert_eq!(we.metric(metric, &["iname=\"VI_1\""]), Some(0.0), "{metric}");
    }
    let theirs = it.statistics("VI_1")?;
    assert_eq!(theirs.get("Authentication Errors/Failure"), Some(&0), "{theirs:?}");
    Ok(())
}
