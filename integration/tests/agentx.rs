//! The crate `snmp-agentx` by itself: a shop that is served through net-snmp's snmpd, over a Unix socket and over TCP, and
//! all that a subagent may ask of its master. What they say to each other is overheard; with `KEEPWATCH_RECORD` set to a
//! directory it is written there, as the test data of the crate (`agentx/tests/dialogues`).

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, conf, keepalived::Keepalived, snmpd::Snmpd, snmptrapd::Snmptrapd, wait,
};
use snmp_agentx::framer::Framer;
use snmp_agentx::{
    Address, Ask, AskError, Change, ErrorStatus, Handle, IndexChoice, Settings, Subagent, Subtree, VarBind,
    oid, value,
};
use tokio::runtime::Runtime;

#[allow(dead_code, reason = "who reads what is recorded needs more of it")]
#[path = "../../agentx/tests/shop/mod.rs"]
mod shop;

use shop::{Dialogue, ROOT, Shop, Speaker};

/// Where the shop is served.
const SHOP: &str = ".1.3.6.1.4.1.8072.9999.9999";
const OFTEN: Duration = Duration::from_millis(300);

/// A shop's agent in this process.
struct Agent {
    handle: Handle,
    changes: Receiver<Change>,
    runtime: Runtime,
}

impl Agent {
    /// One that serves already.
    fn start(host: &Host, address: Address, settings: Settings, name: &'static str) -> Result<Self> {
        // Its threads are in the host, and so are its connections.
        let runtime = host.inside(|| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            Ok(builder.worker_threads(1).enable_all().build()?)
        })?;
        let shop = Shop::new(name);
        let (sender, changes) = channel();
        let (handle, subagent) = Subagent::new(address, settings, move |answer| answer(&shop));
        runtime.spawn(subagent.run(move |change| {
            // Nobody may look any more.
            let _ = sender.send(change);
        }));
        let agent = Self { handle, changes, runtime };
        let change = agent.changes.recv_timeout(wait::LONG).context("it says nothing")?;
        ensure!(matches!(change, Change::Serving { .. }), "{change:?}");
        Ok(agent)
    }

    fn ask(&self, ask: Ask) -> Result<Vec<VarBind>, AskError> {
        self.runtime.block_on(self.handle.ask(ask))
    }

    /// Ends it in good order.
    fn stop(self) -> Result<()> {
        ensure!(self.handle.stop(), "it takes no more requests");
        // Before it there may be news of notifications.
        while self.changes.recv_timeout(wait::SHORT).context("it does not stop")? != Change::Stopped {}
        Ok(())
    }
}

/// Stands between a subagent and its master, and takes down what they say.
struct Ear {
    path: PathBuf,
    heard: Arc<Mutex<Dialogue>>,
}

impl Ear {
    /// Listens for subagents of the master at `master`.
    fn start(host: &Host, master: &Path) -> Result<Self> {
        let path = host.directory().join("ear.sock");
        let (listener, master) = (UnixListener::bind(&path)?, master.to_owned());
        let heard = Arc::new(Mutex::new(Dialogue::default()));
        let ear = Self { path, heard: Arc::clone(&heard) };
        std::thread::spawn(move || -> Result<()> {
            // A connection after the other; the thread ends with the test's process.
            for subagent in listener.incoming() {
                let (subagent, master) = (subagent?, UnixStream::connect(&master)?);
                for (speaker, from, to) in [
                    (Speaker::Subagent, subagent.try_clone()?, master.try_clone()?),
                    (Speaker::Master, master, subagent),
                ] {
                    let heard = Arc::clone(&heard);
                    std::thread::spawn(move || pass(speaker, from, to, &heard));
                }
            }
            Ok(())
        });
        Ok(ear)
    }

