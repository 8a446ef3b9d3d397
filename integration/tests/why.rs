//! Twenty things go wrong, one after the other, and `keepwatch why` names the true root first: without being told where to
//! look. Log, traces, log records, metrics, SNMP notifications, mails and a webhook agree with it on which event it was and
//! when. Each row of a table is one thing: what is done, which event is its root, what is wrong, and who has nothing to tell
//! of it. Those of servers are in `servers`, those of who tells in `tellers`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab,
    conf::{self, VIP},
    keepalived::Keepalived,
    keepwatchd::Keepwatchd,
    story, wait,
};
use nix::sys::signal::Signal;

#[path = "why/processor.rs"]
mod processor;
#[path = "why/servers.rs"]
mod servers;
#[path = "why/tellers.rs"]
mod tellers;
#[path = "why/witnesses.rs"]
mod witnesses;

use witnesses::{Channel, NOTHING_CHANGED, Silent, Witnesses};

/// The address of the other router.
const THEIRS: &str = "10.78.0.2";

/// Our daemon, the other router and what they stand on.
struct Scene {
    lab: Lab,
    ours: Host,
    theirs: Host,
    we: Keepwatchd,
    it: Option<Keepalived>,
    witnesses: Witnesses,
}

/// One thing that is done, and what must be said of it.
struct Thing {
    name: &'static str,
    /// Lines of our instance.
    lines: &'static [&'static str],
    /// Blocks before it.
    blocks: &'static str,
    /// Our priority; the other router has 100.
    priority: u8,
    /// The instance of the other router.
    other: fn() -> Instance,
    act: fn(&mut Scene) -> Result<()>,
    /// The kind of the root, words of its line, and of what is wrong (empty: nothing).
    root: (&'static str, &'static str, &'static str),
    /// A subject whose story has these words in it.
    story: (&'static str, &'static str),
    /// Who has nothing to tell of it.
    silent: Silent,
}

impl Thing {
    const fn new(name: &'static str, act: fn(&mut Scene) -> Result<()>) -> Self {
        Self {
            name,
            lines: &[],
            blocks: "",
            priority: 150,
            other,
            act,
            root: ("", "", ""),
            story: ("VI_1", "VI_1"),
            silent: &[],
        }
    }

