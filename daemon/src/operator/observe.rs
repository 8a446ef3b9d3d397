//! `keepwatch observe`: listens on interfaces and tells which virtual routers are there and what happens to them.
//!
//! ```text
//!  packet sockets ─┐                      ┌─► each event as it happens: a line of text or JSON
//!           clock ─┼─► Lan (the machine) ─┤
//!         signals ─┘                      ├─► at the end all that was heard
//!                                         └─► metrics, for who asks
//! ```

mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use keepwatch_model::Family;
use keepwatch_net::link::LinkIndex;
use keepwatch_net::socket::Listener;
use keepwatch_net::wire::ethernet::TYPE_IPV6;
use keepwatch_observe::{Event, Lan, Router, event, router};
use nix::errno::Errno;
use nix::net::if_::if_nameindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use serde::Serialize;

use self::metrics::Known;
use super::paint::{Paint, clock};
use crate::terminal;

/// How often interfaces are looked for that came or came back.
const LOOK: Duration = Duration::from_secs(2);
/// Packets that are taken from one interface before the others have their turn.
const TURN: usize = 256;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Listen on this interface, as often as needed [default: all but loopback]
    #[arg(short, long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,
    /// Stop after this time, such as 10s or 2m [default: at Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_length)]
    length: Option<Duration>,
    /// Hear unicast adverts between others too, where the network brings them here
    #[arg(long)]
    promiscuous: bool,
    /// Answer Prometheus at this address, such as 127.0.0.1:9166, under /metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// In JSON, a line for each event and one at the end, for programs; times are in seconds
    #[arg(long)]
    json: bool,
}

fn parse_length(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| "expected a time such as 10s, 500ms or 2m".to_owned())?;
    Duration::try_from(span).map_err(|_| "expected a time that is not negative".to_owned())
}

