//! Sessions with others' BFD, in every combination: on the link and over routers, IPv4 and IPv6, either side the passive one;
//! they come up, agree on times, agree on others (poll and final), notice loss, a restart, and an end on purpose.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{Host, Pair, frr::Bfdd, keepalived::Keepalived, wait};
use nix::sys::signal::Signal;

use super::{Bird, instance, start};

/// One combination.
#[derive(Clone, Copy, Debug)]
struct Cell {
    six: bool,
    multihop: bool,
    /// Which side waits to be spoken to.
    we_are_passive: bool,
}

const CELLS: [Cell; 4] = [
    Cell { six: false, multihop: false, we_are_passive: false },
    Cell { six: false, multihop: true, we_are_passive: true },
    Cell { six: true, multihop: false, we_are_passive: true },
    Cell { six: true, multihop: true, we_are_passive: false },
];

impl Cell {
    fn ours(self) -> &'static str {
        if self.six { "fd78::1" } else { "10.78.0.1" }
    }

    fn theirs(self) -> &'static str {
        if self.six { "fd78::2" } else { "10.78.0.2" }
    }

    /// As a block of keepalived.conf, of one side.
    fn block(self, ours: bool, min_rx: u32, min_tx: u32) -> String {
        let (mine, other) = if ours { (self.ours(), self.theirs()) } else { (self.theirs(), self.ours()) };
        // What the RFC wants on the link; keepalived's own default for IPv6 is 64.
        let hop_limit = if self.six { " hoplimit 255\n" } else { "" };
        let multihop = if self.multihop { " multihop\n max_hops 200\n" } else { "" };
        let passive = if ours == self.we_are_passive { " passive\n" } else { "" };
        format!(
            "bfd_instance b1 {{\n neighbor_ip {other}\n source_ip {mine}\n min_rx {min_rx}\n min_tx {min_tx}\n multiplier 5\n\
             {hop_limit}{multihop}{passive}}}\n"
        )
    }
}

/// Who the other one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bird,
    Frr,
    Keepalived,
}

enum Peer {
    Bird(Bird),
    Frr(Bfdd, String),
    Keepalived(Keepalived),
}

impl Peer {
    /// All of them send every 200 ms and take a packet every 250 ms.
    fn start(kind: Kind, host: &Host, cell: Cell) -> Result<Self> {
        let (ours, theirs) = (cell.ours(), cell.theirs());
        Ok(match kind {
            Kind::Bird => {
                let neighbour = match cell.multihop {
                    true => format!("{ours} local {theirs} multihop yes"),
                    false => format!("{ours} dev \"eth0\" local {theirs}"),
                };
                let passive = if cell.we_are_passive { "" } else { "passive yes;" };
                Self::Bird(Bird::start_with(host, &neighbour, (250, 200, 5), passive)?)
            }
            Kind::Frr => {
                let (way, least) = match cell.multihop {
                    true => (format!("multihop local-address {theirs}"), "  minimum-ttl 10\n"),
                    false => (format!("local-address {theirs} interface eth0"), ""),
                };
                let peer = format!("peer {ours} {way}");
                let passive = if cell.we_are_passive { "" } else { "  passive-mode\n" };
                let lines = format!(
                    " {peer}\n  detect-multiplier 5\n  receive-interval 250\n  transmit-interval 200\n{least}{passive} !\n"
                );
                Self::Frr(Bfdd::start(host, &lines)?, peer)
            }
            Kind::Keepalived => {
                let instance = instance("b1 weight 10").priority(50).interval("1").to_string();
                Self::Keepalived(Keepalived::start(host, &(cell.block(false, 250, 200) + &instance), &[])?)
            }
        })
    }

    fn log(&self) -> String {
        match self {
            Self::Bird(bird) => bird.sessions(),
            Self::Frr(frr, _) => frr.tell(&["show bfd peers"]).unwrap_or_default(),
            Self::Keepalived(it) => it.process().log(),
        }
    }

