use std::time::Duration;

use super::*;
use crate::sample;
use crate::subject::Name;
use crate::world::World;

/// What is told of in a world in which this happened.
fn trouble(happened: impl IntoIterator<Item = ConsumerFact>) -> Vec<String> {
    let mut world = World::default();
    for (id, fact) in (1..).zip(happened) {
        world.apply(&sample::event(id, None, fact));
    }
    world.trouble().into_iter().map(|trouble| format!("{}: {}", trouble.what, trouble.error)).collect()
}

#[test]
fn of_two_hung_scripts_of_one_event_one_is_left_when_the_other_ends() {
    let about = || "INSTANCE VI_1 BACKUP".to_owned();
    let overdue = |script: &str| ConsumerFact::ScriptOverdue {
        script: script.into(),
        about: about(),
        running: Duration::from_secs(10),
        waiting: 0,
    };
    let ended = ConsumerFact::ScriptExited {
        script: "/h1".into(),
        about: about(),
        outcome: ScriptOutcome::Exited { status: 0 },
        took: Duration::from_secs(14),
        output: String::new(),
    };
    assert_eq!(trouble([overdue("/h1"), overdue("/h2")]).len(), 2);
    assert_eq!(
        trouble([overdue("/h1"), overdue("/h2"), ended]),
        ["script for INSTANCE VI_1 BACKUP: /h2 still runs"]
    );
}

#[test]
fn a_reader_that_fails_is_trouble_until_one_lives() {
    let fifo = || Name::from("/run/fifo");
    let opened = || ConsumerFact::FifoOpened { fifo: fifo() };
    let ended = |status, again_in| ConsumerFact::FifoReaderEnded {
        fifo: fifo(),
        script: "/reader".into(),
        outcome: ScriptOutcome::Exited { status },
        took: Duration::from_secs(1),
        output: "boom\n".into(),
        again_in,
    };
    let failed = || ended(3, Some(Duration::from_secs(4)));
    let works = || ConsumerFact::FifoReaderWorks { fifo: fifo(), script: "/reader".into() };
    let not_run = || ConsumerFact::ScriptNotRun {
        script: "/reader".into(),
        about: about_reader(&fifo()),
        error: "there is none".into(),
    };
    let what = "the script that reads FIFO /run/fifo fails";
    assert_eq!(trouble([opened(), failed()]), [format!("{what}: /reader exited with 3 after 1.000 s: boom")]);
    assert_eq!(trouble([opened(), not_run()]), [format!("{what}: it can't be run: there is none")]);
    for over in [works(), opened(), ended(0, None), ConsumerFact::FifoRemoved { fifo: fifo() }] {
        assert_eq!(trouble([opened(), failed(), failed(), over]), [""; 0]);
    }
}

#[test]
fn a_master_agent_that_a_reload_left_is_no_trouble() {
    let mut world = World::default();
    let socket = "/var/agentx/master".to_owned();
    let lost = ConsumerFact::MasterAgentLost { socket: socket.clone(), error: "refused".into() };
    world.apply(&sample::event(1, None, lost));
    assert_eq!(world.trouble().len(), 1);
    world.apply(&sample::event(2, None, ConsumerFact::MasterAgentLeft { socket }));
    assert!(world.trouble().is_empty() && !world.snmp.connected);
}
