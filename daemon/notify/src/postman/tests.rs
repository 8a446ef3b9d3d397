use std::sync::Arc;

use keepwatch_bus::fact::{ConsumerFact, DaemonFact, VrrpFact};
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{Bus, BusSettings, Configured, Event, EventId, Hub, sample};
use keepwatch_model::SyncGroup;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

/// A bus with a postman on it, and a sync group that wants mail.
struct Office {
    bus: Bus,
    reader: Reader,
    task: JoinHandle<()>,
    settings: watch::Sender<Option<MailSettings>>,
}

fn settings(server: (String, u16)) -> MailSettings {
    MailSettings {
        router_id: "LVS_1".into(),
        server,
        helo: "director.example".into(),
        connect_timeout: Duration::from_millis(100),
        from: "director@example.org".into(),
        to: vec!["admin@example.org".into()],
        wishes: Wishes::default(),
        mail: keepwatch_model::Mail::default(),
    }
}

impl Office {
    fn open(port: u16, patience: Patience) -> Self {
        Self::with(settings(("127.0.0.1".into(), port)), patience)
    }

    /// With settings from the beginning: a change of them would let go at once what waits to be grouped.
    fn with(settings: MailSettings, patience: Patience) -> Self {
        let (bus, mut hub) = Hub::new(BusSettings::default()).unwrap();
        let (sender, receiver) = watch::channel(Some(settings));
        let (queue, reader) = (hub.deliver("test", concerns), hub.reader());
        tokio::spawn(hub.run());
        let spool = (Spool::none(bus.downgrade()), None);
        let task = tokio::spawn(run(queue, receiver, reader.clone(), bus.downgrade(), patience, spool));
        let group = SyncGroup { smtp_alert: true, ..sample::group(&[]) };
        bus.publish(
            None,
            VrrpFact::GroupConfigured { group: "VG_1".into(), settings: Configured::new(1, group) },
        );
        Self { bus, reader, task, settings: sender }
    }

    fn change(&self, to: VrrpState) -> EventId {
        let fact = VrrpFact::GroupStateChanged { group: "VG_1".into(), from: VrrpState::Init, to };
        self.bus.publish(None, fact)
    }