    /// Whether a packet of this kind has gone by (`h.type`, RFC 2741 section 6.1).
    fn has_heard(&self, kind: u8) -> bool {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).0.iter().any(|(_, raw)| raw[1] == kind)
    }

    /// Ends it: all of these kinds have gone by. Writes what was said, if it is to be recorded: not more than `most` of one
    /// kind from either side.
    fn end(self, name: &str, kinds: &[u8], most: usize) -> Result<()> {
        let missing: Vec<_> = kinds.iter().filter(|kind| !self.has_heard(**kind)).collect();
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(missing.is_empty(), "no packet of {missing:?} in\n{heard}");
        if let Some(directory) = std::env::var_os("KEEPWATCH_RECORD") {
            let path = Path::new(&directory).join(format!("{name}.txt"));
            let mut counts = std::collections::HashMap::new();
            let is_kept = |(speaker, raw): &&(Speaker, Vec<u8>)| {
                let count: &mut usize = counts.entry((*speaker == Speaker::Master, raw[1])).or_default();
                *count += 1;
                *count <= most
            };
            let kept = Dialogue(heard.0.iter().filter(is_kept).cloned().collect());
            std::fs::write(path, format!("# snmpd 5.9.3, `>` is the subagent\n{kept}"))?;
        }
        Ok(())
    }
}

