//! Recorded cases: what goes into a machine, as JSON lines, and beside it everything that comes out. The packets that
//! come in were recorded from keepalived 2.4.3 (addresses 10.9.0.2 and fe80::ff:fe00:2). See `tests/cases/README.md`.

#![allow(clippy::expect_used, reason = "a test may stop at what can't be")]

mod lan;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::counters::RouterCounters;
use keepwatch_bus::subject::Family;
use keepwatch_model::{InterfaceAddress, VirtualRouterId};
use keepwatch_vrrp::spec::{Authentication, Preemption, Transport, Version};
use keepwatch_vrrp::wire::{GROUP_V4, GROUP_V6};
use keepwatch_vrrp::{
    Datagram, Definitions, LinkAddress, LinkState, Node, Origin, Release, RouterDefinition, RouterSpec,
};
use lan::{Did, Recorder, group};
use serde::Deserialize;

/// One line of `input.jsonl`: when (milliseconds), and what.
#[derive(Deserialize)]
struct Line {
    at: f64,
    #[serde(flatten)]
    input: Input,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Input {
    /// An interface goes up or down.
    Link { name: String, up: bool },
    /// An interface has an address: the host's own, or one that bears our mark.
    Address {
        link: String,
        address: IpAddr,
        #[serde(default)]
        marked: bool,
    },
    /// Definitions come into force.
    Apply { routers: Vec<RouterLine>, groups: Vec<(String, Vec<String>)> },
    /// A packet comes in: over IPv4 with its header, over IPv6 the message.
    Receive { link: String, packet: String, source: Option<IpAddr> },
    /// Everything stops.
    Stop { release: bool },
    /// Nothing but time passes.
    Wait,
}

#[derive(Deserialize)]
struct RouterLine {
    name: String,
    interface: String,
    vrid: u8,
    version: u8,
    priority: u8,
    interval_ms: u64,
    password: Option<String>,
    #[serde(default)]
    nopreempt: bool,
    addresses: Vec<IpAddr>,
}

impl RouterLine {
    fn definition(&self) -> RouterDefinition {
        let addresses = self.addresses.iter().map(|address| InterfaceAddress::host(*address)).collect();
        let vrid = VirtualRouterId(self.vrid);
        let mut spec =
            RouterSpec::new(self.name.as_str().into(), self.interface.as_str().into(), vrid, addresses);
        spec.priority.0 = self.priority;
        spec.advert_interval = Duration::from_millis(self.interval_ms);
        spec.version = match self.version {
            2 => Version::V2 { authentication: self.authentication() },
            _ => Version::V3 { checksum_as_v2: false },
        };
        if self.nopreempt {
            spec.preemption = Preemption::Never;
        }
        if self.addresses.first().is_some_and(IpAddr::is_ipv6) {
            spec.family = Family::Inet6;
            spec.transport = Transport::Multicast { group: GROUP_V6.into() };
        }
        RouterDefinition::detached(spec)
    }

    fn authentication(&self) -> Authentication {
        let Some(password) = &self.password else { return Authentication::None };
        let mut padded = [0; 8];
        padded[..password.len()].copy_from_slice(password.as_bytes());
        Authentication::Password(padded)
    }
}

/// The machine under test, and what it has said.
struct Bench {
    node: Node,
    out: Recorder,
    epoch: Instant,
    told: usize,
    transcript: String,
}

impl Bench {
    fn new() -> Self {
        let node = Node::new(Arc::new(RouterCounters::default()));
        let (epoch, transcript) = (Instant::now(), String::new());
        Self { node, out: Recorder::default(), epoch, told: 0, transcript }
    }

    /// Lets time pass: whatever is due happens when it is due.
    fn wait(&mut self, until: Instant) {
        while let Some(deadline) = self.node.next_deadline().filter(|deadline| *deadline <= until) {
            self.node.handle_timeouts(deadline, &mut self.out);
            self.tell(deadline);
        }
    }

