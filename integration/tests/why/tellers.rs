//! Those who tell can't: a master agent that hangs, a mail server that is down, a disk that is full.

use std::fs;
use std::io::Write;

use anyhow::{Context, Result, ensure};
use integration::{Instance, Lab, keepwatchd::Keepwatchd, story, wait};
use nix::sys::signal::Signal;

use crate::witnesses::{Channel, NOTHING_CHANGED, Witnesses};
use crate::{Thing, play};

#[test]
fn a_master_agent_that_hangs() -> Result<()> {
    play(&[Thing {
        root: ("master_agent_lost", "No AgentX session with the SNMP master agent", "SNMP (unix:"),
        silent: &[
            (Channel::Notifications, "it is who would send them that hangs"),
            (Channel::Mails, "as keepalived's, mails are of changes of virtual routers and servers"),
        ],
        ..Thing::new("hung-snmpd", |scene| {
            scene.witnesses.snmpd().signal_all(Signal::SIGSTOP);
            Ok(())
        })
    }])
}

#[test]
fn a_mail_server_that_is_down() -> Result<()> {
    let lab = Lab::new("mail-down")?;
    let (_lan, hosts) = lab.routers(1)?;
    let mut witnesses = Witnesses::start(&hosts[0])?;
    witnesses.mail_server_goes();
    let config = Instance::new("VI_1").interval("0.1").version_3(&witnesses.global());
    let we = Witnesses::watch(Keepwatchd::on(&hosts[0]).config(config).flag("--vrrp")).start()?;
    we.wait_for_control()?;
    let root = story::wait_for_root(&we, "mail_delayed", "Mail delayed", "mail; ")?;
    ensure!(we.answer(&["why", "admin@example.org"])?.contains("mail does not go out"), "the recipient");
    witnesses.agree_on(
        &we,
        &root,
        &[
            (Channel::Notifications, "the MIBs have notifications of changes of virtual routers and servers"),
            (Channel::Mails, "it is the mail server that is down"),
        ],
    )?;
    // What waited comes, each once.
    wait::until("it is master", wait::LONG, || we.metric("keepwatch_vrrp_master", &["VI_1"]) == Some(1.0))?;
    ensure!(we.metric("keepwatch_mails_waiting", &[]).is_some_and(|waiting| waiting >= 1.0), "none waits");
    witnesses.mail_server_comes()?;
    witnesses.each_is_mailed_once(&we)?;
    wait::until("no mail waits", wait::LONG, || we.metric("keepwatch_mails_waiting", &[]) == Some(0.0))?;
    wait::until("nothing is wrong", wait::LONG, || {
        we.answer(&["why"]).is_ok_and(|why| why.starts_with("nothing is wrong now"))
    })
}

#[test]
fn a_full_disk() -> Result<()> {
    let lab = Lab::new("full-disk")?;
    let (_lan, hosts) = lab.routers(1)?;
    let witnesses = Witnesses::start(&hosts[0])?;
    let config = Instance::new("VI_1").interval("0.1").version_3(&witnesses.global());
    let we = Keepwatchd::on(&hosts[0]).config(config).flag("--vrrp").history_on_a_small_disk(128 << 10);
    let we = Witnesses::watch(we).start()?;
    we.wait_for_control()?;
    let mut filler = fs::File::create(we.history_path().with_file_name("filler"))?;
    for size in [4096, 1] {
        while filler.write_all(&vec![b'x'; size]).is_ok() {}
    }
    wait::until("why says that the disk is full", wait::LONG, || {
        // Something that happens.
        let _ = we.process().signal(Signal::SIGHUP);
        we.answer(&["why"]).is_ok_and(|why| why.contains("history file") && why.contains("No space left"))
    })
    .with_context(|| we.answer(&["why"]).unwrap_or_default())?;
    let root = story::wait_for_root(&we, "history_failed", "History file", "No space left")?;
    witnesses.agree_on(&we, &root, NOTHING_CHANGED)
}
