//! `DNS_CHECK`: a DNS server answers a question without an error.
//!
//! As keepalived's: asked over UDP, once, with recursion desired; whatever records the answer holds, and whether they
//! fit (TC), is not looked at. An answer must have our id and repeat our question, if it repeats any: one that does not
//! is somebody else's, and is waited past.

use hickory_proto::op::{Header, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use keepwatch_bus::fact::{Failure, FailureReason};
use keepwatch_model::DnsCheck;

use crate::datagram::{self, Judgement};
use crate::outcome::Outcome;

/// As much of an answer as is looked at: header and question.
const ROOM: usize = 512;

/// Makes one check.
pub(super) async fn check(settings: &DnsCheck) -> Outcome {
    let Some((id, question, datagram)) = question(settings) else {
        return Outcome::NotRun(format!("`{}` is no name that can be asked for", settings.name));
    };
    let connection = &settings.connection;
    let socket = match datagram::open(connection) {
        Ok(socket) => socket,
        Err(outcome) => return outcome,
    };
    let mut strangers = 0u32;
    let judge = |answer: &[u8]| {
        let judged = judge(id, &question, answer);
        strangers += u32::from(judged.is_none());
        judged
    };
    match datagram::ask(&socket, connection, &datagram, ROOM, judge).await {
        Ok(true) => Outcome::GOOD,
        Ok(false) if strangers > 0 => {
            let silence = datagram::silence(connection);
            let error = format!("{silence} that has our id and question ({strangers} had not)");
            Outcome::Failed(Failure::new(silence.reason, error))
        }
        Ok(false) => Outcome::Failed(datagram::silence(connection)),
        Err(outcome) => outcome,
    }
}

/// The question as its id, itself and its bytes; none if the name is too long for one.
fn question(settings: &DnsCheck) -> Option<(u16, Query, Vec<u8>)> {
    // The bytes as they are written, as keepalived sends them: no escapes, no IDNA.
    let labels = settings.name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    let name = Name::from_labels(labels).ok()?;
    let question = Query::query(name, RecordType::from(settings.record.number()));
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(question.clone());
    Some((message.metadata.id, question, message.to_vec().ok()?))
}

fn judge(id: u16, question: &Query, answer: &[u8]) -> Judgement {
    let mut decoder = BinDecoder::new(answer);
    let header = Header::read(&mut decoder).ok()?;
    if header.metadata.id != id || header.metadata.message_type != MessageType::Response {
        return None;
    }
    // An error may come without the question.
    if header.counts.queries > 0 {
        let repeated = Query::read(&mut decoder).ok()?;
        let same = repeated.query_type() == question.query_type()
            && repeated.query_class() == question.query_class()
            && repeated.name().eq_ignore_root(question.name());
        if !same {
            return None;
        }
    }
    Some(match header.metadata.response_code {
        ResponseCode::NoError => Ok(()),
        code => {
            let (number, text) = (u16::from(code), code.to_str().to_lowercase());
            Err(Failure::new(FailureReason::Status, format!("rcode {number} ({text})")))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keepwatch_model::{Connection, DnsRecord};
    use proptest::prelude::*;

    use super::*;

    fn settings(name: &str, record: DnsRecord) -> DnsCheck {
        let connection = Connection {
            connect_to: ([127, 0, 0, 1], 53).into(),
            bind_to: None,
            bind_port: None,
            bind_interface: None,
            fwmark: None,
            connect_timeout: Duration::from_secs(1),
        };
        DnsCheck { connection, record, name: name.into() }
    }

    fn asked(name: &str, record: DnsRecord) -> (u16, Query, Vec<u8>) {
        question(&settings(name, record)).unwrap()
    }

    #[test]
    fn the_question_is_keepalived_s_but_for_its_id() {
        for (name, wire) in [
            ("", "00"),
            (".", "00"),
            ("a", "0161 00"),
            ("a.b.c", "0161 0162 0163 00"),
            ("Example.com.", "07 4578616d706c65 03 636f6d 00"),
            ("_x.tést", "02 5f78 05 74c3a97374 00"),
        ] {
            for (text, record) in DnsRecord::NAMES {
                let (id, _, datagram) = asked(name, *record);
                let wire = keepwatch_model::Bytes::parse(wire).unwrap().data;
                let mut expected = id.to_be_bytes().to_vec();
                expected.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
                expected.extend(wire);
                expected.extend(record.number().to_be_bytes());
                expected.extend([0, 1]);
                assert_eq!(datagram, expected, "{name} {text}");
            }
        }
        assert!(question(&settings(&"a".repeat(64), DnsRecord::A)).is_none());
    }

    /// An answer to a question, its flags and counts as given.
    fn answer(datagram: &[u8], flags: u16, counts: [u16; 4]) -> Vec<u8> {
        let mut answer = datagram.to_vec();
        answer[2..4].copy_from_slice(&flags.to_be_bytes());
        counts
            .iter()
            .zip(answer[4..12].chunks_mut(2))
            .for_each(|(n, at)| at.copy_from_slice(&n.to_be_bytes()));
        answer
    }

    #[test]
    fn what_an_answer_is_taken_for() {
        let (id, question, datagram) = asked("www.example.com", DnsRecord::A);
        let judged = |answer: &[u8]| judge(id, &question, answer);
        let failed = |text: &str| Some(Err(Failure::new(FailureReason::Status, text)));
        let right = answer(&datagram, 0x8180, [1, 0, 0, 0]);
        assert_eq!(judged(&right), Some(Ok(())), "no record in it");
        assert_eq!(judged(&answer(&datagram, 0x8380, [1, 9, 0, 0])), Some(Ok(())), "truncated");
        assert_eq!(judged(&right[..12]), None, "cut off in the question");
        assert_eq!(judged(&answer(&datagram, 0x8180, [0, 0, 0, 0])[..12]), Some(Ok(())), "no question");
        assert_eq!(judged(&answer(&datagram, 0x8182, [1, 0, 0, 0])), failed("rcode 2 (server failure)"));
        assert_eq!(judged(&answer(&datagram, 0x8183, [1, 0, 0, 0])), failed("rcode 3 (non-existent domain)"));
        assert_eq!(judged(&answer(&datagram, 0x8185, [0, 0, 0, 0])), failed("rcode 5 (query refused)"));
        assert_eq!(judged(&datagram), None, "our own question");
        assert_eq!(judged(&right[..11]), None, "shorter than a header");
        let mut upper = right.clone();
        upper[13..16].make_ascii_uppercase();
        assert_eq!(judged(&upper), Some(Ok(())), "names know no case");
        for at in [0, 1, 14, right.len() - 3, right.len() - 1] {
            let mut other = right.clone();
            other[at] ^= 1;
            assert_eq!(judged(&other), None, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn no_datagram_breaks_it(rest in proptest::collection::vec(any::<u8>(), 0..80)) {
            let (id, question, _) = asked("a", DnsRecord::Soa);
            let answer: Vec<u8> = id.to_be_bytes().into_iter().chain(rest).collect();
            judge(id, &question, &answer);
        }
    }
}
