//! Things go wrong, one after the other, and `keepwatch why` names the true root first: without being told where to look.
//! Log and metrics agree with it. Each row of a table is one thing: what is done, which event is its root, what is wrong.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab,
    conf::{self, VIP},
    keepalived::Keepalived,
    keepwatchd::Keepwatchd,
    nginx::Nginx,
    story,
    vm::Scenario,
    wait,
    web::WebServer,
};
use nix::sys::signal::Signal;

#[path = "why/witnesses.rs"]
mod witnesses;

use witnesses::Witnesses;

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
        scene.witnesses.agree_on(&scene.we, &root)
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
            ..Thing::new("one-way-loss", |scene| {
                let deaf = "table inet lab { chain in { type filter hook input priority -300; meta l4proto 112 drop; }; }";
                scene.theirs.firewall(deaf).map(drop)
            })
        },
        Thing {
            other: || Instance::new("VI_1").priority(100).vrid(77),
            root: ("split_brain_began", "virtual router id 77", "VI_1: split brain with 10.78.0.2"),
            ..Thing::new("duplicate-router", |_| Ok(()))
        },
    ])
}

#[test]
fn a_wrong_password() -> Result<()> {
    let lab = Lab::new("wrong-password")?;
    let (_lan, hosts) = lab.routers(2)?;
    let with = |word: &str| Instance::new("VI_1").password(word).version_2("");
    // Debian's would hardly be heard: each of our adverts that it refuses puts off its own next one.
    let _it = Keepwatchd::on(&hosts[1]).config(with("theirs")).flag("--vrrp").start()?;
    let we = Keepwatchd::on(&hosts[0]).config(with("ours")).flag("--vrrp").start()?;
    we.wait_for_control()?;
    story::wait_for_root(
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
    Ok(())
}

/// The programs of this test in a machine whose kernel has IPVS.
#[test]
fn a_service_that_somebody_takes_out_of_the_kernel_s_table() -> Result<()> {
    Scenario::of_this_test("--exact inside_the_machine")?
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
    witnesses.agree_on(&we, &root)
}

#[test]
fn a_master_agent_that_hangs() -> Result<()> {
    play(&[Thing {
        root: ("master_agent_lost", "No AgentX session with the SNMP master agent", "SNMP (unix:"),
        ..Thing::new("hung-snmpd", |scene| {
            scene.witnesses.snmpd().signal_all(Signal::SIGSTOP);
            Ok(())
        })
    }])
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
    witnesses.agree_on(&we, &root)?;
    // As with keepalived it serves all the same.
    ensure!(we.metric("keepwatch_real_server_up", &[]) == Some(1.0));
    ensure!(we.answer(&["status"])?.contains("the certificate of 127.0.1.1:443 is no good"));
    Ok(())
}

/// Waits until nothing is wrong, whatever happened before.
fn wait_until_well(we: &Keepwatchd) -> Result<()> {
    let well = || we.answer(&["why"]).is_ok_and(|why| why.starts_with("nothing is wrong now"));
    wait::until("nothing is wrong", wait::LONG, well).with_context(|| we.answer(&["why"]).unwrap_or_default())
}

#[test]
fn a_server_that_is_slow_and_one_with_another_page() -> Result<()> {
    let lab = Lab::new("servers")?;
    let host = lab.host("director")?;
    let at: std::net::SocketAddr = "127.0.1.1:8080".parse()?;
    let page = "hello world";
    let checker = "        HTTP_GET {\n            url {\n                path /\n                \
                   digest 5eb63bbbe01eeed093cb22bb8f5acdc3\n            }\n            connect_timeout 1\n            \
                   retry 0\n        }\n";
    let server = format!("    real_server 127.0.1.1 8080 {{\n{checker}    }}\n");
    let mut web = Some(WebServer::start(&host, at, page)?);
    let config = conf::global_defs(2, "") + &conf::virtual_server(&server);
    let we = Keepwatchd::on(&host).config(config).flags(&["--check", "--dataplane", "memory"]).start()?;
    we.wait_for_control()?;
    wait::until("the server is up", wait::LONG, || {
        we.metric("keepwatch_real_server_up", &["8080"]) == Some(1.0)
    })?;
    wait_until_well(&we)?;

    let lost = "VS [10.78.9.9]:tcp:80 has lost its quorum";
    web.take();
    let silent = host.listen(at)?;
    story::wait_for_root(&we, "check_failed", "127.0.1.1", lost)?;
    ensure!(we.answer(&["why", "127.0.1.1:8080"])?.contains("within 1s"), "slow");
    drop(silent);
    web = Some(WebServer::start(&host, at, page)?);
    wait_until_well(&we)?;

    drop(web.take());
    let _other = WebServer::start(&host, at, "another page")?;
    story::wait_for_root(&we, "check_failed", "127.0.1.1", lost)?;
    let why = || we.answer(&["why", "127.0.1.1:8080"]).unwrap_or_default();
    wait::until("why says that the page is another", wait::LONG, || {
        why().contains("is not 5eb63bbbe01eeed093cb22bb8f5acdc3")
    })
}

#[test]
fn who_tells_can_t() -> Result<()> {
    let lab = Lab::new("tellers")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    // Nobody listens there.
    let global = "    notification_email {\n        admin@example.net\n    }\n    notification_email_from kw@example.net\n    \
                  smtp_server 10.78.0.1 2525";
    let instance = Instance::new("VI_1").interval("0.1").line("smtp_alert");
    let we = Keepwatchd::on(host)
        .config(instance.version_3(global))
        .flag("--vrrp")
        .history_on_a_small_disk(128 << 10)
        .start()?;
    we.wait_for_control()?;
    story::wait_for_root(&we, "mail_delayed", "Mail delayed", "mail; ")?;
    ensure!(we.answer(&["why", "admin@example.net"])?.contains("mail does not go out"), "the recipient");

    let mut filler = fs::File::create(we.history_path().with_file_name("filler"))?;
    for size in [4096, 1] {
        while filler.write_all(&vec![b'x'; size]).is_ok() {}
    }
    let full = || {
        // Something that happens.
        let _ = we.process().signal(Signal::SIGHUP);
        we.answer(&["why"]).is_ok_and(|why| why.contains("history file") && why.contains("No space left"))
    };
    wait::until("why says that the disk is full", wait::LONG, full)
        .with_context(|| we.answer(&["why"]).unwrap_or_default())
}

#[test]
fn a_processor_that_is_taken_away() -> Result<()> {
    const SLOW: Thing = Thing {
        root: ("advert_delayed", "advert left", ""),
        story: ("VI_1", "advert left"),
        ..Thing::new("starved", |scene| {
            scene.we.process().signal_all(Signal::SIGSTOP);
            std::thread::sleep(std::time::Duration::from_millis(220));
            scene.we.process().signal_all(Signal::SIGCONT);
            Ok(())
        })
    };
    play(&[SLOW])
}

#[test]
fn somebody_takes_an_address_and_reloads() -> Result<()> {
    play(&[
        Thing {
            root: ("address_lost", "VIP 10.78.9.9 is gone from eth0", ""),
            story: (VIP, "was removed from eth0 by someone; put back"),
            ..Thing::new("address-removed", |scene| scene.ours.remove_address(VIP).map(drop))
        },
        Thing {
            root: ("config_loaded", "Reloaded", ""),
            story: ("configuration", "in force"),
            ..Thing::new("good-reload", |scene| scene.we.process().signal(Signal::SIGHUP))
        },
        Thing {
            root: (
                "config_rejected",
                "refused, the running configuration stays",
                "the last reload was refused",
            ),
            story: ("reload", "the last reload was refused"),
            ..Thing::new("broken-reload", |scene| {
                fs::write(scene.we.config_path(), "vrrp_instance VI_1 {\n interfase eth0\n}\n")?;
                scene.we.process().signal(Signal::SIGHUP)
            })
        },
    ])
}