    fn input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Link { name, up } => {
                let link = self.node.link(&name.as_str().into());
                let state = if up { LinkState::Up } else { LinkState::Down };
                self.node.link_changed(now, link, state, None, &mut self.out);
            }
            Input::Address { link, address, marked } => {
                let link = self.node.link(&link.as_str().into());
                let address = LinkAddress::new(address, if marked { Origin::Vrrp } else { Origin::Host });
                self.node.address_added(now, link, address, &mut self.out);
            }
            Input::Apply { routers, groups } => {
                let groups = groups.iter().map(|(name, members)| {
                    group(name, &members.iter().map(String::as_str).collect::<Vec<_>>())
                });
                let definitions = Definitions {
                    routers: routers.iter().map(RouterLine::definition).collect(),
                    groups: groups.collect(),
                    ..Definitions::default()
                };
                self.node.apply(now, definitions, None, &mut self.out);
            }
            Input::Receive { link, packet, source } => self.receive(now, &link, &bytes(&packet), source),
            Input::Stop { release } => {
                let release = if release { Release::Everything } else { Release::Nothing };
                self.node.stop(now, release, None, &mut self.out);
            }
            Input::Wait => {}
        }
        self.tell(now);
    }

    fn receive(&mut self, now: Instant, link: &str, packet: &[u8], source: Option<IpAddr>) {
        let link = self.node.link(&link.into());
        let datagram = match source {
            None => Datagram::from_ipv4(link, packet).expect("a whole packet"),
            Some(source) => {
                let destination = if source.is_ipv6() { GROUP_V6.into() } else { GROUP_V4.into() };
                Datagram { link, source, destination, ttl: Some(255), ah: None, message: packet }
            }
        };
        self.node.receive(now, datagram, &mut self.out);
    }

    /// Writes down what was said since the last time. Settings are left out: they are not behaviour.
    fn tell(&mut self, now: Instant) {
        let at = (now - self.epoch).as_micros() as f64 / 1_000.0;
        for did in &self.out.did[self.told..] {
            let line = match did {
                Did::Published { id, cause, fact } => {
                    let mut fact = serde_json::to_value(fact).expect("facts are JSON");
                    fact.as_object_mut().expect("an object").remove("settings");
                    serde_json::json!({"at": at, "event": id, "cause": cause, "fact": fact})
                }
                Did::Sent { destination, packet, .. } => {
                    serde_json::json!({"at": at, "send": hex(packet), "to": destination})
                }
                Did::Added(addresses) => serde_json::json!({"at": at, "add": addresses}),
                Did::Removed(addresses) => serde_json::json!({"at": at, "remove": addresses}),
                Did::Announced { addresses, repeat } => {
                    serde_json::json!({"at": at, "announce": addresses, "repeat": repeat})
                }
                Did::Routed { .. } | Did::StoppedDropping | Did::Noticed(_) => continue,
            };
            writeln!(self.transcript, "{line}").expect("strings grow");
        }
        self.told = self.out.did.len();
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    digits.chunks(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn replay(case: &Path) -> String {
    let input = std::fs::read_to_string(case.join("input.jsonl")).expect("the input of the case");
    let mut bench = Bench::new();
    for line in input.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let line: Line = serde_json::from_str(line).expect("a line of input");
        let now = bench.epoch + Duration::from_micros((line.at * 1_000.0) as u64);
        bench.wait(now);
        bench.input(now, line.input);
    }
    bench.transcript
}

#[test]
fn recorded_cases_come_out_as_they_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = std::fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(cases.len() >= 8, "{cases:?}");
    let renew = std::env::var_os("KEEPWATCH_RENEW_CASES").is_some();
    for case in cases {
        let transcript = replay(&case);
        let file = case.join("expected.jsonl");
        if renew {
            std::fs::write(&file, &transcript).expect("write the new expectation");
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        for (number, (ours, theirs)) in transcript.lines().zip(expected.lines()).enumerate() {
            assert_eq!(ours, theirs, "{}: line {}", case.display(), number + 1);
        }
        assert_eq!(transcript.lines().count(), expected.lines().count(), "{}", case.display());
    }
}
