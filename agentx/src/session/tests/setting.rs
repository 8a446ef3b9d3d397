//! What managers set.

use super::*;
use crate::Tree;
use rasn_snmp::v2::VarBindValue;

#[test]
fn nothing_can_be_set() {
    let mut bench = Bench::new();
    bench.open();
    let bind = VarBind { name: oid(&[1, 3, 6, 9, 1, 1]), value: integer(5) };
    assert_eq!(bench.ask(Body::TestSet(vec![bind])), (ErrorStatus::NOT_WRITABLE, 1, vec![]));
    assert_eq!(bench.ask(Body::CommitSet).0, ErrorStatus::COMMIT_FAILED);
    assert_eq!(bench.ask(Body::UndoSet).0, ErrorStatus::UNDO_FAILED);
    bench.say(Header { session: 7, ..Header::default() }, Body::CleanupSet);
    assert!(bench.sent.is_empty());
}

/// Tables that can be set, and what was.
struct Lamp(std::cell::RefCell<[i32; 2]>);

impl Tree for Lamp {
    fn get(&self, _: Option<&bytes::Bytes>, name: &[u32]) -> VarBindValue {
        integer(self.0.borrow()[*name.last().unwrap() as usize])
    }

    fn next(
        &self,
        _: Option<&bytes::Bytes>,
        _: &[u32],
        _: bool,
    ) -> Option<(rasn::types::ObjectIdentifier, VarBindValue)> {
        None
    }

    fn test(&self, _: Option<&bytes::Bytes>, _: &[u32], value: &VarBindValue) -> Result<(), ErrorStatus> {
        match crate::value::as_integer(value) {
            Some(0..=9) => Ok(()),
            Some(_) => Err(ErrorStatus::WRONG_VALUE),
            None => Err(ErrorStatus::WRONG_TYPE),
        }
    }

    fn set(&self, _: Option<&bytes::Bytes>, name: &[u32], value: &VarBindValue) -> Result<(), ErrorStatus> {
        // One that fails although it was tested.
        let number = crate::value::as_integer(value).filter(|number| *number != 8);
        self.0.borrow_mut()[*name.last().unwrap() as usize] = number.ok_or(ErrorStatus::GEN_ERR)?;
        Ok(())
    }
}

#[test]
fn a_set_is_tested_whole_done_and_taken_back() {
    let (mut bench, lamp) = (Bench::new(), Lamp([1, 2].into()));
    bench.open();
    let bind = |at, number| VarBind { name: oid(&[1, 3, 6, 9, 1, at]), value: integer(number) };
    let ask = |bench: &mut Bench, transaction, body| {
        let header = Header { session: 7, transaction, packet: 5, order: ByteOrder::Network };
        let raw = Packet { header, context: None, body }.encode().unwrap();
        let mut out = Vec::new();
        bench.session.receive(bench.now, &raw, &lamp, &mut out);
        out.into_iter().next().map(|output| match output {
            Output::Send(raw) => match Packet::decode(&raw).unwrap().body {
                Body::Response { error, index, .. } => (error, index),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
    };
    let good = (ErrorStatus::NO_ERROR, 0);
    assert_eq!(
        ask(&mut bench, 1, Body::TestSet(vec![bind(0, 5), bind(1, 77)])),
        Some((ErrorStatus::WRONG_VALUE, 2))
    );
    assert_eq!(
        ask(&mut bench, 1, Body::CommitSet),
        Some((ErrorStatus::COMMIT_FAILED, 0)),
        "it was not possible"
    );
    assert_eq!(*lamp.0.borrow(), [1, 2]);

    assert_eq!(ask(&mut bench, 2, Body::TestSet(vec![bind(0, 5), bind(1, 6)])), Some(good));
    assert_eq!(*lamp.0.borrow(), [1, 2], "a test changes nothing");
    assert_eq!(
        ask(&mut bench, 3, Body::CommitSet).unwrap().0,
        ErrorStatus::COMMIT_FAILED,
        "another transaction"
    );
    assert_eq!(ask(&mut bench, 2, Body::CommitSet), Some(good));
    assert_eq!(*lamp.0.borrow(), [5, 6]);
    assert_eq!(ask(&mut bench, 2, Body::CleanupSet), None, "has no answer");
    assert_eq!(ask(&mut bench, 2, Body::UndoSet).unwrap().0, ErrorStatus::UNDO_FAILED, "it is over");

    // The second fails when it is done, and the first is taken back.
    assert_eq!(ask(&mut bench, 4, Body::TestSet(vec![bind(0, 7), bind(1, 8)])), Some(good));
    assert_eq!(ask(&mut bench, 4, Body::CommitSet), Some((ErrorStatus::COMMIT_FAILED, 2)));
    assert_eq!(ask(&mut bench, 4, Body::UndoSet), Some(good));
    assert_eq!(*lamp.0.borrow(), [5, 6]);
}
