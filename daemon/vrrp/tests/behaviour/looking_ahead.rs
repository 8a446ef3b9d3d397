//! A backup's takeover can be seen coming, so that whoever must act is awake by then.

use crate::{ms, pair};

#[test]
fn a_takeover_is_seen_coming_and_a_master_s_advertisement_is_none() {
    let mut lan = pair(|_| {});
    lan.run_for(ms(10_000));
    let (now, ahead) = (lan.clock(1), ms(1));
    let backup = &mut lan.hosts[1].node;
    assert_eq!(backup.takeover_by(now + ms(1_000)), None, "the master was heard a moment ago");
    let at = backup.takeover_by(now + ms(10_000)).expect("if it falls silent, a takeover comes");
    assert!((ms(2_500)..ms(3_700)).contains(&(at - now)), "{:?}", at - now);
    assert_eq!((backup.next_deadline(), backup.next_look(ahead)), (Some(at), Some(at - ahead)));

    let now = lan.clock(0);
    let master = &mut lan.hosts[0].node;
    assert_eq!(master.takeover_by(now + ms(10_000)), None);
    assert_eq!(master.next_look(ahead), master.next_deadline());
}