/// Listens until it is told to stop. Exit status 1 if somewhere there are two masters or none at the end.
pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block().context("hold signals")?;
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let signals = SignalFd::with_flags(&signals, flags).context("take signals")?;
    let mut ears = Ears::new(arguments);
    ears.look()?;
    if ears.open.is_empty() {
        match &arguments.interfaces[..] {
            [] => bail!("this host has no interface but loopback"),
            names => bail!("this host has no interface {}", names.join(" or ")),
        }
    }
    for missing in ears.missing() {
        terminal::complain(&format!("no interface {missing} yet: it is listened on when it comes\n"));
    }
    let teller = Teller::new(arguments.json);
    let known = Arc::new(Mutex::new(Known::default()));
    if let Some(at) = arguments.listen {
        metrics::serve(at, teller.began.1, known.clone())?;
    }
    let hold = || known.lock().unwrap_or_else(PoisonError::into_inner);
    teller.begin(&ears, out)?;
    let mut events = Vec::new();
    let ended = |now: Duration| arguments.length.is_some_and(|length| now >= length);
    let mut looked = Duration::ZERO;
    loop {
        let now = teller.now();
        if ended(now) {
            break;
        }
        if now >= looked + LOOK {
            looked = now;
            ears.look()?;
        }
        let deadline = hold().lan.deadline();
        let next = [Some(looked + LOOK), arguments.length, deadline.map(|at| at + Duration::from_millis(1))];
        let until = next.into_iter().flatten().min().unwrap_or(now).saturating_sub(now);
        if ears.wait(&signals, until)? {
            break;
        }
        let mut heard = hold();
        ears.take(&teller, &mut heard.lan, &mut events);
        heard.lan.passed(teller.now(), &mut events);
        heard.lost = ears.lost;
        drop(heard);
        for event in events.drain(..) {
            teller.tell(out, &event)?;
        }
        out.flush()?;
    }
    let known = hold();
    teller.end(&known.lan, ears.lost, out)?;
    out.flush()?;
    let troubled =
        known.lan.routers().any(|(_, router)| router.master.is_none() || router.two_masters().is_some());
    Ok(if troubled { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The interfaces that are listened on.
struct Ears<'a> {
    arguments: &'a Arguments,
    open: BTreeMap<u32, (Arc<str>, Listener)>,
    /// Interfaces nobody named that can't be listened on; it has been said of each.
    deaf: BTreeSet<String>,
    /// Packets that came faster than they were taken.
    lost: u64,
}

impl<'a> Ears<'a> {
    fn new(arguments: &'a Arguments) -> Self {
        Self { arguments, open: BTreeMap::new(), deaf: BTreeSet::new(), lost: 0 }
    }

    /// Opens what is wanted and there, and closes what is gone or has another name.
    ///
    /// # Errors
    /// When an interface that was asked for can't be listened on, or this process may not; or, where all are wanted, when
    /// none can be.
    fn look(&mut self) -> Result<()> {
        let mut there = BTreeMap::new();
        for interface in &if_nameindex().context("ask for the interfaces of this host")? {
            let name = interface.name().to_string_lossy().into_owned();
            let wanted = match &self.arguments.interfaces[..] {
                [] => name != "lo",
                names => names.contains(&name),
            };
            if wanted {
                there.insert(interface.index(), name);
            }
        }
        self.open.retain(|index, (name, _)| there.get(index).is_some_and(|now| **now == **name));
        self.deaf.retain(|name| there.values().any(|there| there == name));
        let mut failed = None;
        for (index, name) in there {
            if self.open.contains_key(&index) {
                continue;
            }
            match Listener::open(LinkIndex(index), self.arguments.promiscuous) {
                Ok(listener) => {
                    self.open.insert(index, (name.into(), listener));
                }
                // It went away since the list was made.
                Err(error) if error.errno() == Some(Errno::ENODEV) => {}
                Err(error) => {
                    let named = !self.arguments.interfaces.is_empty();
                    let forbidden = error.errno() == Some(Errno::EPERM);
                    let error = anyhow::Error::new(error).context(if forbidden {
                        format!("{name} (this needs root, or CAP_NET_RAW)")
                    } else {
                        name.clone()
                    });
                    if named || forbidden {
                        return Err(error);
                    }
                    if self.deaf.insert(name) {
                        terminal::complain(&format!("not listened on: {}\n", terminal::told(&error)));
                    }
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) if self.open.is_empty() => Err(error),
            Some(_) | None => Ok(()),
        }
    }

    /// Interfaces that were asked for and are not there.
    fn missing(&self) -> impl Iterator<Item = &str> {
        let there = |name: &&String| self.open.values().any(|(open, _)| **open == ***name);
        self.arguments.interfaces.iter().filter(move |name| !there(name)).map(String::as_str)
    }

    /// Waits for a packet, at most so long. Whether a signal says to stop.
    fn wait(&self, signals: &SignalFd, at_most: Duration) -> Result<bool> {
        let sockets = self.open.values().map(|(_, listener)| listener.as_fd());
        let mut watched: Vec<PollFd<'_>> = std::iter::once(signals.as_fd())
            .chain(sockets)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let millis = at_most.as_millis().saturating_add(1).min(60_000) as u16;
        match poll(&mut watched, PollTimeout::from(millis)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).context("wait for packets"),
        }
        Ok(watched.first().is_some_and(|signals| signals.any().unwrap_or(false)))
    }

    /// Takes what has come in. An interface that fails is closed; it is looked for again later.
    fn take(&mut self, teller: &Teller, lan: &mut Lan, events: &mut Vec<Event>) {
        self.open.retain(|_, (name, listener)| {
            self.lost += listener.lost();
            for _ in 0..TURN {
                match listener.take() {
                    Ok(Some(heard)) => {
                        let family = if heard.ethertype == TYPE_IPV6 { Family::Inet6 } else { Family::Inet };
                        lan.heard(teller.now(), (name, family), (heard.packet, heard.hardware), events);
                    }
                    Ok(None) => return true,
                    Err(_) => return false,
                }
            }
            true
        });
    }
}

/// Tells it: the clock, and the form.
struct Teller {
    began: (Instant, Timestamp),
    json: bool,
    paint: Paint,
}

#[derive(Serialize)]
struct Told<'a> {
    at: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

#[derive(Serialize)]
struct Heard<'a> {
    interface: &'a str,
    family: String,
    vrid: Option<u8>,
    since: Timestamp,
    #[serde(flatten)]
    router: &'a Router,
}

#[derive(Serialize)]
struct FlawedPackets<'a> {
    interface: &'a str,
    sender: Option<std::net::IpAddr>,
    flaw: keepwatch_observe::Flaw,
    packets: u64,
}

