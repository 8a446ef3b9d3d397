use keepwatch_bus::EventId;

use super::*;

/// A time after the start, in seconds.
struct Clock(Instant);

impl Clock {
    fn at(&self, seconds: f64) -> Instant {
        self.0 + Duration::from_secs_f64(seconds)
    }
}

/// Of an event of its own for each state.
fn order(instance: &str, state: &str) -> Order {
    let states = ["BACKUP", "MASTER", "FAULT", "STOP"];
    let event = states.iter().position(|known| *known == state).unwrap();
    Order {
        argv: vec![format!("/{state}")],
        user: None,
        about: format!("INSTANCE {instance} {state}"),
        subject: Subject::Instance(instance.into()),
        event: EventId(event as u64),
    }
}

/// What is done, in short: the ticket of what is begun goes into `begun`.
fn acts(turns: &mut Turns, now: Instant, begun: &mut Vec<Ticket>) -> Vec<String> {
    let shown = |act| match act {
        Act::Start(ticket, order) => {
            begun.push(ticket);
            format!("start {}", order.about)
        }
        Act::Tell(order, ran, waiting) => format!("{} runs {} s, {waiting} wait", order.about, ran.as_secs()),
        Act::End(ticket, grace) => format!("end {} within {} ms", ticket.0, grace.as_millis()),
        Act::Abandon(ticket, order, _) => format!("abandon {} {}", ticket.0, order.about),
        Act::GiveUp(order) => format!("give up {}", order.about),
    };
    turns.act(now).into_iter().map(shown).collect()
}

#[test]
fn scripts_of_one_subject_run_one_after_the_other_and_those_of_others_beside_them() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    for (instance, state) in [("A", "BACKUP"), ("A", "MASTER"), ("B", "BACKUP"), ("A", "FAULT")] {
        turns.order(clock.at(0.0), order(instance, state));
    }
    let first = acts(&mut turns, clock.at(0.0), &mut begun);
    assert_eq!(first, ["start INSTANCE A BACKUP", "start INSTANCE B BACKUP"]);
    turns.ended(begun[0]);
    assert_eq!(acts(&mut turns, clock.at(1.0), &mut begun), ["start INSTANCE A MASTER"]);
    turns.ended(begun[1]);
    assert_eq!(acts(&mut turns, clock.at(1.0), &mut begun), [""; 0]);
    turns.ended(begun[2]);
    assert_eq!(acts(&mut turns, clock.at(2.0), &mut begun), ["start INSTANCE A FAULT"]);
    turns.ended(begun[3]);
    assert!(turns.is_idle());
}

#[test]
fn two_scripts_of_one_event_wait_only_a_moment_for_each_other() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    for state in ["MASTER", "MASTER", "BACKUP"] {
        turns.order(clock.at(0.0), order("A", state));
    }
    assert_eq!(acts(&mut turns, clock.at(0.0), &mut begun), ["start INSTANCE A MASTER"]);
    assert_eq!(turns.due(), Some(clock.at(2.0)));
    assert_eq!(acts(&mut turns, clock.at(2.0), &mut begun), ["start INSTANCE A MASTER"]);
    turns.ended(begun[1]);
    assert_eq!(acts(&mut turns, clock.at(3.0), &mut begun), [""; 0], "the next event's waits for both");
    turns.ended(begun[0]);
    assert_eq!(acts(&mut turns, clock.at(4.0), &mut begun), ["start INSTANCE A BACKUP"]);
}

#[test]
fn who_keeps_nobody_waiting_is_told_of_once_and_left_alone() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    turns.order(clock.at(0.0), order("A", "MASTER"));
    acts(&mut turns, clock.at(0.0), &mut begun);
    assert_eq!(turns.due(), Some(clock.at(10.0)));
    assert_eq!(acts(&mut turns, clock.at(10.0), &mut begun), ["INSTANCE A MASTER runs 10 s, 0 wait"]);
    assert_eq!(turns.due(), None);
    // A day later: the next one comes, and it has had its time.
    turns.order(clock.at(86_400.0), order("A", "BACKUP"));
    assert_eq!(acts(&mut turns, clock.at(86_400.0), &mut begun), ["end 0 within 2000 ms"]);
    turns.ended(begun[0]);
    assert_eq!(acts(&mut turns, clock.at(86_401.0), &mut begun), ["start INSTANCE A BACKUP"]);
}

