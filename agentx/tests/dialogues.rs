//! What a real master (snmpd 5.9.3) and subagents said to each other, recorded on their socket: every packet is read and
//! written again, ours as it was, and our session, told what the master said, says what it said then.
//!
//! `shop-*.txt` are those of our own session, `netsnmp-*.txt` those of a subagent on net-snmp's library (keepalived). They
//! are recorded by tests that have a real snmpd, outside this crate; `shop` is what is served in them.

#![allow(clippy::unwrap_used, reason = "a test that can not go on should panic")]

#[allow(dead_code, reason = "who records them needs more of it")]
mod shop;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use shop::{Dialogue, Shop, Speaker};
use snmp_agentx::session::{Input, Output};
use snmp_agentx::wire::DecodeError;
use snmp_agentx::{Ask, Body, Packet, Session};

const PING_EVERY: Duration = Duration::from_secs(15);

/// Those that are recorded: their names and what was said.
fn recorded() -> Vec<(String, Dialogue)> {
    let directory = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dialogues")).unwrap();
    let mut paths: Vec<_> = directory.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let dialogue = Dialogue::read(&std::fs::read_to_string(path).unwrap()).unwrap();
        (name, dialogue)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_packet_is_read_and_written_again_as_it_was() {
    let mut kinds = std::collections::BTreeSet::new();
    for (name, dialogue) in recorded() {
        for (at, (speaker, raw)) in dialogue.0.iter().enumerate() {
            let by_subagent = *speaker == Speaker::Subagent;
            let is_ours = by_subagent && name.starts_with("shop-");
            let packet = match Packet::decode(raw) {
                Ok(packet) => packet,
                // net-snmp's subagents answer some questions with a value of no type, as no master does.
                Err(DecodeError::ValueType(0)) if by_subagent && !is_ours => continue,
                Err(error) => panic!("{name}, packet {at}: {error}"),
            };
            let again = packet.encode().unwrap();
            // net-snmp writes names that are values as if a search began there, which means nothing.
            match is_ours {
                true => assert_eq!(again, *raw, "{name}, packet {at}: {packet:?}"),
                false => assert_eq!(Packet::decode(&again).unwrap(), packet, "{name}, packet {at}"),
            }
            kinds.insert(raw[1]);
        }
    }
    // All of RFC 2741 but GetBulk, which snmpd never sends: it asks with one GetNext after the other.
    let all: Vec<u8> = (1..=18).filter(|kind| *kind != 7).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn the_session_says_again_what_it_said_to_a_real_master() {
    let mut replayed = 0;
    for (name, dialogue) in recorded().into_iter().filter(|(name, _)| name.starts_with("shop-")) {
        Replay::new(&name).play(&dialogue);
        replayed += 1;
    }
    assert!(replayed >= 3, "{replayed}");
}

/// Our session, with the part of the master read to it.
struct Replay<'n> {
    name: &'n str,
    session: Session,
    shop: Shop,
    now: Instant,
    said: VecDeque<Packet>,
}

impl<'n> Replay<'n> {
    fn new(name: &'n str) -> Self {
        let now = Instant::now();
        let session = Session::new(shop::settings(PING_EVERY), now);
        Self { name, session, shop: Shop::new("corner shop"), now, said: VecDeque::new() }
    }

    fn play(mut self, dialogue: &Dialogue) {
        self.give(Input::Start);
        self.give(Input::Connected);
        for (at, (speaker, raw)) in dialogue.0.iter().enumerate() {
            if *speaker == Speaker::Master {
                let mut out = Vec::new();
                self.session.receive(self.now, raw, &self.shop, &mut out);
                self.hear(out);
                continue;
            }
            let recorded = timeless(Packet::decode(raw).unwrap());
            if self.said.is_empty() {
                self.provoke(&recorded.body);
            }
            let said = self.said.pop_front().map(timeless);
            assert_eq!(said, Some(recorded), "{}, packet {at}", self.name);
        }
        assert!(self.said.is_empty(), "{}: more was said: {:?}", self.name, self.said);
    }

    /// Has the session say what it does not say by itself.
    fn provoke(&mut self, body: &Body) {
        let ask = |ask| Input::Ask(1, ask);
        let input = match body.clone() {
            Body::Notify(binds) => Input::Notify(binds),
            Body::IndexAllocate(choice, binds) => ask(Ask::AllocateIndexes(choice, binds)),
            Body::IndexDeallocate(binds) => ask(Ask::DeallocateIndexes(binds)),
            Body::Register { instance, subtree, .. } => ask(Ask::Register(subtree, instance)),
            Body::Unregister(subtree) => ask(Ask::Unregister(subtree)),
            Body::AddAgentCaps(id, text) => {
                ask(Ask::AddCapability(id, String::from_utf8_lossy(&text).into_owned()))
            }
            Body::RemoveAgentCaps(id) => ask(Ask::RemoveCapability(id)),
            Body::Close(_) => Input::Stop,
            Body::Ping => {
                self.now += PING_EVERY;
                Input::Timer
            }
            other => panic!("{}: the session should have said {other:?}", self.name),
        };
        self.give(input);
    }

    fn give(&mut self, input: Input) {
        let mut out = Vec::new();
        self.session.handle(self.now, input, &mut out);
        self.hear(out);
    }

    fn hear(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send(raw) => self.said.push_back(Packet::decode(&raw).unwrap()),
                Output::Connect | Output::Disconnect | Output::Answered(..) | Output::Changed(_) => {}
            }
        }
    }
}

/// Without what a clock had to say.
fn timeless(mut packet: Packet) -> Packet {
    if let Body::Response { uptime, .. } = &mut packet.body {
        *uptime = 0;
    }
    packet
}