#[derive(Serialize)]
struct Summary<'a> {
    at: Timestamp,
    routers: Vec<Heard<'a>>,
    flawed: Vec<FlawedPackets<'a>>,
    packets: u64,
    lost: u64,
}

impl Teller {
    fn new(json: bool) -> Self {
        let paint = Paint { on: terminal::has_colours(&io::stdout()) };
        Self { began: (Instant::now(), Timestamp::now()), json, paint }
    }

    /// Since observing began.
    fn now(&self) -> Duration {
        self.began.0.elapsed()
    }

    fn at(&self, since: Duration) -> Timestamp {
        self.began.1.checked_add(since).unwrap_or(self.began.1)
    }

    fn begin(&self, ears: &Ears<'_>, out: &mut impl Write) -> Result<()> {
        if !self.json {
            let names: Vec<&str> = ears.open.values().map(|(name, _)| &**name).collect();
            writeln!(out, "{}", self.paint.dim(&format!("listening on {}", names.join(", "))))?;
            out.flush()?;
        }
        Ok(())
    }

    fn tell(&self, out: &mut impl Write, event: &Event) -> Result<()> {
        let at = self.at(event.at);
        if self.json {
            serde_json::to_writer(&mut *out, &Told { at, event }).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            let text = event.to_string();
            let text = if event.what.is_trouble() { self.paint.bad(&text) } else { text };
            writeln!(out, "{}  {text}", clock(at))?;
        }
        Ok(())
    }

    fn end(&self, lan: &Lan, lost: u64, out: &mut impl Write) -> Result<()> {
        if self.json {
            let heard = lan.routers().map(|(place, router)| Heard {
                interface: &place.interface,
                family: place.family.to_string(),
                vrid: place.vrid,
                since: self.at(router.since),
                router,
            });
            let flawed = lan.flawed_packets().map(|(place, sender, flaw, packets)| FlawedPackets {
                interface: &place.interface,
                sender,
                flaw,
                packets,
            });
            let summary = Summary {
                at: Timestamp::now(),
                routers: heard.collect(),
                flawed: flawed.collect(),
                packets: lan.packets(),
                lost,
            };
            serde_json::to_writer(&mut *out, &summary).map_err(io::Error::from)?;
            return Ok(writeln!(out)?);
        }
        let span = event::time(self.now());
        let (routers, packets) = (lan.routers().len(), lan.packets());
        let heading = format!("{routers} virtual routers, {packets} packets in {span}");
        writeln!(out, "\n{}", self.paint.head(&heading))?;
        for (place, router) in lan.routers() {
            self.list(place, router, out)?;
        }
        for (place, sender, flaw, packets) in lan.flawed_packets() {
            let sender = sender.map_or("unknown senders".to_owned(), |sender| sender.to_string());
            writeln!(out, "{}", self.paint.warn(&format!("{place}: {packets} packets of {sender}: {flaw}")))?;
        }
        if lost > 0 {
            writeln!(
                out,
                "{}",
                self.paint.warn(&format!("{lost} packets came too fast and were not heard"))
            )?;
        }
        Ok(())
    }

    fn list(&self, place: &keepwatch_observe::Place, router: &Router, out: &mut impl Write) -> Result<()> {
        let state = match (router.master(), router.two_masters()) {
            (_, Some([one, two])) => self.paint.bad(&format!("TWO MASTERS: {one} and {two}")),
            (Some(master), None) => format!("master {}", self.paint.good(&master.address.to_string())),
            (None, None) => self.paint.bad("no master"),
        };
        let (since, changes) = (clock(self.at(router.since)), router.master_changes);
        writeln!(out, "{}  {state}, since {since}, {changes} changes", self.paint.head(&place.to_string()))?;
        for sender in router.senders() {
            let how = if sender.unicast { "to single peers" } else { "to the group" };
            let hardware = sender.hardware.map_or(String::new(), |address| format!(", from {address}"));
            let gap = match sender.largest_gap {
                Duration::ZERO => String::new(),
                gap => format!(", largest gap {}", event::time(gap)),
            };
            writeln!(out, "    {sender}: {} adverts {how}{hardware}{gap}", sender.adverts)?;
        }
        if router.senders_forgotten > 0 {
            let (kept, forgotten) = (router::SENDERS, router.senders_forgotten);
            writeln!(out, "    more senders than the {kept} that are kept: {forgotten} times another")?;
        }
        Ok(())
    }
}