#[test]
fn who_keeps_another_waiting_is_ended_when_its_time_is_over() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    turns.order(clock.at(0.0), order("A", "MASTER"));
    acts(&mut turns, clock.at(0.0), &mut begun);
    turns.order(clock.at(5.0), order("A", "BACKUP"));
    assert_eq!(acts(&mut turns, clock.at(5.0), &mut begun), [""; 0]);
    assert_eq!(acts(&mut turns, clock.at(10.0), &mut begun), ["INSTANCE A MASTER runs 10 s, 1 wait"]);
    assert_eq!(turns.due(), Some(clock.at(60.0)));
    assert_eq!(acts(&mut turns, clock.at(60.0), &mut begun), ["end 0 within 2000 ms"]);
    // The kernel holds it, dead or not: the next one does not wait for ever.
    assert_eq!(turns.due(), Some(clock.at(65.0)));
    let late = acts(&mut turns, clock.at(65.0), &mut begun);
    assert_eq!(late, ["abandon 0 INSTANCE A MASTER", "start INSTANCE A BACKUP"]);
    assert_eq!(turns.ended(begun[0]), None, "its end comes too late to matter");
}

#[test]
fn any_number_of_hung_scripts_keeps_nobody_else_waiting() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    for number in 0..200 {
        turns.order(clock.at(0.0), order(&format!("H{number}"), "MASTER"));
    }
    turns.order(clock.at(0.0), order("A", "MASTER"));
    let mut now = clock.at(0.0);
    while !acts(&mut turns, now, &mut begun).iter().any(|act| act == "start INSTANCE A MASTER") {
        now = turns.due().unwrap();
    }
    assert_eq!(begun.len(), 201);
    assert_eq!(now, clock.at(1.5), "in four lots, each half a second after the one before");
}

#[test]
fn at_a_stop_the_last_scripts_still_get_their_turn() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds { beginning: 1, ..Bounds::default() });
    turns.order(clock.at(0.0), order("A", "MASTER"));
    acts(&mut turns, clock.at(0.0), &mut begun);
    turns.stop(clock.at(1.0));
    turns.order(clock.at(1.0), order("A", "STOP"));
    turns.order(clock.at(1.0), order("B", "STOP"));
    assert_eq!(acts(&mut turns, clock.at(1.0), &mut begun), ["start INSTANCE B STOP"]);
    assert_eq!(acts(&mut turns, clock.at(1.5), &mut begun), ["end 0 within 125 ms"]);
    turns.ended(begun[0]);
    assert_eq!(acts(&mut turns, clock.at(1.6), &mut begun), ["start INSTANCE A STOP"]);
}

#[test]
fn at_a_stop_those_that_hang_leave_time_for_the_last_ones() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    for state in ["BACKUP", "MASTER", "FAULT"] {
        turns.order(clock.at(0.0), order("A", state));
    }
    assert_eq!(acts(&mut turns, clock.at(0.0), &mut begun), ["start INSTANCE A BACKUP"]);
    turns.stop(clock.at(1.0));
    (0..2).for_each(|_| drop(turns.order(clock.at(1.0), order("A", "STOP"))));
    assert_eq!(acts(&mut turns, clock.at(1.0), &mut begun), [""; 0]);
    let late = acts(&mut turns, clock.at(1.5), &mut begun);
    assert_eq!(late, ["end 0 within 125 ms", "give up INSTANCE A MASTER", "give up INSTANCE A FAULT"]);
    turns.ended(begun[0]);
    assert_eq!(acts(&mut turns, clock.at(1.6), &mut begun), ["start INSTANCE A STOP"; 2]);
}

