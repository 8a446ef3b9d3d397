use keepwatch_bus::{BusSettings, EventId, Hub};

use super::*;

fn kept(number: u64) -> Kept {
    let letter = Letter { subject: format!("s{number}"), body: "b".into(), event: EventId(number), at: 5 };
    Kept { number, letter, since: 7, to: Some(vec!["a@b".into()]), tries: 2 }
}

fn left(directory: &Path, capacity: usize) -> (Vec<Kept>, Spool) {
    let (bus, _hub) = Hub::new(BusSettings::default()).unwrap();
    let (spool, left) = Spool::open(directory.to_owned(), capacity, bus.downgrade()).unwrap();
    (left.blocking_recv().unwrap(), spool)
}

#[test]
fn what_waits_outlives_a_restart_and_what_was_sent_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("state/mail");
    let (nothing, mut spool) = left(&directory, 100);
    assert_eq!(nothing, []);
    (1..=4).for_each(|number| spool.keep(kept(number)));
    spool.forget(2);
    spool.close(Duration::from_secs(10));
    // A write that was cut short, and what is none of ours.
    fs::write(directory.join("9.new"), "{").unwrap();
    fs::write(directory.join("00000000000000000009.mail"), "{").unwrap();
    fs::write(directory.join("README"), "keep").unwrap();
    let (found, spool) = left(&directory, 2);
    assert_eq!(found, [kept(3), kept(4)]);
    spool.close(Duration::from_secs(10));
    let mut names: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["00000000000000000003.mail", "00000000000000000004.mail", "README"]);
}

/// A spool for which there was no thread, and what hears of it.
fn without_a_thread(directory: &Path) -> (Spool, keepwatch_bus::Bus, Hub) {
    let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
    prepare(directory).unwrap();
    let teller = Teller { directory: directory.to_owned(), bus: bus.downgrade(), told: false };
    let desk = Desk {
        directory: directory.to_owned(),
        waiting: Mutex::new(Waiting { works: true, ..Waiting::default() }),
        teller: Mutex::new(teller),
    };
    let spool = Spool { desk: Some(Arc::new(desk)), bus: bus.downgrade(), lossy: false };
    (spool, bus, hub)
}

#[test]
fn what_no_thread_could_be_had_for_is_told_as_that_and_done_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("mail");
    let (mut spool, bus, hub) = without_a_thread(&directory);
    let reader = hub.reader();
    (1..=3).for_each(|number| spool.keep(kept(number)));
    spool.desk.as_ref().unwrap().no_thread(&io::Error::other("too many"));
    let desk = spool.desk.clone().unwrap();
    spool.close(Duration::ZERO);
    assert!(!path(&directory, 1).exists(), "there was no time");
    Spool { desk: Some(desk), bus: bus.downgrade(), lossy: false }.close(Duration::from_secs(10));
    assert!((1..=3).all(|number| path(&directory, number).exists()));
    drop(bus);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(hub.run());
    let facts: Vec<_> = reader.history().iter().map(|event| event.fact.clone()).collect();
    assert!(
        matches!(&facts[..], [
            keepwatch_bus::Fact::Consumer(ConsumerFact::ConsumerFailed { error, .. }),
            keepwatch_bus::Fact::Consumer(ConsumerFact::ConsumerWorks { .. })
        ] if error.contains("no thread") && error.contains("too many")),
        "{facts:?}"
    );
}

#[test]
fn no_more_orders_wait_than_there_are_mails() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("mail");
    let (mut spool, _bus, _hub) = without_a_thread(&directory);
    let fresh = |number| Kept { tries: 0, to: None, ..kept(number) };
    write(&directory, &kept(7)).unwrap();
    for number in 10..10 + 3 * ORDERS as u64 {
        spool.keep(fresh(number));
        spool.forget(number);
    }
    // One that was tried may be on disk.
    spool.keep(kept(7));
    spool.forget(7);
    spool.keep(fresh(8));
    let desk = spool.desk.clone().unwrap();
    let orders: Vec<_> = desk.waiting.lock().orders.iter().map(Order::number).collect();
    assert_eq!((orders, spool.lossy), (vec![7, 8], false));
    desk.waiting.lock().works = false;
    spool.close(Duration::from_secs(10));
    assert!(!path(&directory, 7).exists() && path(&directory, 8).exists());
}

#[test]
fn a_mail_that_can_not_be_read_now_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("mail");
    let (_, spool) = left(&directory, 10);
    spool.close(Duration::from_secs(10));
    // Whoever may read everything can't read a directory as a file.
    fs::create_dir(path(&directory, 5)).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), path(&directory, 6)).unwrap();
    let (found, spool) = left(&directory, 10);
    spool.close(Duration::from_secs(10));
    assert_eq!(found, []);
    assert!(fs::symlink_metadata(path(&directory, 5)).is_ok());
    assert!(fs::symlink_metadata(path(&directory, 6)).is_ok());
}

#[test]
fn a_disk_that_takes_mails_again_is_no_trouble_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
    let reader = hub.reader();
    let directory = dir.path().join("mail");
    let mut teller = Teller { directory, bus: bus.downgrade(), told: false };
    teller.went(Err(io::Error::other("full")));
    teller.went(Err(io::Error::other("full")));
    teller.went(Ok(()));
    teller.went(Ok(()));
    drop(bus);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(hub.run());
    let kinds: Vec<_> = reader.history().iter().map(|event| event.fact.kind()).collect();
    assert_eq!(kinds, ["consumer_failed", "consumer_works"]);
    assert!(reader.world().failed_consumers.is_empty());
}

#[test]
fn a_directory_that_others_may_change_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("link")).unwrap();
    for directory in [open, dir.path().join("link")] {
        let (_, mut spool) = left(&directory, 10);
        spool.keep(kept(1));
        spool.close(Duration::from_secs(10));
        assert!(!path(&directory, 1).exists());
    }
}
