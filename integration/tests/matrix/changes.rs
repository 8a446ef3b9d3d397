//! A reload with each kind of change and each kind of mistake, beside a virtual router that it has nothing to do with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use integration::{Bridge, Host, Instance, Lab, conf, conf::VIP, keepwatchd::Keepwatchd, wait};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use crate::side_by_side::{self, Row};

/// What the next worker says of a reload that needed it.
const GAVE_WAY: &str = "Worker restarted: gave way to another";

/// The virtual router that no reload is about.
fn bystander() -> Instance {
    Instance::new("VI_1").interval("0.1")
}

/// The one that is changed.
fn other() -> Instance {
    Instance::new("VI_2").vrid(52).interval("0.1").vip("10.78.9.20/32")
}

fn whole(global: &str, instances: &[Instance]) -> String {
    conf::global_defs(3, global) + &instances.iter().map(ToString::to_string).collect::<String>()
}

/// With this instance for the second one.
fn with(other: Instance) -> String {
    whole("", &[bystander(), other])
}

struct Bench {
    host: Host,
    daemon: Keepwatchd,
    _lan: Bridge,
}

impl Bench {
    fn start() -> Result<Self> {
        let (lan, mut hosts) = Lab::new("change")?.routers(1)?;
        let host = hosts.remove(0);
        host.plug("eth1", &lan)?.address("eth1", "10.79.0.1/16")?;
        let daemon = Keepwatchd::on(&host)
            .config(with(other()))
            .flags(&["--vrrp", "--listen", "none", "--no-syslog"])
            .start()?;
        let bench = Self { host, daemon, _lan: lan };
        bench.has(&[VIP, "10.78.9.20"])?;
        bench.daemon.wait_for_control()?;
        Ok(bench)
    }

    /// Waits until of all addresses that there may be these are there.
    fn has(&self, addresses: &[&str]) -> Result<()> {
        let may_be = ["10.78.9.9", "10.78.9.20", "10.78.9.21", "10.78.9.30"];
        wait::until(&format!("its addresses are {addresses:?}"), wait::LONG, || {
            may_be.iter().all(|address| {
                let there = self.host.has("eth0", address) || self.host.has("eth1", address);
                there == addresses.contains(address)
            })
        })
        .with_context(|| self.daemon.process().log())
    }

    fn reload(&self, text: &str) -> Result<()> {
        fs::write(self.daemon.config_path(), text)?;
        // One that needs more rights brings another worker, which is master again a moment later.
        self.hang_up(&["Reloaded", GAVE_WAY])?;
        wait::until("the bystander is master", wait::LONG, || {
            let log = self.daemon.process().log();
            log.matches("(VI_1) Entering MASTER STATE").count() > log.matches(GAVE_WAY).count()
        })
        .with_context(|| self.daemon.process().log())
    }

    fn hang_up(&self, answers: &[&str]) -> Result<()> {
        let count = || {
            let log = self.daemon.process().log();
            answers.iter().map(|answer| log.matches(answer).count()).sum::<usize>()
        };
        let before = count();
        self.daemon.process().signal(Signal::SIGHUP)?;
        wait::until(&format!("it says {answers:?}"), wait::LONG, || count() > before)
            .with_context(|| self.daemon.process().log())
    }

    /// The other virtual router has seen nothing, and a stop leaves nothing.
    fn end(mut self) -> Result<()> {
        let log = self.daemon.process().log();
        let workers = 1 + log.matches(GAVE_WAY).count();
        ensure!(log.matches("(VI_1) Entering MASTER STATE").count() == workers, "{log}");
        ensure!(self.daemon.process_mut().stop(wait::LONG)?.success(), "{}", self.daemon.process().log());
        self.has(&[])?;
        let routes = self.host.run("ip", &["route"])? + &self.host.run("ip", &["rule"])?;
        ensure!(!routes.contains("10.77.0.0"), "{routes}");
        Ok(())
    }
}

