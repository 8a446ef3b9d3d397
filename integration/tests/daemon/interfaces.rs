//! Interfaces that are named but not there: `keepwatchd -t` judges as keepalived does, and the daemon says the same.

use std::fs;

use anyhow::Result;
use integration::{Host, Instance, Lab, binaries, keepwatchd::Keepwatchd, wait};

use crate::scene::{file, keepwatch, text};

const KEEPALIVED: &str = "/usr/sbin/keepalived";

/// What `keepwatchd -t` ends with and says, and what keepalived's ends with.
fn judged(host: &Host, path: &str) -> Result<(Option<i32>, String, Option<i32>)> {
    let ours = host.output(binaries::path("keepwatchd")?, &["-t", "-f", path])?;
    let theirs = host.output(KEEPALIVED, &["-t", "-f", path])?;
    Ok((ours.status.code(), text(&ours.stderr), theirs.status.code()))
}

#[test]
fn an_interface_that_is_not_there_is_told_as_by_keepalived() -> Result<()> {
    let lab = Lab::new("no-interface")?;
    let (_lan, mut hosts) = lab.routers(1)?;
    let host = hosts.remove(0);
    let directory = tempfile::tempdir()?;
    let instance = || Instance::new("VI_1");
    // What names it, in the instance or at the top level; where it is said; what is said there.
    let cases = [
        (instance().interface("eht0"), "", 5, "did you mean `eth0`?"),
        (instance().line("track_interface {\n eth5\n }"), "", 5, "interface that is tracked"),
        (instance().vip("10.78.9.10/32 dev eth5"), "", 5, "interface of an address"),
        (instance().line("virtual_routes {\n 10.1.0.0/24 dev eth5\n }"), "", 5, "interface of a route"),
        (
            instance().line("virtual_rules {\n from 10.1.0.0/24 iif eth5 table 5 preference 7\n }"),
            "",
            5,
            "interface of a rule",
        ),
        (instance(), "static_ipaddress {\n 10.3.0.1/24 dev eth5\n}\n", 5, "interface of an address"),
        (instance().interface("eth5"), "dynamic_interfaces", 0, "note: there is no interface `eth5`"),
        (
            instance().line("track_interface {\n eth5\n }"),
            "dynamic_interfaces",
            0,
            "note: there is no interface",
        ),
        (instance(), "", 0, ""),
    ];
    for (instance, more, exit, says) in cases {
        let (global, root) = if more.contains('{') { ("", more) } else { (more, "") };
        let path = file(directory.path(), "a.conf", &(instance.version_2(global) + root))?;
        let (ours, said, theirs) = judged(&host, &path)?;
        let read = fs::read_to_string(&path)?;
        assert_eq!((ours, theirs), (Some(exit), Some(exit)), "{read}\n{said}");
        assert!(said.contains(says), "{read}\n{said}");
        assert_eq!(said.matches("there is no interface").count(), usize::from(!says.is_empty()), "{said}");
        // On another host it may be there.
        assert!(keepwatch(&["check", &path])?.status.success(), "{read}");
    }
    Ok(())
}

#[test]
fn no_interface_is_worth_a_status_of_its_own() -> Result<()> {
    let lab = Lab::new("no-own-status")?;
    let (_lan, mut hosts) = lab.routers(1)?;
    let host = hosts.remove(0);
    let directory = tempfile::tempdir()?;
    for block in ["linkbeat_interfaces {\n eth5\n}\n", "interface_up_down_delays {\n eth5 1\n}\n"] {
        let path = file(directory.path(), "a.conf", &(Instance::new("VI_1").version_2("") + block))?;
        let (ours, said, theirs) = judged(&host, &path)?;
        assert_eq!((ours, theirs), (Some(5), Some(4)), "{block}{said}");
        assert!(said.contains("there is no interface `eth5`"), "{said}");
    }
    Ok(())
}

#[test]
fn an_address_of_the_host_is_no_virtual_one() -> Result<()> {
    let lab = Lab::new("own-vip")?;
    let (_lan, mut hosts) = lab.routers(1)?;
    let host = hosts.remove(0);
    let directory = tempfile::tempdir()?;
    let of_host = host.output("ip", &["-o", "-4", "addr", "show", "dev", "eth0"])?;
    let own = text(&of_host.stdout).split_whitespace().nth(3).map(str::to_owned).unwrap_or_default();
    assert!(own.contains('/'), "{}", text(&of_host.stdout));
    let address = own.split('/').next().unwrap_or_default().to_owned();
    let left = Instance::new("VI_1").vip("10.99.0.1/24").interval("0.1").version_3("");
    let mut killed = Keepwatchd::on(&host).config(left).flag("--vrrp").start()?;
    wait::until("the address is set", wait::LONG, || host.has("eth0", "10.99.0.1"))?;
    killed.process_mut().kill();
    host.run("ip", &["link", "add", "far0", "type", "veth", "peer", "name", "far1"])?;
    host.run("ip", &["link", "add", "near0", "link", "eth0", "type", "macvlan", "mode", "private"])?;
    let unicast = |source: &str, peer: &str| {
        let peer = format!("unicast_peer {{\n {peer}\n }}");
        Instance::new("VI_1").line(&format!("unicast_src_ip {source}")).line(&peer)
    };
    for (instance, exit, says) in [
        (Instance::new("VI_1").vip(&own), 5, "error[own-address]"),
        (Instance::new("VI_1").vip(&own).priority(255), 0, ""),
        (Instance::new("VI_1").line("use_vmac far0"), 5, "error[interface-taken]"),
        (Instance::new("VI_1").line("use_vmac near0"), 0, ""),
        // What VRRP put there, this daemon or one before it, is nobody's own.
        (Instance::new("VI_1").vip("10.99.0.1/24"), 0, ""),
        (unicast(&address, "10.99.7.7"), 0, ""),
        (unicast("10.99.7.8", "10.99.7.7"), 0, "warning[no-such-address]"),
        (unicast(&address, &address), 0, "warning[own-peer]"),
    ] {
        let path = file(directory.path(), "a.conf", &instance.version_2(""))?;
        let (ours, said, _) = judged(&host, &path)?;
        assert_eq!(ours, Some(exit), "{}{said}", fs::read_to_string(&path)?);
        assert!(said.contains(says) && (!says.is_empty() || said.is_empty()), "{says}: {said}");
    }
    Ok(())
}

#[test]
fn the_daemon_says_which_interface_it_waits_for() -> Result<()> {
    let lab = Lab::new("waits-for-it")?;
    let (_lan, hosts) = lab.routers(1)?;
    let config = Instance::new("VI_1").interface("eth5").version_2("");
    let daemon = Keepwatchd::on(&hosts[0]).config(config).flag("--vrrp").start()?;
    daemon.wait_for_log("there is no interface `eth5`")
}
