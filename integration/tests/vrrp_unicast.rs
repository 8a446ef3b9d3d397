//! Unicast: where adverts leave and are heard, with an interface and without one; and the source address, which must be
//! this host's.

use anyhow::{Context, Result, ensure};
use integration::{
    Bridge, Capture, Host, Instance, Lab, capture, conf, conf::VIP, keepalived::Keepalived,
    keepwatchd::Keepwatchd, wait,
};

/// Two hosts, each on two LANs: eth0 is 10.78.0.i, eth1 is 10.80.0.i and fd80::i.
struct Net {
    hosts: Vec<Host>,
    lans: [Bridge; 2],
    _lab: Lab,
}

impl Net {
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let (first, hosts) = lab.routers(2)?;
        let second = lab.bridge("second")?;
        for (host, i) in hosts.iter().zip(1..) {
            host.plug("eth1", &second)?
                .address("eth1", &format!("10.80.0.{i}/16"))?
                .address("eth1", &format!("fd80::{i}/64"))?;
        }
        Ok(Self { hosts, lans: [first, second], _lab: lab })
    }

    /// Gives each host an address on its loopback interface, to which the other comes over eth1.
    fn loopbacks(&self) -> Result<()> {
        for (host, own, other) in [(&self.hosts[0], 1, 2), (&self.hosts[1], 2, 1)] {
            for (ip, net, prefix, via) in
                [("-4", "10.99.0.", 32, "10.80.0."), ("-6", "fd99::", 128, "fd80::")]
            {
                host.address("lo", &format!("{net}{own}/{prefix}"))?;
                let (to, via) = (format!("{net}{other}/{prefix}"), format!("{via}{other}"));
                let source = format!("{net}{own}");
                host.run("ip", &[ip, "route", "add", &to, "via", &via, "dev", "eth1", "src", &source])?;
            }
        }
        Ok(())
    }

    fn wires(&self) -> Result<[Capture; 2]> {
        Ok([self.lans[0].capture()?, self.lans[1].capture()?])
    }

    fn one_has(&self, holder: usize, vip: &str) -> bool {
        self.hosts[holder].has("eth0", vip) && !self.hosts[1 - holder].has("eth0", vip)
    }
}

fn instance(priority: u8) -> Instance {
    Instance::new("VI_1").priority(priority).interval("0.1")
}

fn start(host: &Host, config: impl Into<String>) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

#[test]
fn without_an_interface_loopback_addresses_elect_one_master_beside_keepalived() -> Result<()> {
    let net = Net::new("loopbacks")?;
    net.loopbacks()?;
    let wires = net.wires()?;
    // Debian's keepalived, 2.2.7, can't do without an interface; it can name the one by which it reaches us.
    let vip = format!("{VIP}/32 dev eth0");
    let config = |own: u8, priority| {
        let (from, to) = (format!("10.99.0.{own}"), format!("10.99.0.{}", 3 - own));
        instance(priority).unicast(&from, &to).vip(&vip)
    };
    let start_theirs =
        || Keepalived::start(&net.hosts[1], &config(2, 200).interface("eth1").version_3(""), &[]);
    let mut theirs = start_theirs()?;
    wait::until("keepalived is master", wait::LONG, || net.one_has(1, VIP))?;
    let ours = start(&net.hosts[0], config(1, 100).anywhere().version_3(""))?;
    ours.wait_for_log("(VI_1) Entering BACKUP STATE")?;
    wait::throughout("we hear it and stay backup", wait::SHORT / 4, || net.one_has(1, VIP))?;
    theirs.process_mut().kill();
    net.hosts[1].remove_address(VIP)?;
    wait::until("we take over", wait::LONG, || net.one_has(0, VIP))?;
    wait::until("our adverts leave by the route", wait::SHORT, || {
        !wires[1].adverts_from("10.99.0.1").is_empty()
    })?;
    ensure!(wires[0].adverts().is_empty(), "adverts took another way than the route");
    wait::until("the address is announced where it is", wait::SHORT, || {
        !wires[0].gratuitous_arps(VIP).is_empty()
    })?;

    let _theirs = start_theirs()?;
    wait::until("it preempts us", wait::LONG, || net.one_has(1, VIP))?;

    ours.wait_for_control()?;
    let status = ours.answer(&["status"])?;
    let line = status.lines().find(|line| line.contains("VI_1")).context("no VI_1 in status")?;
    ensure!(line.split_whitespace().any(|word| word == "-"), "an interface in {line:?}");
    let labels = ["iname=\"VI_1\"", "intf=\"\""];
    let metric = ours.metric("keepwatch_vrrp_transitions_total", &labels);
    ensure!(metric.is_some(), "no metric of an instance without interface");
    Ok(())
}

