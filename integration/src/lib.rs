//! The lab: whole networks on one machine, with real routers, real peers and a view of every frame on the wire.
//!
//! A [`Lab`] is a temporary directory and a *switch*, a network namespace that holds the bridges. A [`Host`] is a
//! network namespace of its own, plugged into bridges with veth pairs. All namespaces are anonymous: only file
//! descriptors of this process hold them, so they, their interfaces and addresses are gone when the test ends,
//! however it ends. Processes started in a host ([`Process`]) are killed with everything below them on drop.
//! A [`Capture`] sees every frame of a bridge with the kernel's timestamp. A [`Pair`] is the network that tests with
//! keepalived want.
//!
//! ```no_run
//! use integration::{Lab, keepwatchd::Keepwatchd, wait};
//! # fn main() -> anyhow::Result<()> {
//! let lab = Lab::new("example")?;
//! let lan = lab.bridge("lan")?;
//! let left = lab.host("left")?;
//! left.plug("eth0", &lan)?.address("eth0", "10.78.0.1/24")?;
//! let wire = lan.capture()?;
//! let director = Keepwatchd::on(&left).config("vrrp_instance VI_1 { … }").start()?;
//! wait::until("an advert is on the wire", wait::LONG, || !wire.adverts_from("10.78.0.1").is_empty())?;
//! println!("{}", director.process().log());
//! # Ok(())
//! # }
//! ```
//!
//! It runs as root, or as an ordinary user after [`netns::become_root_in_user_namespace`].

pub mod background;
pub mod binaries;
pub mod browser;
pub mod capture;
pub mod conf;
pub mod follow;
pub mod host;
pub mod hostile;
pub mod http;
pub mod lab;
pub mod metronome;
pub mod netns;
pub mod pair;
pub mod peer;
pub mod process;
pub mod sockets;
pub mod story;
pub mod stuck;
pub mod terminal;
pub mod vm;
pub mod wait;

pub use capture::{Capture, frame::Frame};
pub use conf::Instance;
pub use host::Host;
pub use lab::{Bridge, Lab};
pub use pair::Pair;
pub use peer::{aiosmtpd, dbus, frr, keepalived, keepwatchd, nginx, receiver, snmpd, snmptrapd, udp, web};
pub use process::Process;

/// How much of something a test does: `few` in an ordinary run, `all` when `KEEPWATCH_FULL` is set, for the figures that
/// take minutes (`cargo nextest run --profile long`, which gives them the time).
pub fn amount(few: u32, all: u32) -> u32 {
    if std::env::var_os("KEEPWATCH_FULL").is_some() { all } else { few }
}