    /// The facts of this kind, as soon as there are `count`.
    async fn facts(&self, kind: &str, count: usize) -> Vec<Arc<Event>> {
        let search = async {
            loop {
                let found: Vec<_> =
                    self.reader.history().iter().filter(|e| e.fact.kind() == kind).cloned().collect();
                if found.len() >= count {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), search).await.unwrap()
    }
}

fn quick() -> Patience {
    Patience {
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
        farewell: Duration::from_millis(300),
        ..Patience::default()
    }
}

/// Speaks SMTP as a server and answers each MAIL with `verdict`; returns what it was told.
async fn attend(stream: TcpStream, verdict: &str) -> String {
    attend_to(stream, &[("MAIL", verdict)]).await
}

/// The same, with these answers to lines that begin so; nothing is said where the answer is empty.
async fn attend_to(stream: TcpStream, answers: &[(&str, &str)]) -> String {
    let mut stream = BufReader::new(stream);
    let mut told = String::new();
    stream.write_all(b"220 ready\r\n").await.unwrap();
    let mut data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap() == 0 {
            return told;
        }
        told.push_str(&line);
        let answer = match (data, line.trim_end()) {
            (true, ".") => {
                data = false;
                "250 taken"
            }
            (true, _) => continue,
            (false, "DATA") => {
                data = true;
                "354 go on"
            }
            (false, command) => {
                let answer = answers.iter().find(|(start, _)| command.starts_with(start));
                answer.map_or("250 fine", |(_, answer)| answer)
            }
        };
        if answer.is_empty() {
            continue;
        }
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_letter_is_sent_and_said_to_be() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let office = Office::open(listener.local_addr().unwrap().port(), quick());
    let event = office.change(VrrpState::Master);
    let told = attend(listener.accept().await.unwrap().0, "250 fine").await;
    assert!(told.contains("Subject: [LVS_1] VRRP Group VG_1 - Entering MASTER state\r\n"), "{told}");
    assert!(told.starts_with("EHLO director.example\r\n"), "{told}");
    let sent = office.facts("mail_sent", 1).await;
    assert_eq!(sent[0].cause, Some(event));
}

#[tokio::test]
async fn a_server_that_never_answers_is_told_once_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let office = Office::open(listener.local_addr().unwrap().port(), quick());
    office.change(VrrpState::Master);
    office.change(VrrpState::Backup);
    // Accepted, never answered: three tries.
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(listener.accept().await.unwrap().0);
    }
    let delayed = office.facts("mail_delayed", 1).await;
    assert_eq!(delayed.len(), 1, "the same trouble is told once");
    assert!(
        matches!(&delayed[0].fact, Fact::Consumer(ConsumerFact::MailDelayed { error, .. }) if error.contains("no answer within"))
    );
    // Then it wakes up: both letters arrive, in order.
    drop(silent);
    let mut arrived = Vec::new();
    while arrived.len() < 2 {
        let told = attend(listener.accept().await.unwrap().0, "250 fine").await;
        arrived.extend(told.lines().find(|line| line.starts_with("Subject:")).map(str::to_owned));
    }
    assert!(arrived[0].contains("MASTER") && arrived[1].contains("BACKUP"), "{arrived:?}");
    office.facts("mail_sent", 2).await;
    assert_eq!(office.reader.world().mail.error, None);
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let office = Office::open(listener.local_addr().unwrap().port(), quick());
    office.change(VrrpState::Master);
    attend(listener.accept().await.unwrap().0, "550 not from you").await;
    let failed = office.facts("mail_failed", 1).await;
    assert!(
        matches!(&failed[0].fact, Fact::Consumer(ConsumerFact::MailFailed { error, .. }) if error.contains("not from you")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn only_so_many_letters_wait_and_the_oldest_go_first() {
    // Nobody listens on the port of a socket that was closed.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let patience = Patience { capacity: 3, first_pause: Duration::from_secs(60), ..quick() };
    let office = Office::open(port, patience);
    for _ in 0..5 {
        office.change(VrrpState::Master);
        office.change(VrrpState::Backup);
    }
    let failed = office.facts("mail_failed", 6).await;
    assert!(
        matches!(&failed[0].fact, Fact::Consumer(ConsumerFact::MailFailed { error, .. }) if error.contains("newer mails wait"))
    );
}

#[tokio::test]
async fn when_too_many_wait_to_become_one_they_become_one_at_once_and_none_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut grouped = settings(("127.0.0.1".into(), port));
    grouped.mail.group = Some(keepwatch_model::MailGroup { least: 2, wait: Duration::from_secs(3600) });
    let office = Office::with(grouped, Patience { capacity: 4, ..quick() });
    for to in [VrrpState::Master, VrrpState::Backup, VrrpState::Master, VrrpState::Backup, VrrpState::Fault] {
        office.change(to);
    }
    let told = attend(listener.accept().await.unwrap().0, "250 fine").await;
    assert!(
        told.replace("\r\n ", " ").contains("Subject: [LVS_1] 4 notices, the first: VRRP Group VG_1"),
        "{told}"
    );
    office.bus.publish(None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    let told = attend(listener.accept().await.unwrap().0, "250 fine").await;
    assert!(
        told.contains("2 notices in one") && told.contains("FAULT") && told.contains("Stopping"),
        "{told}"
    );
    timeout(Duration::from_secs(20), office.task).await.unwrap().unwrap();
    assert!(!office.reader.history().iter().any(|event| event.fact.kind() == "mail_failed"));
}

#[tokio::test]
async fn who_is_refused_or_put_off_costs_the_others_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let office = Office::open(port, quick());
    let to = ["Night Watch <night@example.org>", "gone@example.org", "later@example.org"];
    let settings = MailSettings { to: to.map(Into::into).into(), ..settings(("127.0.0.1".into(), port)) };
    office.settings.send(Some(settings)).unwrap();
    office.change(VrrpState::Master);
    let answers = [("RCPT TO:<gone@", "550 no such user here"), ("RCPT TO:<later@", "450 come again")];
    let told = attend_to(listener.accept().await.unwrap().0, &answers).await;
    assert!(told.contains("RCPT TO:<night@example.org>\r\n"), "{told}");
    assert!(told.contains("Entering MASTER state"), "{told}");

    // Another letter does not wait for who was put off, and who has the first one does not get it again.
    let told = attend(listener.accept().await.unwrap().0, "250 fine").await;
    let whom: Vec<_> = told.lines().filter(|line| line.starts_with("RCPT")).collect();
    assert_eq!(whom, ["RCPT TO:<later@example.org>"], "{told}");
    let sent = office.facts("mail_sent", 2).await;
    let of = |event: &Event| match event.fact {
        Fact::Consumer(ConsumerFact::MailSent { recipients, tries, .. }) => (recipients, tries),
        ref other => panic!("{other:?}"),
    };
    assert_eq!((of(&sent[0]), of(&sent[1])), ((1, 1), (1, 2)));
    let refused = office.facts("mail_refused", 1).await;
    assert!(
        matches!(&refused[0].fact, Fact::Consumer(ConsumerFact::MailRefused { recipient, error, .. })
            if recipient == "gone@example.org" && error.contains("no such user here")),
        "{refused:?}"
    );
    let delayed = office.facts("mail_delayed", 1).await;
    assert!(
        matches!(&delayed[0].fact, Fact::Consumer(ConsumerFact::MailDelayed { error, .. }) if error.contains("come again")),
        "{delayed:?}"
    );
}

#[tokio::test]
async fn what_the_server_has_taken_is_not_sent_again_however_it_says_goodbye() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let office = Office::open(listener.local_addr().unwrap().port(), quick());
    office.change(VrrpState::Master);
    let told = attend_to(listener.accept().await.unwrap().0, &[("QUIT", "")]).await;
    assert!(told.contains("Entering MASTER state"), "{told}");
    office.facts("mail_sent", 1).await;
    assert!(timeout(Duration::from_millis(300), listener.accept()).await.is_err());
}

