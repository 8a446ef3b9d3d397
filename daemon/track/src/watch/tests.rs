use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc;

use tempfile::TempDir;

use super::*;

struct Scene {
    root: TempDir,
    watch: FileWatch,
}

struct Told(mpsc::Receiver<Reading>, #[allow(dead_code)] Watched);

impl Told {
    fn next(&self) -> (i32, FileContent) {
        let reading = self.0.recv_timeout(Duration::from_secs(20)).unwrap();
        (reading.value, reading.found)
    }

    /// The value in the end, whatever was told on the way there.
    fn until(&self, value: i32) {
        while self.next().0 != value {}
    }

    fn is_silent(&self) -> bool {
        self.0.recv_timeout(Duration::from_millis(100)).is_err()
    }
}

impl Scene {
    fn new() -> Self {
        Self { root: TempDir::new().unwrap(), watch: FileWatch::start().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn told(&self, name: &str) -> Told {
        let (sender, told) = mpsc::channel();
        let watched = self.watch.watch(self.at(name), move |reading| drop(sender.send(reading)));
        Told(told, watched)
    }
}

#[test]
fn a_file_is_followed_through_all_that_may_happen_to_it() {
    let scene = Scene::new();
    let told = scene.told("dir/f");
    assert_eq!(told.next(), (0, FileContent::Missing));
    fs::create_dir(scene.at("dir")).unwrap();
    fs::write(scene.at("dir/f"), "5\n").unwrap();
    told.until(5);
    // Replaced as careful writers do.
    fs::write(scene.at("dir/.new"), "6\n").unwrap();
    fs::rename(scene.at("dir/.new"), scene.at("dir/f")).unwrap();
    assert_eq!(told.next(), (6, FileContent::Number));
    fs::write(scene.at("dir/f"), "garbage").unwrap();
    assert_eq!(told.next(), (0, FileContent::NoNumber));
    fs::write(scene.at("dir/f"), "99999999999").unwrap();
    assert_eq!(told.next(), (0, FileContent::TooLarge));
    fs::write(scene.at("dir/f"), "-3").unwrap();
    assert_eq!(told.next(), (-3, FileContent::Number));
    fs::remove_dir_all(scene.at("dir")).unwrap();
    assert_eq!(told.next(), (0, FileContent::Missing));
    // The directory comes back, as another one that was made elsewhere.
    fs::create_dir(scene.at("other")).unwrap();
    fs::write(scene.at("other/f"), "7").unwrap();
    fs::rename(scene.at("other"), scene.at("dir")).unwrap();
    told.until(7);
    fs::write(scene.at("dir/f"), "8").unwrap();
    assert_eq!(told.next(), (8, FileContent::Number));
}

#[test]
fn links_on_the_way_are_followed_when_they_are_swapped() {
    let scene = Scene::new();
    for (name, value) in [("one", "1"), ("two", "2")] {
        fs::create_dir(scene.at(name)).unwrap();
        fs::write(scene.at(name).join("f"), value).unwrap();
    }
    symlink("one", scene.at("now")).unwrap();
    symlink("now/f", scene.at("f")).unwrap();
    let told = scene.told("f");
    assert_eq!(told.next(), (1, FileContent::Number));
    symlink("two", scene.at("new")).unwrap();
    fs::rename(scene.at("new"), scene.at("now")).unwrap();
    assert_eq!(told.next(), (2, FileContent::Number));
    fs::write(scene.at("two/f"), "3").unwrap();
    assert_eq!(told.next(), (3, FileContent::Number));
    fs::write(scene.at("one/f"), "4").unwrap();
    assert!(told.is_silent(), "that one is not ours any more");
}

#[test]
fn what_is_written_without_end_is_seen_by_and_by() {
    use std::io::Write;

    let scene = Scene::new();
    fs::write(scene.at("f"), "1").unwrap();
    let told = scene.told("f");
    assert_eq!(told.next(), (1, FileContent::Number));
    let mut open = fs::File::create(scene.at("f")).unwrap();
    open.write_all(b"9").unwrap();
    assert_eq!(told.next(), (9, FileContent::Number), "after two looks");
}

#[test]
fn many_changes_are_seen_at_a_pace_and_the_last_one_surely() {
    let scene = Scene::new();
    let told = scene.told("f");
    assert_eq!(told.next(), (0, FileContent::Missing));
    for n in 1..=3000 {
        fs::write(scene.at("f"), n.to_string()).unwrap();
    }
    let mut seen = 0;
    while told.next().0 != 3000 {
        seen += 1;
    }
    assert!(seen < 1500, "{seen}");
    drop(told);
    let again = scene.told("f");
    assert_eq!(again.next(), (3000, FileContent::Number));
}

#[test]
fn a_pipe_or_a_directory_in_its_place_holds_up_nothing() {
    let scene = Scene::new();
    nix::unistd::mkfifo(&scene.at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(scene.at("directory")).unwrap();
    assert_eq!(scene.told("pipe").next(), (0, FileContent::Empty));
    assert!(matches!(scene.told("directory").next(), (0, FileContent::Unreadable(_))));
}

#[test]
fn what_changed_while_the_kernel_s_queue_overflowed_is_read_at_once() {
    let scene = Scene::new();
    let most: u32 =
        fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    let (sender, told) = mpsc::channel();
    let (go_on, held) = mpsc::channel();
    let _watched = scene.watch.watch(scene.at("f"), move |reading| {
        let _ = sender.send(reading.value);
        // Nobody reads the queue meanwhile.
        if reading.value == 1 {
            let _ = held.recv();
        }
    });
    assert_eq!(told.recv().unwrap(), 0);
    fs::write(scene.at("f"), "1").unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(1));
    for _ in 0..=most / 3 {
        // It appears, is written to, and goes.
        fs::write(scene.at("g"), "").unwrap();
        fs::remove_file(scene.at("g")).unwrap();
    }
    fs::write(scene.at("f"), "2").unwrap();
    go_on.send(()).unwrap();
    let began = Instant::now();
    assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(2));
    assert!(began.elapsed() < LOOK, "only a look found it, after {:?}", began.elapsed());
}

#[test]
fn what_is_written_by_another_name_or_while_the_old_one_is_open_is_seen() {
    let scene = Scene::new();
    fs::create_dir(scene.at("dir")).unwrap();
    fs::write(scene.at("f"), "1").unwrap();
    let (told, twice) = (scene.told("f"), scene.told("f"));
    assert_eq!((told.next().0, twice.next().0), (1, 1));
    let open = fs::File::open(scene.at("f")).unwrap();
    fs::write(scene.at("new"), "2").unwrap();
    fs::rename(scene.at("new"), scene.at("f")).unwrap();
    assert_eq!((told.next().0, twice.next().0), (2, 2), "somebody has the old file open");
    drop(open);
    // The kernel tells who watches the directory of the name that is written to.
    fs::hard_link(scene.at("f"), scene.at("dir/other")).unwrap();
    fs::write(scene.at("dir/other"), "3").unwrap();
    assert_eq!((told.next().0, twice.next().0), (3, 3), "by a look");
}