/// What the file becomes, and which addresses the daemon then has.
fn changes(scratch: &Path) -> Vec<(&'static str, String, &'static [&'static str])> {
    const BOTH: &[&str] = &["10.78.9.9", "10.78.9.20"];
    const ONE: &[&str] = &["10.78.9.9"];
    let tracked = |line: &str| with(other().line(line));
    let script = |command: &str| {
        let text = format!("vrrp_script s {{\n    script \"{command}\"\n    interval 1\n    user root\n}}\n");
        let with_it = other().line("track_script {\n        s\n    }");
        whole("", &[bystander()]) + &text + &with_it.to_string()
    };
    let file = scratch.join("tracked");
    let tracked_file = format!("track_file f {{\n    file {}\n    init_file 1\n}}\n", file.display());
    let included = scratch.join("included.conf");
    // What can't be written is found when it is included.
    let _ = fs::write(&included, other().to_string());
    vec![
        ("nothing", with(other()), BOTH),
        (
            "comments and order",
            format!("# {}\n{}", "x".repeat(200), whole("", &[other(), bystander()])),
            BOTH,
        ),
        (
            "an address more",
            tracked("virtual_ipaddress_excluded {\n        10.78.9.21/32\n    }"),
            &["10.78.9.9", "10.78.9.20", "10.78.9.21"],
        ),
        ("another address", with(other().vip("10.78.9.21/32")), &["10.78.9.9", "10.78.9.21"]),
        ("another prefix", with(other().vip("10.78.9.20/16")), BOTH),
        ("another priority", with(other().priority(50)), BOTH),
        ("an owner", with(other().priority(255)), BOTH),
        ("another interval", with(other().interval("0.2")), BOTH),
        ("another version", tracked("version 2\n    advert_int 1"), BOTH),
        ("another name", with(Instance::new("VI_3").vrid(52).interval("0.1").vip("10.78.9.20/32")), BOTH),
        ("another id", with(other().vrid(77)), BOTH),
        ("another interface", with(other().interface("eth1")), BOTH),
        ("no preemption", tracked("nopreempt"), BOTH),
        ("unicast", with(other().unicast("10.78.0.1", "10.78.0.2")), BOTH),
        (
            "an instance more",
            whole(
                "",
                &[bystander(), other(), Instance::new("VI_3").vrid(53).interval("0.1").vip("10.78.9.30/32")],
            ),
            &["10.78.9.9", "10.78.9.20", "10.78.9.30"],
        ),
        ("an instance less", whole("", &[bystander()]), ONE),
        ("a route", tracked("virtual_routes {\n        10.77.0.0/16 via 10.78.0.2 dev eth0\n    }"), BOTH),
        ("a rule", tracked("virtual_rules {\n        from 10.77.0.0/16 table 100\n    }"), BOTH),
        (
            "a sync group",
            conf::global_defs(3, "")
                + &conf::sync_group("G", &["VI_2"])
                + &bystander().to_string()
                + &other().to_string(),
            BOTH,
        ),
        ("an interface that is down", tracked("track_interface {\n        eth2\n    }"), ONE),
        ("a script that fails", script("/bin/false"), ONE),
        ("a script that succeeds", script("/bin/true"), BOTH),
        (
            "a file that says no",
            whole("", &[bystander()])
                + &tracked_file
                + &other().line("track_file {\n        f weight 0\n    }").to_string(),
            ONE,
        ),
        (
            "settings of all",
            whole(
                "vrrp_garp_master_delay 1\nvrrp_garp_master_refresh 1\nvrrp_priority -3",
                &[bystander(), other()],
            ),
            BOTH,
        ),
        (
            "a FIFO",
            whole(&format!("vrrp_notify_fifo {}", scratch.join("fifo").display()), &[bystander(), other()]),
            BOTH,
        ),
        ("an included file", whole("", &[bystander()]) + &format!("include {}\n", included.display()), BOTH),
        (
            "a definition",
            format!("$VIP=10.78.9.21/32\n{}", with(other().vip("$VIP"))),
            &["10.78.9.9", "10.78.9.21"],
        ),
    ]
}

/// Makes a file one that can't be followed.
type Spoil = fn(&Path) -> Result<()>;

/// What becomes of the file.
fn mistakes() -> Vec<(&'static str, Spoil)> {
    fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
        Ok(fs::write(path, text)?)
    }
    fn gone(path: &Path) -> Result<()> {
        Ok(fs::remove_file(path)?)
    }
    vec![
        ("a keyword that is none", |path| write(path, with(other().line("prioritty 5")))),
        ("a number out of range", |path| write(path, with(other().line("priority 300")))),
        ("a missing brace", |path| write(path, with(other()).trim_end().trim_end_matches('}'))),
        ("a surplus brace", |path| write(path, with(other()) + "}\n")),
        ("two instances of one id", |path| write(path, with(other().vrid(51)))),
        ("an address that is none", |path| write(path, with(other().vip("10.78.9.999/32")))),
        ("an empty file", |path| write(path, "")),
        ("comments only", |path| write(path, "# nothing\n! at all\n")),
        ("bytes that are no text", |path| write(path, [0xff, 0x00, 0xfe, b'{', 0x80].repeat(2000))),
        ("one line without an end", |path| write(path, "vrrp_instance ".repeat(200_000))),
        ("no file", gone),
        ("a directory", |path| {
            gone(path)?;
            Ok(fs::create_dir(path)?)
        }),
        ("a link to itself", |path| {
            gone(path)?;
            Ok(std::os::unix::fs::symlink(path, path)?)
        }),
        ("a pipe that nobody writes", |path| {
            gone(path)?;
            Ok(nix::unistd::mkfifo(path, Mode::S_IRWXU)?)
        }),
        ("a device without an end", |path| {
            gone(path)?;
            Ok(std::os::unix::fs::symlink("/dev/zero", path)?)
        }),
        ("a file that includes itself", |path| {
            write(path, with(other()) + &format!("include {}\n", path.display()))
        }),
    ]
}