#[tokio::test]
async fn old_letters_are_given_up() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let office = Office::open(port, Patience { keep: Duration::ZERO, ..quick() });
    office.change(VrrpState::Master);
    let failed = office.facts("mail_failed", 1).await;
    assert!(
        matches!(&failed[0].fact, Fact::Consumer(ConsumerFact::MailFailed { error, .. }) if error.ends_with(": Connection refused")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_stop_is_mailed_and_not_waited_for_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let office = Office::open(listener.local_addr().unwrap().port(), quick());
    office.bus.publish(None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    let told = attend(listener.accept().await.unwrap().0, "250 fine").await;
    assert!(told.contains("VRRP Group VG_1 - Stopping"), "{told}");
    timeout(Duration::from_secs(20), office.task).await.unwrap().unwrap();

    // A server that never answers does not keep it from ending.
    let office = Office::open(listener.local_addr().unwrap().port(), quick());
    office.bus.publish(None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    timeout(Duration::from_secs(20), office.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_mails_to_be_grouped() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Long enough for a loaded machine.
    let office = Office::open(port, Patience { farewell: Duration::from_secs(20), ..quick() });
    let mut grouped = settings(("127.0.0.1".into(), port));
    grouped.mail.group = Some(keepwatch_model::MailGroup { least: 5, wait: Duration::from_secs(3600) });
    office.settings.send(Some(grouped)).unwrap();
    office.bus.publish(None, DaemonFact::DaemonStopping { reason: "SIGTERM".into() });
    let (stream, _) = timeout(Duration::from_secs(10), listener.accept()).await.unwrap().unwrap();
    let told = attend(stream, "250 fine").await;
    assert!(told.contains("VRRP Group VG_1 - Stopping"), "{told}");
    timeout(Duration::from_secs(10), office.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_server_is_tried_at_once() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let office = Office::open(closed, Patience { first_pause: Duration::from_secs(3600), ..quick() });
    office.change(VrrpState::Master);
    office.facts("mail_delayed", 1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    office.settings.send(Some(settings((address.ip().to_string(), address.port())))).unwrap();
    attend(listener.accept().await.unwrap().0, "250 fine").await;
    office.facts("mail_sent", 1).await;
}

#[tokio::test]
async fn without_settings_nothing_is_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let office = Office::open(listener.local_addr().unwrap().port(), quick());
    office.settings.send(None).unwrap();
    let event = office.change(VrrpState::Master);
    while office.reader.history().get(event).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(timeout(Duration::from_millis(200), listener.accept()).await.is_err());
}

#[tokio::test]
async fn letters_that_wait_are_bounded_in_bytes_too() {
    let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
    let reader = hub.reader();
    let (sender, receiver) = watch::channel(Some(settings(("127.0.0.1".into(), 1))));
    let mut postman = Postman {
        settings: receiver,
        bus: bus.downgrade(),
        patience: Patience::default(),
        spool: Spool::none(bus.downgrade()),
        next: 1,
        bag: VecDeque::new(),
        attempt: None,
        failures: 0,
        next_try: Instant::now(),
        told: None,
    };
    let long =
        |name: &str, size| Letter { subject: name.into(), body: "x".repeat(size), event: EventId(1), at: 1 };
    let subjects = |postman: &Postman| -> Vec<_> {
        postman.bag.iter().map(|waiting| waiting.letter.subject.clone()).collect()
    };
    ["a", "b", "c"].into_iter().for_each(|name| postman.take(long(name, MOST_BYTES / 3)));
    assert_eq!(subjects(&postman), ["b", "c"]);
    postman.take(long("d", 2 * MOST_BYTES));
    assert_eq!(subjects(&postman), ["d"], "one that is alone has room");
    let kept = Kept { number: 1, letter: long("old", 1), since: 1, to: None, tries: 0 };
    postman.resume(vec![kept]);
    assert_eq!(subjects(&postman), ["d"]);

    // Where they may become one, none is lost.
    postman.bag.clear();
    let mut grouped = settings(("127.0.0.1".into(), 1));
    grouped.mail.group = Some(keepwatch_model::MailGroup { least: 2, wait: Duration::from_secs(3600) });
    sender.send(Some(grouped)).unwrap();
    ["e", "f", "g"].into_iter().for_each(|name| postman.take(long(name, MOST_BYTES / 3)));
    assert_eq!(subjects(&postman), ["2 notices, the first: e", "g"]);
    drop((postman, bus));
    hub.run().await;
    let failed: Vec<_> = reader.history().iter().map(|event| event.fact.clone()).collect();
    assert!(
        failed.iter().all(|fact| matches!(fact, Fact::Consumer(ConsumerFact::MailFailed { .. })))
            && failed.len() == 4,
        "{failed:?}"
    );
}