#[test]
fn without_an_interface_ipv6_goes_by_the_route_and_addresses_take_the_default_interface() -> Result<()> {
    const VIP6: &str = "fd78::9";
    let net = Net::new("six-anywhere")?;
    net.loopbacks()?;
    let config = |own: u8, priority| {
        let instance = instance(priority).anywhere().vip(VIP6);
        let instance = instance.unicast(&format!("fd99::{own}"), &format!("fd99::{}", 3 - own));
        instance.version_3("    default_interface eth0")
    };
    let mut master = start(&net.hosts[1], config(2, 200))?;
    wait::until("the second is master", wait::LONG, || net.one_has(1, VIP6))?;
    let backup = start(&net.hosts[0], config(1, 100))?;
    backup.wait_for_log("(VI_1) Entering BACKUP STATE")?;
    wait::throughout("the first stays backup", wait::SHORT / 4, || net.one_has(1, VIP6))?;
    master.process_mut().stop(wait::LONG)?;
    wait::until("the first takes over", wait::LONG, || net.one_has(0, VIP6))
}

#[test]
fn with_an_interface_adverts_leave_and_are_heard_there_whatever_the_routes_say() -> Result<()> {
    let net = Net::new("bound")?;
    for (host, other) in [(&net.hosts[0], 2), (&net.hosts[1], 1)] {
        let (to, via) = (format!("10.78.0.{other}/32"), format!("10.80.0.{other}"));
        host.run("ip", &["route", "add", &to, "via", &via, "dev", "eth1"])?;
    }
    let wires = net.wires()?;
    let config = |own: u8, priority| {
        let (from, to) = (format!("10.78.0.{own}"), format!("10.78.0.{}", 3 - own));
        instance(priority).unicast(&from, &to).version_3("")
    };
    let _backup = start(&net.hosts[0], config(1, 100))?;
    let _master = start(&net.hosts[1], config(2, 200))?;
    wait::until("one is master", wait::LONG, || net.one_has(1, VIP))?;
    wait::throughout("the other stays backup", wait::SHORT / 4, || net.one_has(1, VIP))?;
    ensure!(!wires[0].adverts_from("10.78.0.2").is_empty(), "no adverts on eth0");
    ensure!(wires[1].adverts().is_empty(), "adverts on eth1");
    Ok(())
}

#[test]
fn a_reload_gives_a_router_an_interface_and_takes_it_away() -> Result<()> {
    let net = Net::new("forms")?;
    let config = |own: u8, priority, bound: bool| {
        let instance = instance(priority).vip(&format!("{VIP}/32 dev eth0"));
        let instance = if bound { instance } else { instance.anywhere() };
        instance.unicast(&format!("10.78.0.{own}"), &format!("10.78.0.{}", 3 - own)).version_3("")
    };
    let ours = start(&net.hosts[0], config(1, 200, true))?;
    let _theirs = start(&net.hosts[1], config(2, 100, false))?;
    wait::until("ours is master", wait::LONG, || net.one_has(0, VIP))?;
    for bound in [false, true, false] {
        let elected = || ours.process().log().matches("(VI_1) Entering MASTER STATE").count();
        let before = elected();
        std::fs::write(ours.config_path(), config(1, 200, bound))?;
        ours.process().signal(nix::sys::signal::Signal::SIGHUP)?;
        // It is another on the wire, so it is elected anew.
        wait::until("ours is master again", wait::LONG, || elected() > before && net.one_has(0, VIP))?;
        wait::throughout("and stays it", wait::SHORT / 5, || net.one_has(0, VIP))?;
    }
    Ok(())
}

