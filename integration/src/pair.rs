//! The network of most interoperability tests: our router and Debian's keepalived on one LAN that is recorded, with
//! one virtual address between them.

use std::time::Duration;

use anyhow::Result;

use crate::{
    Bridge, Capture, Host, Lab, capture, conf::VIP, keepalived::Keepalived, keepwatchd::Keepwatchd, wait,
};

/// The address of our host.
pub const OURS: &str = "10.78.0.1";
/// The address of the other router's host.
pub const THEIRS: &str = "10.78.0.2";

/// Two hosts on a LAN that is recorded; nothing runs on them yet.
pub struct Pair {
    /// The LAN, for further hosts.
    pub lan: Bridge,
    /// What is on the LAN.
    pub wire: Capture,
    /// Our host.
    pub ours: Host,
    /// The other router's host.
    pub theirs: Host,
}

impl Pair {
    /// Makes the network; `name` as in [`Lab::new`].
    pub fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let (lan, mut hosts) = lab.routers(2)?;
        let wire = lan.capture()?;
        let (theirs, ours) = (hosts.remove(1), hosts.remove(0));
        Ok(Self { lan, wire, ours, theirs })
    }

    /// Starts our daemon on our host, for VRRP only.
    pub fn keepwatchd(&self, config: impl Into<String>) -> Result<Keepwatchd> {
        Keepwatchd::on(&self.ours).config(config).flag("--vrrp").start()
    }

    /// Starts Debian's keepalived on the other host.
    pub fn keepalived(&self, config: impl AsRef<str>) -> Result<Keepalived> {
        Keepalived::start(&self.theirs, config.as_ref(), &[])
    }

    /// Whether the virtual address is on our host and not on the other.
    pub fn ours_alone(&self) -> bool {
        self.ours.has("eth0", VIP) && !self.theirs.has("eth0", VIP)
    }

    /// Whether the virtual address is on the other host and not on ours.
    pub fn theirs_alone(&self) -> bool {
        self.theirs.has("eth0", VIP) && !self.ours.has("eth0", VIP)
    }

    /// Whether the virtual address is on both hosts: each believes to be alone.
    pub fn both(&self) -> bool {
        self.ours.has("eth0", VIP) && self.theirs.has("eth0", VIP)
    }

    /// Waits until the host of `address`, [`OURS`] or [`THEIRS`], sends adverts and alone has the virtual address.
    pub fn wait_for_master(&self, address: &str) -> Result<()> {
        let since = capture::now();
        wait::until(&format!("{address} alone is master"), wait::LONG, || {
            self.wire.is_master_since(address, since)
                && if address == OURS { self.ours_alone() } else { self.theirs_alone() }
        })
    }

    /// How long the virtual address was nobody's after `dead` fell silent, on the wire.
    pub fn outage(&self, dead: &str) -> Result<Duration> {
        wait::value("the VIP is announced by the other", wait::LONG, || self.wire.outage(dead, VIP))
    }

    /// Waits until each of the two has refused an advert of the other: `metric` counts it on our side, `statistic` on
    /// theirs.
    pub fn wait_for_refusals(we: &Keepwatchd, it: &Keepalived, metric: &str, statistic: &str) -> Result<()> {
        wait::until(&format!("we count {metric}"), wait::LONG, || counted(we, metric) >= 1.0)?;
        wait::until(&format!("it counts {statistic}"), wait::LONG, || {
            it.statistics("VI_1").is_ok_and(|all| all.get(statistic).is_some_and(|&count| count >= 1))
        })
    }
}

/// What our daemon counts of VI_1; 0 where it does not answer yet.
pub fn counted(we: &Keepwatchd, metric: &str) -> f64 {
    we.metric(metric, &["iname=\"VI_1\""]).unwrap_or(0.0)
}
