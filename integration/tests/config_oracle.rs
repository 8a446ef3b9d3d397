//! Debian's keepalived as the oracle of what is accepted: the recorded answers of the configuration crate's corpus are
//! still its answers, and its own samples are answered alike.

#![allow(clippy::expect_used)] // a missing program or file is this test's failure

#[path = "../../daemon/config/tests/corpus/mod.rs"]
#[allow(dead_code)] // the differences are another test's matter
mod corpus;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use integration::{Host, Lab};
use keepwatch_config::{Options, load};

const KEEPALIVED: &str = "/usr/sbin/keepalived";
const SAMPLES: &str = "/usr/share/doc/keepalived/samples";

/// A machine with `eth0`, whatever the one that the test runs on has: some answers depend on it.
fn machine() -> (Lab, Host) {
    let lab = Lab::new("oracle").expect("a lab");
    let (_lan, mut hosts) = lab.routers(1).expect("a host");
    (lab, hosts.remove(0))
}

/// What `keepalived -t` exits with; −1 when a signal ended it.
fn verdict(machine: &Host, file: &Path) -> i32 {
    let output = machine.output(KEEPALIVED, &["-t", "-f", &file.to_string_lossy()]);
    output.expect("keepalived is needed: install the package keepalived").status.code().unwrap_or(-1)
}

#[test]
fn the_recorded_answers_are_keepalived_s() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_lab, machine) = machine();
    let cases = corpus::cases();
    let next = AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (cases, next, wrong, machine, file) =
                (&cases, &next, &wrong, &machine, directory.path().join(format!("{worker}.conf")));
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    std::fs::write(&file, case.configuration()).expect("written");
                    let status = verdict(machine, &file);
                    // Whether it ends by a signal (a bug of 2.2.7) depends on the machine.
                    if status != case.keepalived && (status == 0 || case.keepalived >= 0) {
                        wrong.lock().expect("whole").push(format!("{status}: {case:?}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("whole");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Samples that keepalived answers otherwise than we do, and why.
const SAMPLES_THAT_DIFFER: &[(&str, &str)] = &[
    ("keepalived.conf.vrrp", "has an address twice: 2.2.7 takes it, 2.4.3 leaves the second out and says so"),
    (
        "keepalived.conf.track_interface",
        "2.2.7 warns of a route without interface that it does not track it; 2.4.3 does not",
    ),
    (
        "keepalived.conf.vrrp.static_ipaddress",
        "2.2.7 warns of a route without interface that it does not track it; 2.4.3 does not",
    ),
];

#[test]
fn debian_s_samples_are_answered_alike() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_lab, machine) = machine();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(SAMPLES).expect("the samples of the package keepalived").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("keepalived.conf.") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        // Their interfaces are not on this machine: that is asked elsewhere.
        let file = directory.path().join(&name);
        std::fs::write(&file, format!("global_defs {{\n dynamic_interfaces\n}}\n{text}")).expect("written");
        let loaded = load(&file, &Options::default());
        let agrees = i32::from(loaded.diagnostics.exit_status()) == verdict(&machine, &file);
        seen += 1;
        if agrees == SAMPLES_THAT_DIFFER.iter().any(|(sample, _)| *sample == name) {
            wrong.push(format!(
                "{name}: keepalived {}\n{}",
                verdict(&machine, &file),
                loaded.diagnostics.render_text(false)
            ));
        }
    }
    assert!(seen > 10, "only {seen} samples");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