#[test]
fn at_a_stop_who_was_asked_to_end_before_it_is_given_less_time() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let bounds = Bounds::default();
    let asked = bounds.time.as_secs_f64();
    let mut turns = Turns::new(bounds);
    turns.order(clock.at(0.0), order("A", "MASTER"));
    turns.order(clock.at(0.0), order("A", "FAULT"));
    acts(&mut turns, clock.at(0.0), &mut begun);
    let first = acts(&mut turns, clock.at(asked), &mut begun);
    assert!(first.contains(&"end 0 within 2000 ms".to_owned()), "{first:?}");
    turns.stop(clock.at(asked + 0.5));
    assert_eq!(acts(&mut turns, clock.at(asked + 0.5), &mut begun), ["end 0 within 125 ms"]);
}

#[test]
fn at_a_stop_what_is_late_is_not_begun_when_the_last_one_waits_too() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    turns.order(clock.at(0.0), order("A", "MASTER"));
    turns.order(clock.at(0.0), order("A", "FAULT"));
    acts(&mut turns, clock.at(0.0), &mut begun);
    turns.stop(clock.at(1.0));
    assert_eq!(acts(&mut turns, clock.at(1.5), &mut begun), ["end 0 within 125 ms"]);
    turns.order(clock.at(1.55), order("A", "STOP"));
    turns.ended(begun[0]);
    let late = acts(&mut turns, clock.at(1.6), &mut begun);
    assert_eq!(late, ["give up INSTANCE A FAULT", "start INSTANCE A STOP"]);
}

#[test]
fn at_a_stop_scripts_of_one_event_do_not_wait_for_each_other() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    let start = "start INSTANCE A STOP";
    turns.order(clock.at(0.0), order("A", "STOP"));
    turns.order(clock.at(0.0), order("A", "STOP"));
    assert_eq!(acts(&mut turns, clock.at(0.0), &mut begun), [start]);
    turns.stop(clock.at(1.0));
    assert_eq!(acts(&mut turns, clock.at(1.0), &mut begun), [start], "it waited when the stop began");
    // And those that come after it.
    (0..3).for_each(|_| drop(turns.order(clock.at(1.0), order("B", "STOP"))));
    assert_eq!(acts(&mut turns, clock.at(1.0), &mut begun), ["start INSTANCE B STOP"; 3]);
    turns.order(clock.at(1.0), order("B", "STOP"));
    assert_eq!(acts(&mut turns, clock.at(1.1), &mut begun), ["start INSTANCE B STOP"]);
}

#[test]
fn what_waits_at_the_end_is_given_up_in_the_order_of_events() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds::default());
    for (instance, state) in [("A", "BACKUP"), ("B", "BACKUP"), ("B", "STOP"), ("A", "MASTER"), ("A", "STOP")]
    {
        turns.order(clock.at(0.0), order(instance, state));
    }
    acts(&mut turns, clock.at(0.0), &mut begun);
    let left: Vec<String> = turns.give_up().into_iter().map(|order| order.about).collect();
    assert_eq!(left.len(), 3);
    assert_eq!(left[0], "INSTANCE A MASTER");
    turns.ended(begun[0]);
    assert_eq!(acts(&mut turns, clock.at(1.0), &mut begun), [""; 0]);
}

#[test]
fn who_waits_behind_a_script_that_never_ends_is_bounded() {
    let (clock, mut begun) = (Clock(Instant::now()), Vec::new());
    let mut turns = Turns::new(Bounds { waiting: 2, ..Bounds::default() });
    let states = ["BACKUP", "MASTER", "FAULT", "STOP"];
    let order = |state: &&str| turns.order(clock.at(0.0), self::order("A", state)).map(|order| order.about);
    assert_eq!(states[..2].iter().map(order).collect::<Vec<_>>(), [None, None]);
    assert_eq!(acts(&mut turns, clock.at(0.0), &mut begun), ["start INSTANCE A BACKUP"]);
    let order = |state: &&str| turns.order(clock.at(0.0), self::order("A", state)).map(|order| order.about);
    let given_up: Vec<_> = states[2..].iter().map(order).collect();
    assert_eq!(given_up, [None, Some("INSTANCE A MASTER".to_owned())]);
    turns.ended(begun[0]);
    assert_eq!(acts(&mut turns, clock.at(1.0), &mut begun), ["start INSTANCE A FAULT"]);
}