    /// Plays it.
    fn play(&self) -> Result<()> {
        let lab = Lab::new(self.name)?;
        let (_lan, mut hosts) = lab.routers(2)?;
        let (theirs, ours) = (hosts.remove(1), hosts.remove(0));
        let blocks = self.blocks.replace("DIR", &lab.directory().display().to_string());
        for (name, text, mode) in [("chk", "#!/bin/sh\nexit 0\n", 0o755), ("file", "0\n", 0o644)] {
            let path = lab.directory().join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
        let mut instance = Instance::new("VI_1").interval("0.1").priority(self.priority);
        for line in self.lines {
            instance = instance.line(line);
        }
        let witnesses = Witnesses::start(&ours)?;
        let global = format!("script_user root\nenable_script_security\n{}", witnesses.global());
        let config = conf::global_defs(3, &global) + &blocks + &instance.to_string();
        let it = (self.other)().interval("0.1").version_3("");
        let it = Some(Keepalived::start(&theirs, &it, &[])?);
        if self.priority < 100 {
            wait::until("the other router is master", wait::LONG, || theirs.has("eth0", VIP))?;
        }
        let we = Witnesses::watch(Keepwatchd::on(&ours).config(config).flag("--vrrp")).start()?;
        let mut scene = Scene { lab, ours, theirs, we, it, witnesses };
        scene.we.wait_for_control()?;
        if self.priority > 100 {
            wait::until("we are master", wait::LONG, || scene.ours.has("eth0", VIP))?;
        } else {
            wait::until("we heard the other router", wait::LONG, || {
                scene.we.answer(&["why", "VI_1"]).is_ok_and(|why| why.contains(THEIRS))
            })?;
        }
        (self.act)(&mut scene)?;
        let (kind, words, wrong) = self.root;
        let root = story::wait_for_root(&scene.we, kind, words, wrong)?;
        let (subject, told) = self.story;
        let why = scene.we.answer(&["why", subject])?;
        ensure!(why.contains(told), "why {subject} does not say {told:?}:\n{why}");
        scene.witnesses.agree_on(&scene.we, &root, self.silent)
    }
}

/// Plays all, each on a LAN of its own.
fn play(things: &[Thing]) -> Result<()> {
    things.iter().try_for_each(|thing| thing.play().with_context(|| thing.name))
}

fn other() -> Instance {
    Instance::new("VI_1").priority(100)
}

impl Scene {
    fn it(&mut self) -> Result<&mut Keepalived> {
        self.it.as_mut().context("the other router")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.lab.directory().join(name)
    }
}

#[test]
fn a_master_that_falls_silent_in_any_way() -> Result<()> {
    const SILENT: Thing = Thing {
        priority: 90,
        root: ("advert_timed_out", "(VI_1) Receive advertisement timeout", ""),
        story: ("VI_1", "last heard: 10.78.0.2"),
        ..Thing::new("killed", |scene| {
            scene.it()?.process_mut().kill();
            Ok(())
        })
    };
    play(&[
        SILENT,
        Thing {
            name: "stopped",
            act: |scene| {
                scene.it()?.process().signal_all(Signal::SIGSTOP);
                Ok(())
            },
            ..SILENT
        },
        Thing {
            name: "wrong-switch",
            act: |scene| {
                let elsewhere = scene.lab.bridge("elsewhere")?;
                scene.theirs.replug("eth0", &elsewhere)
            },
            story: (THEIRS, "last heard: 10.78.0.2"),
            ..SILENT
        },
    ])
}

#[test]
fn our_own_cable_script_and_file() -> Result<()> {
    play(&[
        Thing {
            root: ("link_down", "eth0 down", "VI_1 is in FAULT; interface eth0 is down"),
            story: ("eth0", "virtual routers on it: VI_1 (FAULT)"),
            ..Thing::new("link-down", |scene| scene.ours.down("eth0").map(drop))
        },
        Thing {
            blocks: "vrrp_script chk {\n script DIR/chk\n interval 1\n fall 1\n}\n",
            lines: &["track_script {\n chk\n }"],
            root: ("track_script_returned", "Script `chk` now returning 1", "VI_1 is in FAULT; script chk"),
            story: ("chk", "VI_1 is in fault by it"),
            ..Thing::new("script-fails", |scene| {
                fs::write(scene.path("chk"), "#!/bin/sh\necho no answer\nexit 1\n")
                    .context("write the script")
            })
        },
        Thing {
            blocks: "track_file f {\n file DIR/file\n}\n",
            lines: &["track_file {\n f weight 1\n }"],
            root: ("tracker_changed", "Tracked file f is now -70", ""),
            story: ("VI_1", "priority 80: base 150, file f −70"),
            ..Thing::new("file-down", |scene| {
                let new = scene.path("new");
                fs::write(&new, "-70\n")?;
                fs::rename(new, scene.path("file")).context("replace the file")
            })
        },
    ])
}

#[test]
fn another_master() -> Result<()> {
    play(&[
        Thing {
            root: (
                "lower_priority_received",
                "10.78.0.2 with lower priority 100",
                "VI_1: split brain with 10.78.0.2",
            ),
            story: (THEIRS, "10.78.0.2"),
            silent: NOTHING_CHANGED,
            ..Thing::new("one-way-loss", |scene| {
                let deaf = "table inet lab { chain in { type filter hook input priority -300; meta l4proto 112 drop; }; }";
                scene.theirs.firewall(deaf).map(drop)
            })
        },
        Thing {
            other: || Instance::new("VI_1").priority(100).vrid(77),
            root: ("split_brain_began", "virtual router id 77", "VI_1: split brain with 10.78.0.2"),
            silent: NOTHING_CHANGED,
            ..Thing::new("duplicate-router", |_| Ok(()))
        },
    ])
}

#[test]
fn a_wrong_password() -> Result<()> {
    let lab = Lab::new("wrong-password")?;
    let (_lan, hosts) = lab.routers(2)?;
    let with = |word: &str, global: &str| Instance::new("VI_1").password(word).version_2(global);
    let witnesses = Witnesses::start(&hosts[0])?;
    // Debian's would hardly be heard: each of our adverts that it refuses puts off its own next one.
    let _it = Keepwatchd::on(&hosts[1]).config(with("theirs", "")).flag("--vrrp").start()?;
    let config = with("ours", &witnesses.global());
    let we = Keepwatchd::on(&hosts[0]).config(config).flag("--vrrp");
    let we = Witnesses::watch(we).start()?;
    we.wait_for_control()?;
    let root = story::wait_for_root(
        &we,
        "advert_rejected",
        "authentication failure from 10.78.0.2",
        "VI_1: split brain with 10.78.0.2",
    )?;
    let status = we.answer(&["status"])?;
    ensure!(status.contains("! VI_1: split brain with 10.78.0.2"), "{status}");
    ensure!(we.metric("keepwatch_vrrp_split_brain", &["VI_1"]) == Some(1.0), "the metric");
    let events =
        we.answer(&["events", "--kind", "split_brain_began", "--subject", "VI_1", "--since", "5m"])?;
    ensure!(events.lines().count() == 1, "told once:\n{events}");
    // VRRP-MIB has a notification of packets that are refused (vrrpTrapAuthFailure).
    let silent: Silent =
        &[(Channel::Mails, "as keepalived's, mails are of changes, and both stay as they are")];
    witnesses.agree_on(&we, &root, silent)
}

#[test]
fn a_processor_that_is_taken_away() -> Result<()> {
    const SLOW: Thing = Thing {
        root: ("advert_delayed", "advert left", ""),
        story: ("VI_1", "advert left"),
        silent: NOTHING_CHANGED,
        // Longer than an interval and a half, and less than the other router waits.
        ..Thing::new("starved", |scene| processor::take(&scene.we, Duration::from_millis(220)))
    };
    play(&[SLOW])
}

#[test]
fn somebody_takes_an_address_and_reloads() -> Result<()> {
    play(&[
        Thing {
            root: ("address_lost", "VIP 10.78.9.9 is gone from eth0", ""),
            story: (VIP, "was removed from eth0 by someone; put back"),
            silent: NOTHING_CHANGED,
            ..Thing::new("address-removed", |scene| scene.ours.remove_address(VIP).map(drop))
        },
        Thing {
            root: ("config_loaded", "Reloaded", ""),
            story: ("configuration", "in force"),
            silent: NOTHING_CHANGED,
            ..Thing::new("good-reload", |scene| scene.we.process().signal(Signal::SIGHUP))
        },
        Thing {
            root: (
                "config_rejected",
                "refused, the running configuration stays",
                "the last reload was refused",
            ),
            story: ("reload", "the last reload was refused"),
            silent: NOTHING_CHANGED,
            ..Thing::new("broken-reload", |scene| {
                fs::write(scene.we.config_path(), "vrrp_instance VI_1 {\n interfase eth0\n}\n")?;
                scene.we.process().signal(Signal::SIGHUP)
            })
        },
    ])
}
