//! Authentication against Debian's keepalived: who does not know the password is refused, and both sides count it.

use std::time::Duration;

use anyhow::Result;
use integration::{Instance, Pair, keepalived::Keepalived, keepwatchd::Keepwatchd, pair::counted, wait};

/// Both start with these passwords (none: no authentication); ours has the lower priority.
fn meet(name: &str, ours: Option<&str>, theirs: Option<&str>) -> Result<(Pair, Keepwatchd, Keepalived)> {
    let pair = Pair::new(name)?;
    let config = |priority, password: Option<&str>| {
        let instance = Instance::new("VI_1").priority(priority);
        password.into_iter().fold(instance, Instance::password).version_2("")
    };
    let it = pair.keepalived(config(200, theirs))?;
    let we = pair.keepwatchd(config(100, ours))?;
    Ok((pair, we, it))
}

#[test]
fn another_password_is_refused_and_counted_on_both_sides() -> Result<()> {
    let (pair, we, it) = meet("password", Some("1111"), Some("2222"))?;
    wait::until("both believe to be alone", wait::LONG, || pair.both())?;
    Pair::wait_for_refusals(
        &we,
        &it,
        "keepalived_authentication_failure_total",
        "Authentication Errors/Failure",
    )
}

#[test]
fn a_missing_authentication_is_refused_and_counted_on_both_sides() -> Result<()> {
    let (pair, we, it) = meet("no-password", None, Some("2222"))?;
    wait::until("both believe to be alone", wait::LONG, || pair.both())?;
    Pair::wait_for_refusals(
        &we,
        &it,
        "keepalived_authentication_mismatch_total",
        "Authentication Errors/Type Mismatch",
    )
}

#[test]
fn the_same_password_is_accepted_and_nothing_is_counted() -> Result<()> {
    let (pair, we, it) = meet("same-password", Some("1111"), Some("1111"))?;
    wait::until("the higher priority wins", wait::LONG, || pair.theirs_alone())?;
    wait::until("we hear it", wait::LONG, || {
        counted(&we, "keepalived_advertisements_received_total") >= 3.0
    })?;
    std::thread::sleep(Duration::from_secs(1));
    for metric in ["keepalived_authentication_failure_total", "keepalived_authentication_mismatch_total"] {
        assert_eq!(we.metric(metric, &["iname=\"VI_1\""]), Some(0.0), "{metric}");
    }
    let theirs = it.statistics("VI_1")?;
    assert_eq!(theirs.get("Authentication Errors/Failure"), Some(&0), "{theirs:?}");
    Ok(())
}