    fn is_up(&self) -> bool {
        match self {
            Self::Bird(bird) => bird.is("Up"),
            Self::Frr(frr, _) => {
                frr.tell(&["show bfd peers json"]).is_ok_and(|text| text.contains(r#""status":"up""#))
            }
            Self::Keepalived(it) => {
                let log = it.process().log();
                log.lines()
                    .rfind(|line| line.contains("(b1) Entering"))
                    .is_some_and(|line| line.contains("Up state"))
            }
        }
    }
}

/// Everything that happens to one session.
fn life(kind: Kind, cell: Cell, name: &str) -> Result<()> {
    let net = Pair::new(name)?;
    let config = |min_rx, min_tx| cell.block(true, min_rx, min_tx) + &instance("b1 weight 10").to_string();
    let mut daemon = start(&net, config(200, 150))?;
    let log = || daemon.process().log();
    let times_up = |count: usize| {
        wait::until(&format!("it is up for the {count}. time"), wait::LONG, || {
            log().matches("(b1) Entering Up state").count() == count
        })
        .with_context(log)
    };
    let agreed = |text: &str| {
        wait::until(text, wait::LONG, || daemon.answer(&["status"]).is_ok_and(|status| status.contains(text)))
            .with_context(|| daemon.answer(&["status"]).unwrap_or_default())
    };
    let mut peer = Peer::start(kind, &net.theirs, cell)?;
    times_up(1).with_context(|| peer.log())?;
    wait::until("the other says so too", wait::LONG, || peer.is_up())?;
    // It wants one every 250 ms, and sends one every 200 ms, five of which may be lost: it has had an answer to its poll.
    agreed("a packet each 250 ms, down after 1000 ms of silence")?;
    // Others: used only when it has answered our poll.
    std::fs::write(daemon.config_path(), config(300, 350))?;
    daemon.process().signal(Signal::SIGHUP)?;
    agreed("a packet each 350 ms, down after 1500 ms of silence")?;
    wait::throughout("it is up", Duration::from_millis(500), || peer.is_up())?;
    ensure!(log().matches("(b1) Entering").count() == 1, "{}", log());

    net.theirs.isolate()?;
    daemon.wait_for_log("(b1) Entering Down state (Local diagnostic - Control Detection Time Expired")?;
    net.theirs.open_firewall()?;
    times_up(2)?;
    wait::until("the other says so too", wait::LONG, || peer.is_up())?;

    // A restart of the other: a silence, or a neighbour that has forgotten all.
    match &mut peer {
        Peer::Frr(frr, _) => frr.restart()?,
        Peer::Bird(_) | Peer::Keepalived(_) => {
            drop(peer);
            peer = Peer::start(kind, &net.theirs, cell)?;
        }
    }
    times_up(3)?;
    wait::until("the other says so too", wait::LONG, || peer.is_up())?;

    if let Peer::Frr(frr, name) = &peer {
        // It is shut down on purpose, and says so; a VRRP instance hears of that as of a loss.
        frr.tell(&["configure terminal", "bfd", name, "shutdown"])?;
        daemon.wait_for_log("Local diagnostic - Neighbor Signaled Session Down")?;
        frr.tell(&["configure terminal", "bfd", name, "no shutdown"])?;
        times_up(4)?;
        wait::until("the other says so too", wait::LONG, || peer.is_up())?;
    }
    // An end of ours is told, too.
    daemon.process_mut().stop(wait::LONG)?;
    wait::until("the other knows that it is over", wait::LONG, || !peer.is_up())
}

fn lives(kind: Kind) -> Result<()> {
    // Debian's keepalived has no `multihop`: there, each family with each side as the passive one.
    let cells = match kind {
        Kind::Keepalived => [(false, false), (false, true), (true, false), (true, true)]
            .map(|(six, we_are_passive)| Cell { six, multihop: false, we_are_passive }),
        Kind::Bird | Kind::Frr => CELLS,
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = cells
            .into_iter()
            .enumerate()
            .map(|(number, cell)| {
                let name = format!("bfd-{}{number}", format!("{kind:?}").to_lowercase());
                scope.spawn(move || life(kind, cell, &name).with_context(|| format!("{kind:?}, {cell:?}")))
            })
            .collect();
        all.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a cell panicked"))?)
    })
}

#[test]
fn sessions_with_bird_come_up_agree_and_notice() -> Result<()> {
    lives(Kind::Bird)
}

#[test]
fn sessions_with_frr_come_up_agree_and_notice() -> Result<()> {
    lives(Kind::Frr)
}

#[test]
fn sessions_with_keepalived_come_up_agree_and_notice() -> Result<()> {
    lives(Kind::Keepalived)
}
