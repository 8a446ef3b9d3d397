//! Gratuitous ARP at the pace and on the interfaces that the configuration says; and settings of the kernel that are
//! changed meanwhile.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration::{Host, Instance, Lab, keepwatchd::Keepwatchd, wait};

const HERE: &str = "10.78.9.9";
const THERE: &str = "10.80.9.9";

fn instance(more: &str) -> Instance {
    Instance::new("VI_1")
        .vip(&format!("{HERE}\n {THERE}/16 dev eth1"))
        .interval("0.1")
        .line("version 3")
        .line("garp_master_delay 0")
        .line(more)
}

fn start(host: &Host, config: &str) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

#[test]
fn interfaces_of_a_garp_group_share_one_limit() -> Result<()> {
    let lab = Lab::new("garp-group")?;
    let (lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    hosts[0].plug("eth1", &other)?.address("eth1", "10.80.0.1/16")?;
    let (near, far) = (lan.capture()?, other.capture()?);
    let group = "garp_group {\n garp_interval 0.1\n interfaces {\n eth0\n eth1\n }\n}\n";
    let _daemon = start(&hosts[0], &format!("{group}{}", instance("garp_master_repeat 3")))?;
    let all = || {
        let mut times = [near.gratuitous_arps(HERE), far.gratuitous_arps(THERE)].concat();
        times.sort_unstable();
        times
    };
    wait::until("three for each of two addresses", wait::LONG, || all().len() == 6)?;
    ensure!(near.gratuitous_arps(HERE).len() == 3, "{:?}", near.gratuitous_arps(HERE));
    let gaps: Vec<Duration> = all().windows(2).map(|pair| pair[1] - pair[0]).collect();
    ensure!(gaps.iter().all(|gap| *gap >= Duration::from_millis(80)), "{gaps:?}");
    Ok(())
}

#[test]
fn addresses_on_interfaces_without_adverts_are_announced_again_and_again() -> Result<()> {
    let lab = Lab::new("garp-extra")?;
    let (lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    hosts[0].plug("eth1", &other)?.address("eth1", "10.80.0.1/16")?;
    let (near, far) = (lan.capture()?, other.capture()?);
    let _daemon = start(&hosts[0], &instance("garp_extra_if all 1\n garp_master_repeat 1").to_string())?;
    wait::until("it is announced again", wait::LONG, || far.gratuitous_arps(THERE).len() >= 3)?;
    ensure!(near.gratuitous_arps(HERE).len() == 1, "{:?}", near.gratuitous_arps(HERE));
    Ok(())
}

#[test]
fn secondary_addresses_are_promoted_while_an_instance_wants_it() -> Result<()> {
    let lab = Lab::new("promoted")?;
    let (_lan, hosts) = lab.routers(1)?;
    let setting =
        || hosts[0].run("sysctl", &["-n", "net.ipv4.conf.eth0.promote_secondaries"]).unwrap_or_default();
    let vips = Instance::new("VI_1").vip("10.99.9.9/24\n 10.99.9.8/24").interval("0.1").line("version 3");
    let mut daemon = start(&hosts[0], &vips.line("promote_secondaries").to_string())?;
    wait::until("both are there", wait::LONG, || {
        hosts[0].has("eth0", "10.99.9.9") && hosts[0].has("eth0", "10.99.9.8")
    })?;
    ensure!(setting().trim() == "1");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(setting().trim() == "0", "it was not restored");
    Ok(())
}