#[test]
fn a_reload_makes_each_kind_of_change_and_nothing_else() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = scratch.path().to_owned();
    let row = |index: usize, name: &str| -> Result<Row> {
        let own = at.join(index.to_string());
        fs::create_dir(&own)?;
        let row = move || {
            let Some((_, text, addresses)) = changes(&own).into_iter().nth(index) else { return Ok(()) };
            let bench = Bench::start()?;
            bench.reload(&text)?;
            bench.has(addresses)?;
            // And back.
            bench.reload(&with(other()))?;
            bench.has(&[VIP, "10.78.9.20"])?;
            ensure!(!own.join("fifo").exists(), "the FIFO is left");
            bench.end()
        };
        Ok((format!("change: {name}"), Box::new(row)))
    };
    let names: Vec<_> = changes(&at).into_iter().map(|(name, ..)| name).collect();
    let rows: Vec<_> =
        names.iter().enumerate().map(|(index, name)| row(index, name)).collect::<Result<_>>()?;
    side_by_side::run(&rows)
}

#[test]
fn a_reload_with_each_kind_of_mistake_changes_nothing() -> Result<()> {
    let row = |(name, spoil): (&str, Spoil)| -> Row {
        let row = move || {
            let bench = Bench::start()?;
            let path = bench.daemon.config_path().to_owned();
            spoil(&path)?;
            bench.hang_up(&["refused, the running configuration stays"])?;
            bench.has(&[VIP, "10.78.9.20"])?;
            ensure!(bench.daemon.answer(&["status"])?.contains("the last reload was refused"));
            // And mended.
            if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                fs::remove_dir(&path)?;
            } else {
                let _ = fs::remove_file(&path);
            }
            bench.reload(&with(other().vip("10.78.9.21/32")))?;
            bench.has(&[VIP, "10.78.9.21"])?;
            bench.end()
        };
        (format!("mistake: {name}"), Box::new(row))
    };
    side_by_side::run(&mistakes().into_iter().map(row).collect::<Vec<_>>())
}