/// Hands on what one says to the other, each packet after it was taken down.
fn pass(speaker: Speaker, mut from: UnixStream, mut to: UnixStream, heard: &Mutex<Dialogue>) {
    let (mut framer, mut raw) = (Framer::default(), [0; 4096]);
    while let Ok(count @ 1..) = from.read(&mut raw) {
        framer.push(&raw[..count]);
        while let Ok(Some(packet)) = framer.next_packet() {
            heard.lock().unwrap_or_else(PoisonError::into_inner).0.push((speaker, packet.to_vec()));
        }
        if to.write_all(&raw[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// A binding below the shop's root.
fn bind(name: &[u32], value: snmp_agentx::VarBindValue) -> VarBind {
    VarBind { name: oid(&[&ROOT[..], name].concat()), value }
}

fn subtree(name: &[u32]) -> Subtree {
    Subtree { priority: 127, root: oid(&[&ROOT[..], name].concat()), range: None }
}

fn is(snmpd: &Snmpd, name: &str, value: &str) -> Result<()> {
    let line = snmpd.get(&format!("{SHOP}{name}"))?;
    ensure!(line.trim().ends_with(value), "{name} is not {value}: {line}");
    Ok(())
}

/// What a manager reads: every syntax, a whole walk, what is not there.
fn is_served(snmpd: &Snmpd) -> Result<()> {
    let walk = snmpd.walk(SHOP)?;
    for line in [
        ".1.1.0 = STRING: \"corner shop\"",
        ".2.1.2.3 = \"\"",
        ".2.1.3.2 = Gauge32: 24",
        ".2.1.4.1 = INTEGER: 3",
        ".3.0 = Counter64: 1099511627776",
        ".4.0 = IpAddress: 192.0.2.1",
        ".5.0 = OID: .1.3.6.1.4.1.8072.9999.9999",
        ".6.0 = Timeticks: (4711) 0:00:47.11",
    ] {
        ensure!(walk.contains(&format!("{SHOP}{line}\n")), "{line} is missing in:\n{walk}");
    }
    is(snmpd, ".2.1.2.9", "No Such Instance currently exists at this OID")?;
    // Outside what is registered.
    is(snmpd, ".8.0", "No Such Object available on this agent at this OID")
}

/// What a manager sets: done, refused before anything is done, and taken back.
fn can_be_set(snmpd: &Snmpd) -> Result<()> {
    let price = |shelf: u32| format!("{SHOP}.2.1.4.{shelf}");
    let (first, second) = (price(1), price(2));
    let done = snmpd.set(&[&first, "i", "5", &second, "i", "6"])?;
    ensure!(done.contains("INTEGER: 5") && done.contains("INTEGER: 6"), "{done}");
    let refused = snmpd.set(&[&first, "i", "1", &second, "i", "77"])?;
    ensure!(refused.contains("wrongValue"), "{refused}");
    is(snmpd, ".2.1.4.1", "INTEGER: 5")?;
    ensure!(snmpd.set(&[&first, "s", "x"])?.contains("wrongType"));
    ensure!(snmpd.set(&[&format!("{SHOP}.1.1.0"), "s", "x"])?.contains("notWritable"));
    // The second fails only when it is done, and the first is as it was.
    let failed = snmpd.set(&[&first, "i", "1", &second, "i", "8"])?;
    ensure!(failed.contains("commitFailed"), "{failed}");
    is(snmpd, ".2.1.4.1", "INTEGER: 5")?;
    is(snmpd, ".2.1.4.2", "INTEGER: 6")
}

/// Indexes of a table that several agents share (RFC 2741 section 6.2.12).
fn indexes(agent: &Agent) -> Result<()> {
    let index = |number| vec![bind(&[2, 1, 1], value::integer(number))];
    let allocate = |choice, number| agent.ask(Ask::AllocateIndexes(choice, index(number)));
    assert_eq!(allocate(IndexChoice::Any, 0), Ok(index(1)));
    assert_eq!(allocate(IndexChoice::Any, 0), Ok(index(2)));
    assert_eq!(allocate(IndexChoice::Given, 7), Ok(index(7)));
    // indexAlreadyAllocated, says RFC 2741 section 7.1.4.2; snmpd says this.
    let taken = Err(AskError::Refused(ErrorStatus::INDEX_NONE_AVAILABLE, 0));
    assert_eq!(allocate(IndexChoice::Given, 7), taken);
    agent.ask(Ask::DeallocateIndexes(index(2)))?;
    // What was given back is no new one, but it is any.
    assert_eq!(allocate(IndexChoice::New, 0), Ok(index(8)));
    assert_eq!(allocate(IndexChoice::Any, 0), Ok(index(2)));
    let unknown = Err(AskError::Refused(ErrorStatus::INDEX_NOT_ALLOCATED, 0));
    assert_eq!(agent.ask(Ask::DeallocateIndexes(index(99))), unknown);
    Ok(())
}

/// Further registrations, and rows of sysORTable.
fn registrations(agent: &Agent, snmpd: &Snmpd) -> Result<()> {
    const CAPABILITIES: &str = ".1.3.6.1.2.1.1.9";
    is(snmpd, ".7.0", "No Such Object available on this agent at this OID")?;
    agent.ask(Ask::Register(subtree(&[7]), false))?;
    is(snmpd, ".7.0", "Counter32: 7")?;
    let twice = Err(AskError::Refused(ErrorStatus::DUPLICATE_REGISTRATION, 0));
    assert_eq!(agent.ask(Ask::Register(subtree(&[7]), false)), twice);
    agent.ask(Ask::Unregister(subtree(&[7])))?;
    is(snmpd, ".7.0", "No Such Object available on this agent at this OID")?;
    let unknown = Err(AskError::Refused(ErrorStatus::UNKNOWN_REGISTRATION, 0));
    assert_eq!(agent.ask(Ask::Unregister(subtree(&[7]))), unknown);
    agent.ask(Ask::Register(subtree(&[7, 0]), true))?;
    is(snmpd, ".7.0", "Counter32: 7")?;

    ensure!(snmpd.walk(CAPABILITIES)?.contains("The MIB module of a shop"), "no row in sysORTable");
    agent.ask(Ask::AddCapability(oid(&[1, 3, 6, 1, 4, 1, 8072, 9999, 9998]), "Another".to_owned()))?;
    ensure!(snmpd.walk(CAPABILITIES)?.contains("Another"), "no further row in sysORTable");
    agent.ask(Ask::RemoveCapability(oid(&ROOT)))?;
    ensure!(!snmpd.walk(CAPABILITIES)?.contains("The MIB module of a shop"), "the row is there still");
    Ok(())
}

/// A notification, with the uptime that snmpd puts in front and with one of our own.
fn notifications(agent: &Agent, receiver: &Snmptrapd) -> Result<()> {
    let which = VarBind {
        name: oid(&[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0]),
        value: value::object(oid(&[&ROOT[..], &[0, 1]].concat())),
    };
    let goods = bind(&[2, 1, 2, 1], value::text("tea"));
    let uptime = VarBind { name: oid(&[1, 3, 6, 1, 2, 1, 1, 3, 0]), value: value::ticks(4711) };
    ensure!(agent.handle.notify(vec![which.clone(), goods.clone()]));
    ensure!(agent.handle.notify(vec![uptime, which, goods]));
    let want =
        [format!(".1.3.6.1.6.3.1.1.4.1.0 = OID: {SHOP}.0.1"), format!("{SHOP}.2.1.2.1 = STRING: \"tea\"")];
    wait::until("both have arrived", wait::LONG, || {
        receiver.traps().iter().filter(|trap| **trap == want).count() == 2
    })
    .with_context(|| format!("{:#?}", receiver.traps()))
}

/// More at once than the sockets between them hold: a master answers each before it reads the next, so whoever writes on
/// and does not read has both wait for each other, and loses the session.
#[test]
fn a_flood_of_notifications_is_given_to_the_master_as_fast_as_it_takes_them() -> Result<()> {
    const FLOOD: usize = 4000;
    let host = Lab::new("agentx-flood")?.host("director")?;
    let receiver = Snmptrapd::start(&host)?;
    let snmpd = Snmpd::start_with(&host, Snmptrapd::SINK)?;
    let at = Address::Unix(snmpd.socket().to_owned());
    let agent = Agent::start(&host, at, shop::settings(Duration::from_secs(60)), "corner shop")?;
    let which = VarBind {
        name: oid(&[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0]),
        value: value::object(oid(&[&ROOT[..], &[0, 1]].concat())),
    };
    let goods = bind(&[2, 1, 2, 1], value::text(&"tea".repeat(100)));
    let all = async {
        for _ in 0..FLOOD {
            let room = agent.handle.room().await.context("the session has ended")?;
            room.notify(vec![which.clone(), goods.clone()]);
        }
        anyhow::Ok(())
    };
    agent.runtime.block_on(async { tokio::time::timeout(2 * wait::LONG, all).await })??;
    for number in 0..FLOOD {
        let change = agent.changes.recv_timeout(wait::LONG).with_context(|| format!("after {number}"))?;
        ensure!(change == Change::Notified, "{change:?} after {number}");
    }
    ensure!(!receiver.traps().is_empty(), "nothing came");
    agent.stop()
}

#[test]
fn a_shop_is_served_through_a_real_master() -> Result<()> {
    let host = Lab::new("agentx-serving")?.host("director")?;
    let snmpd = Snmpd::start(&host)?;
    let ear = Ear::start(&host, snmpd.socket())?;
    let agent = Agent::start(&host, Address::Unix(ear.path.clone()), shop::settings(OFTEN), "corner shop")?;
    is_served(&snmpd)?;
    // Nobody asks for a while.
    wait::until("the master is pinged", wait::LONG, || ear.has_heard(13))?;
    agent.stop()?;
    is(&snmpd, ".1.1.0", "No Such Object available on this agent at this OID")?;
    // Open, Close, Register, Get, GetNext, Ping, AddAgentCaps, Response.
    ear.end("shop-serving", &[1, 2, 3, 5, 6, 13, 16, 18], usize::MAX)
}

#[test]
fn a_shop_is_set_through_a_real_master() -> Result<()> {
    let host = Lab::new("agentx-setting")?.host("director")?;
    let snmpd = Snmpd::start_with(&host, Snmpd::WRITABLE)?;
    let ear = Ear::start(&host, snmpd.socket())?;
    let seldom = shop::settings(Duration::from_secs(60));
    let agent = Agent::start(&host, Address::Unix(ear.path.clone()), seldom, "corner shop")?;
    can_be_set(&snmpd)?;
    agent.stop()?;
    // TestSet, CommitSet, UndoSet, CleanupSet.
    ear.end("shop-setting", &[8, 9, 10, 11], usize::MAX)
}

#[test]
fn a_shop_asks_its_master_for_all_that_there_is() -> Result<()> {
    let host = Lab::new("agentx-asking")?.host("director")?;
    let receiver = Snmptrapd::start(&host)?;
    let snmpd = Snmpd::start_with(&host, Snmptrapd::SINK)?;
    let ear = Ear::start(&host, snmpd.socket())?;
    let seldom = shop::settings(Duration::from_secs(60));
    let agent = Agent::start(&host, Address::Unix(ear.path.clone()), seldom, "corner shop")?;
    indexes(&agent)?;
    registrations(&agent, &snmpd)?;
    notifications(&agent, &receiver)?;
    agent.stop()?;
    // Unregister, Notify, IndexAllocate, IndexDeallocate, RemoveAgentCaps.
    ear.end("shop-asking", &[4, 12, 14, 15, 17], usize::MAX)
}

#[test]
fn all_of_it_goes_over_tcp_too() -> Result<()> {
    let host = Lab::new("agentx-tcp")?.host("director")?;
    let receiver = Snmptrapd::start(&host)?;
    let lines = [Snmpd::OVER_TCP, Snmpd::WRITABLE, Snmptrapd::SINK].join("\n");
    let snmpd = Snmpd::start_with(&host, &lines)?;
    let agent = Agent::start(&host, Snmpd::TCP.parse()?, shop::settings(OFTEN), "corner shop")?;
    is_served(&snmpd)?;
    can_be_set(&snmpd)?;
    indexes(&agent)?;
    registrations(&agent, &snmpd)?;
    notifications(&agent, &receiver)?;
    agent.stop()?;
    is(&snmpd, ".1.1.0", "No Such Object available on this agent at this OID")
}

#[test]
fn another_context_is_another_shop() -> Result<()> {
    const CONTEXT: &str = "com2sec -Cn annex annexuser 127.0.0.1 annex\ngroup annexgroup v2c annexuser\n\
                           view everything included .1\n\
                           access annexgroup annex any noauth exact everything everything everything";
    let host = Lab::new("agentx-context")?.host("director")?;
    let snmpd = Snmpd::start_with(&host, CONTEXT)?;
    let at = || Address::Unix(snmpd.socket().to_owned());
    let _shop = Agent::start(&host, at(), shop::settings(OFTEN), "corner shop")?;
    // The same subtrees, so they would be refused in the same context.
    let settings = Settings { context: Some("annex".into()), ..shop::settings(OFTEN) };
    let annex = Agent::start(&host, at(), settings, "annex")?;
    let name = format!("{SHOP}.1.1.0");
    ensure!(snmpd.get_as("annex", &name)?.contains("STRING: \"annex\""), "{}", snmpd.get_as("annex", &name)?);
    is(&snmpd, ".1.1.0", "STRING: \"corner shop\"")?;
    // Indexes too are of a context.
    indexes(&annex)?;
    annex.stop()?;
    ensure!(snmpd.get_as("annex", &name)?.contains("No Such Object"));
    is(&snmpd, ".1.1.0", "STRING: \"corner shop\"")
}

#[test]
fn of_two_shops_the_one_with_the_lower_number_is_asked() -> Result<()> {
    let host = Lab::new("agentx-priority")?.host("director")?;
    let snmpd = Snmpd::start(&host)?;
    let at = || Address::Unix(snmpd.socket().to_owned());
    let of = |priority| {
        let mut settings = shop::settings(OFTEN);
        settings.subtrees.iter_mut().for_each(|subtree| subtree.priority = priority);
        settings
    };
    let _first = Agent::start(&host, at(), of(100), "first")?;
    let second = Agent::start(&host, at(), of(50), "second")?;
    is(&snmpd, ".1.1.0", "STRING: \"second\"")?;
    second.stop()?;
    is(&snmpd, ".1.1.0", "STRING: \"first\"")
}

/// A subagent on net-snmp's own library, as test data: our codec reads all that it and snmpd say.
#[test]
fn what_keepalived_and_snmpd_say_is_read() -> Result<()> {
    let (_lan, mut hosts) = Lab::new("agentx-netsnmp")?.routers(1)?;
    let host = hosts.remove(0);
    let snmpd = Snmpd::start_with(&host, Snmpd::WRITABLE)?;
    let ear = Ear::start(&host, snmpd.socket())?;
    let global = format!("enable_snmp_vrrp\nenable_traps\nsnmp_socket unix:{}", ear.path.display());
    let config = conf::global_defs(2, &global) + &Instance::new("VI_1").to_string();
    let mut keepalived = Keepalived::start(&host, &config, &["--snmp"])?;
    const TABLE: &str = ".1.3.6.1.4.1.9586.100.5.2.3.1";
    let state = format!("{TABLE}.4.1");
    // It registers each of its columns by itself, some three hundred.
    wait::until("keepalived is master", 3 * wait::LONG, || {
        snmpd.get(&state).is_ok_and(|line| line.contains("INTEGER: 2"))
    })?;
    snmpd.walk(&format!("{TABLE}.4"))?;
    ensure!(snmpd.set(&[&format!("{TABLE}.7.1"), "i", "77"])?.contains("INTEGER: 77"));
    keepalived.process_mut().stop(wait::LONG)?;
    // Open, Close, Register, Get, GetNext, the four of a Set, Notify, Response.
    ear.end("netsnmp-keepalived", &[1, 2, 3, 5, 6, 8, 9, 11, 12, 18], 8)
}