#[test]
fn a_source_address_that_is_not_here_is_a_fault_until_it_is() -> Result<()> {
    const FOREIGN: &str = "10.78.0.77";
    let lab = Lab::new("foreign")?;
    let (lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let wire = lan.capture()?;
    let unicast = instance(100).unicast(FOREIGN, "10.78.0.9").vip("10.78.9.1").to_string();
    let multicast = Instance::new("VI_2").vrid(52).interval("0.1").vip("10.78.9.2");
    let multicast = multicast.line(&format!("mcast_src_ip {FOREIGN}")).to_string();
    let daemon = start(host, conf::global_defs(3, "") + &unicast + &multicast)?;
    let vips = ["10.78.9.1", "10.78.9.2"];
    let all = || vips.iter().all(|vip| host.has("eth0", vip));
    let none = || vips.iter().all(|vip| !host.has("eth0", vip));
    let reason = "the source address 10.78.0.77 is not on this host";
    let reasons = || daemon.process().log().matches(reason).count();
    wait::until("both say why they are in FAULT", wait::LONG, || reasons() == 2)?;
    wait::throughout("neither takes part", wait::SHORT / 5, none)?;
    ensure!(wire.adverts().is_empty(), "adverts from an address that is not here");

    // It comes, on an interface that the instances do not name.
    host.address("lo", &format!("{FOREIGN}/32"))?;
    wait::until("both are master", wait::LONG, all)?;
    let since = capture::now();
    wait::until("they advertise from it", wait::SHORT, || !wire.adverts_since(FOREIGN, since).is_empty())?;

    // It moves: it is on both for a moment.
    host.address("eth0", &format!("{FOREIGN}/16"))?;
    host.run("ip", &["address", "del", &format!("{FOREIGN}/32"), "dev", "lo"])?;
    wait::throughout("they stay master", wait::SHORT / 10, all)?;

    ensure!(host.remove_address(FOREIGN)?, "it was not there");
    wait::until("both gave up, and said why", wait::LONG, || none() && reasons() == 4)?;
    ensure!(daemon.process().log().matches("FAULT STATE").count() == 4, "{}", daemon.process().log());

    // A reload to an address that is here ends it.
    let text = std::fs::read_to_string(daemon.config_path())?;
    std::fs::write(daemon.config_path(), text.replace(FOREIGN, "10.78.0.1"))?;
    daemon.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    wait::until("both are master again", wait::LONG, all)?;
    std::fs::write(daemon.config_path(), text)?;
    daemon.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    wait::until("a reload back is a fault again", wait::LONG, || none() && reasons() == 6)
}

#[test]
fn a_source_address_over_ipv6_counts_once_nobody_else_can_have_it() -> Result<()> {
    const VIP6: &str = "fd78::9";
    let lab = Lab::new("tentative")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    for (setting, value) in [("accept_dad", 1), ("dad_transmits", 3)] {
        host.run("sysctl", &["-q", "-w", &format!("net.ipv6.conf.eth0.{setting}={value}")])?;
    }
    host.run("ip", &["address", "add", "fd78::77/64", "dev", "eth0"])?;
    let config = instance(100).unicast("fd78::77", "fd78::2").vip(VIP6).version_3("");
    let daemon = start(host, config)?;
    let tentative = || {
        let shown = host.run("ip", &["-6", "address", "show", "dev", "eth0", "tentative"]);
        shown.is_ok_and(|shown| shown.contains("fd78::77"))
    };
    daemon.wait_for_log("the source address fd78::77 is not on this host")?;
    wait::until("it is master", wait::LONG, || host.has("eth0", VIP6))?;
    ensure!(!tentative(), "it was master with a tentative address");
    Ok(())
}

/// Packets that were sent on by a router have less; so receivers may ask for all of it (`min_ttl`).
#[test]
fn adverts_to_peers_leave_with_all_of_their_time_to_live_but_where_another_is_set() -> Result<()> {
    let lab = Lab::new("unicast-ttl")?;
    let (lan, hosts) = lab.routers(2)?;
    for (from, to, vip) in [("10.78.0.1", "10.78.0.2", VIP), ("fd78::1", "fd78::2", "fd78::9")] {
        for (line, ttl) in [("", 255), ("unicast_ttl 7", 7)] {
            let wire = lan.capture()?;
            let block = Instance::new("VI_1").vip(vip).unicast(from, to).interval("0.1").line(line);
            let mut daemon = start(&hosts[0], block.version_3(""))?;
            wait::until("it advertises", wait::LONG, || wire.adverts_from(from).len() > 2)
                .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))?;
            let sent: Vec<u8> = wire.adverts_from(from).iter().map(|(_, advert)| advert.ttl).collect();
            ensure!(sent.iter().all(|it| *it == ttl), "{from}, {line}: {sent:?}");
            daemon.process_mut().stop(wait::LONG)?;
        }
    }
    Ok(())
}
