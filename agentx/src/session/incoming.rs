//! What comes in from the master: bytes cut into packets, requests to be answered, answers to what was asked.

use std::time::Instant;

use crate::pdu::{Body, ErrorStatus, Packet, RawHeader};
use crate::tree::Tree;

use super::interface::{AskError, Change, Output, Reason};
use super::{Pending, Session, State, WINDOW, serve};

/// Bytes of answers after which [`Session::receive`] leaves the remaining requests for later.
const MAX_ANSWERS: usize = 64 * 1024;

impl Session {
    /// Takes bytes that came in. When the answers get long, requests may be left over: [`has_backlog`](Self::has_backlog)
    /// says so, and another call, with no bytes at all, goes on with them.
    pub fn receive(&mut self, now: Instant, raw: &[u8], tree: &dyn Tree, out: &mut Vec<Output>) {
        if matches!(
            self.state,
            State::Idle | State::Waiting { .. } | State::Connecting { .. } | State::Stopped
        ) {
            return;
        }
        self.framer.push(raw);
        let answers = |out: &[Output]| -> usize {
            let length = |output: &Output| if let Output::Send(raw) = output { raw.len() } else { 0 };
            out.iter().map(length).sum()
        };
        while answers(out) < MAX_ANSWERS {
            match self.framer.next_packet() {
                Ok(None) => return,
                Ok(Some(raw)) => self.packet(now, &raw, tree, out),
                Err(error) => {
                    self.fail(now, Reason::Protocol(error), out);
                    return;
                }
            }
            // The packet may have ended the session; what follows it in the stream then means nothing.
            if matches!(self.state, State::Waiting { .. } | State::Stopped) {
                return;
            }
        }
    }

    fn packet(&mut self, now: Instant, raw: &[u8], tree: &dyn Tree, out: &mut Vec<Output>) {
        let packet = match Packet::decode(raw) {
            Ok(packet) => packet,
            Err(_) => {
                if let Ok(header) = RawHeader::decode(raw)
                    && let Some(answer) = serve::unparsable(&header, self.uptime(now))
                {
                    out.push(Output::Send(answer));
                }
                return;
            }
        };
        if let State::Serving { ping_at, ping, .. } = &mut self.state {
            // Whatever it says, the master is alive.
            *ping_at = now + self.settings.ping_every;
            if !matches!(packet.body, Body::Response { .. }) {
                *ping = None;
            }
        }
        match packet.body {
            Body::Response { error, .. } => self.response(now, &packet, error, out),
            Body::Close(reason) if Some(packet.header.session) == self.session_id() => {
                if matches!(self.state, State::Closing(_)) {
                    self.stopped(out);
                } else {
                    self.fail(now, Reason::Closed(reason), out);
                }
            }
            _ => {
                let (session, uptime) = (self.session_id(), self.uptime(now));
                let answer = serve::answer(&packet, session, tree, &mut self.sets, uptime);
                out.extend(answer.map(Output::Send));
            }
        }
    }

    fn response(&mut self, now: Instant, packet: &Packet, error: ErrorStatus, out: &mut Vec<Output>) {
        if let Some((token, _)) = self.asked.remove(&packet.header.packet) {
            let Body::Response { index, binds, .. } = &packet.body else { return };
            let answered = match error {
                ErrorStatus::NO_ERROR => Ok(binds.clone()),
                refused => Err(AskError::Refused(refused, *index)),
            };
            out.push(Output::Answered(token, answered));
            return;
        }
        if self.notified.remove(&packet.header.packet) {
            self.taken(now);
            if let State::Serving { session, .. } = self.state
                && error != ErrorStatus::NOT_OPEN
            {
                self.send_waiting(now, session, WINDOW, out);
            }
            match error {
                ErrorStatus::NO_ERROR => return out.push(Output::Changed(Change::Notified)),
                // The session is told of below.
                ErrorStatus::NOT_OPEN => super::lost(1, out),
                refused => return out.push(Output::Changed(Change::Refused(refused))),
            }
        }
        let ours = |pending: &Pending| pending.packet == packet.header.packet;
        let refused = error != ErrorStatus::NO_ERROR;
        match &self.state {
            State::Opening(pending) if ours(pending) => {
                if refused {
                    self.fail(now, Reason::Refused("the Open", error), out);
                } else {
                    self.register(now, packet.header.session, 0, 0, out);
                }
            }
            State::Registering { session, next, behind, pending } if ours(pending) => {
                let (session, next, behind) = (*session, *next, *behind);
                match self.settings.subtrees.get(next) {
                    // RFC 2741 section 7.1.4.1: somebody has it with this priority, and the next one may be free.
                    Some(subtree)
                        if error == ErrorStatus::DUPLICATE_REGISTRATION
                            && subtree.priority.checked_add(behind).is_some_and(|given| given < u8::MAX) =>
                    {
                        self.register(now, session, next, behind + 1, out);
                    }
                    Some(_) if refused => self.fail(now, Reason::Refused("a registration", error), out),
                    Some(subtree) if behind > 0 => {
                        out.push(Output::Changed(Change::Behind(subtree.root.clone())));
                        self.register(now, session, next + 1, 0, out);
                    }
                    // A row in sysORTable is a courtesy: only a refused subtree is a failure.
                    Some(_) | None => self.register(now, session, next + 1, 0, out),
                }
            }
            State::Serving { session, ping_at, ping } => {
                let (session, ping_at) = (*session, *ping_at);
                let answers_ping = ping.as_ref().is_some_and(ours);
                if error == ErrorStatus::NOT_OPEN || (answers_ping && refused) {
                    self.fail(now, Reason::Refused("the session", error), out);
                } else if answers_ping {
                    self.state = State::Serving { session, ping_at, ping: None };
                } else if refused {
                    out.push(Output::Changed(Change::Refused(error)));
                }
            }
            State::Closing(pending) if ours(pending) => self.stopped(out),
            // An answer to a question that was given up, or that was never asked.
            State::Opening(_)
            | State::Registering { .. }
            | State::Closing(_)
            | State::Idle
            | State::Waiting { .. }
            | State::Connecting { .. }
            | State::Stopped => {}
        }
    }
}
