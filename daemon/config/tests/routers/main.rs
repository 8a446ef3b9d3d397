//! What each mistake in virtual routers, their groups, and addresses, routes and rules leads to.
//!
//! What becomes of a file is what keepalived 2.4.3 says, but for what [`OTHERWISE`] lists. Where its `-t` says that it would
//! run after changes, but its VRRP process then ends for good (no virtual router id, or the same one twice), it cannot run
//! here; the exit status of `-t` is the same.

mod around;
mod instances;
mod lines;
#[path = "../reading/mod.rs"]
mod reading;
mod told;
mod tracking;
mod values;

use keepwatch_config::Outcome;
use keepwatch_config::model::{ConfigFault, LinkTarget};
use reading::{mistakes, read};

/// What it is about, the configuration, what becomes of it, and the codes of what is said.
type Case = (&'static str, &'static str, Outcome, &'static [&'static str]);

/// What stands for itself in the configurations.
const SHORT: &[(&str, &str)] = &[
    ("@AB", "vrrp_instance A {\n@1\n}\nvrrp_instance B {\n@2\n}"),
    ("@1", "interface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}"),
    ("@2", "interface eth0\nvirtual_router_id 2\nvirtual_ipaddress {\n10.0.0.2\n}"),
    ("@B2", "vrrp_instance B {\ninterface eth1\nvirtual_router_id 2\nvirtual_ipaddress {\n10.0.0.2\n}\n}"),
    // Addresses on the VMAC of virtual router 1 on eth0.
    (
        "@BON",
        "vrrp_instance B {\ninterface eth1\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.2 dev eth0 use_vmac\n}\n}\n",
    ),
    (
        "@CON",
        "vrrp_instance C {\ninterface eth2\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.3 dev eth0 use_vmac\n}\n}\n",
    ),
    (
        "@TRACKED",
        "vrrp_script chk {\nscript /bin/true\nweight 5\nuser root\n}\nvrrp_track_process p {\nprocess nginx\nweight 4\n}\n\
         track_file f {\nfile /run/f\n}\nbfd_instance B1 {\nneighbor_ip 10.0.0.77\nsource_ip 10.0.0.76\nweight 3\n}",
    ),
];

const SHARED_VMAC: &str = "keepalived disables the second instance too, but says so only when it starts";

/// What keepalived answers otherwise, and why we don't.
const OTHERWISE: &[(&str, &str)] = &[
    ("vmac-addresses", SHARED_VMAC),
    ("vmac-addresses-before", SHARED_VMAC),
    ("vmac-addresses-two-groups", SHARED_VMAC),
    ("vmac-addresses-both-elsewhere", SHARED_VMAC),
    ("vmac-addresses-vmac-addr", SHARED_VMAC),
    ("vmac-addresses-excluded", SHARED_VMAC),
    ("group-one", "a group of one is no mistake; many files have one for its scripts"),
    ("track-file-unknown", "keepalived crashes"),
];

fn long(text: &str) -> String {
    SHORT.iter().fold(text.to_owned(), |text, (short, long)| text.replace(short, long))
}

/// What becomes of it, and the codes of everything above a note, without what is not built yet.
fn answer(text: &str) -> (Outcome, Vec<&'static str>) {
    let loaded = read(text);
    let said = mistakes(&loaded).into_iter().map(|mistake| mistake.code).collect();
    (loaded.diagnostics.outcomes().worst(), said)
}

fn all() -> impl Iterator<Item = &'static Case> {
    [instances::CASES, tracking::CASES, around::CASES].into_iter().flatten()
}

#[test]
fn each_case_is_answered_as_listed() {
    let mut wrong = Vec::new();
    for (name, short, outcome, codes) in all() {
        let answered = answer(&long(short));
        if answered != (*outcome, codes.to_vec()) {
            wrong.push(format!("{name}: {answered:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_second_of_two_instances_with_addresses_on_one_vmac_stays_in_fault() {
    let config = read(&long("@BON@CON")).config;
    let faults: Vec<_> =
        config.into_iter().flat_map(|config| config.instances).map(|one| one.config_fault).collect();
    assert_eq!(faults, [None, Some(ConfigFault::SharedVmac)]);
}

#[test]
fn what_is_answered_otherwise_is_one_of_the_cases() {
    for (name, why) in OTHERWISE {
        assert!(all().any(|case| case.0 == *name), "{name}: {why}");
    }
}

#[test]
fn addresses_that_an_advert_has_no_room_for_are_excluded_ones() {
    let addresses = |count: usize, of: &dyn Fn(usize) -> String| {
        let lines: Vec<String> = (1..=count).map(of).collect();
        format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n{}\n}}\n}}\n",
            lines.join("\n")
        )
    };
    let v4 = |index: usize| format!("10.1.{}.{}", index / 200, index % 200 + 1);
    let v6 = |index: usize| format!("fe80::{index:x}");
    for (text, advertised, excluded) in [
        (addresses(255, &v4), 255, 0),
        (addresses(300, &v4), 255, 45),
        (addresses(89, &v6), 89, 0),
        (addresses(90, &v6), 89, 1),
    ] {
        let loaded = read(&text);
        let counts = loaded.config.map(|config| {
            config.instances.first().map(|found| (found.addresses.len(), found.excluded_addresses.len()))
        });
        assert_eq!(counts, Some(Some((advertised, excluded))));
    }
}

#[test]
fn a_static_address_without_interface_goes_on_the_default_one() {
    for (global, interface) in [("", "eth0"), ("global_defs {\ndefault_interface lan\n}\n", "lan")] {
        let text = format!("static_ipaddress {{\n10.0.0.1\n}}\n{global}");
        let config = read(&text).config;
        let links: Vec<LinkTarget> = config
            .into_iter()
            .flat_map(|config| config.static_addresses)
            .map(|address| address.link)
            .collect();
        assert_eq!(links, [LinkTarget::Named(interface.into())]);
    }
}

#[test]
fn an_owner_in_a_group_takes_the_weights_of_what_the_group_tracks() {
    let text = "vrrp_sync_group G {\ngroup {\nA\nB\n}\nsync_group_tracking_weight\ntrack_interface {\neth1 weight 5\n}\n}\n\
                vrrp_instance A {\npriority 255\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n\
                vrrp_instance B {\ninterface eth0\nvirtual_router_id 2\nvirtual_ipaddress {\n10.0.0.2\n}\n}\n";
    let config = read(text).config;
    let weights: Vec<i32> = config
        .into_iter()
        .flat_map(|config| config.sync_groups)
        .flat_map(|group| group.tracking.interfaces)
        .map(|interface| interface.weight)
        .collect();
    assert_eq!(weights, [0]);
}

#[test]
fn directories_of_iproute2_hold_for_the_whole_configuration_wherever_they_are_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    for (name, text) in [("etc", "77 blue\n"), ("other", "78 red\n")] {
        std::fs::create_dir(path(name)).expect("made");
        std::fs::write(path(name) + "/rt_tables", text).expect("written");
    }
    let instance = |table: &str| {
        format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n\
             virtual_routes {{\n10.1.0.0/16 via 10.0.0.9 table {table}\n}}\n}}\n"
        )
    };
    let etc = |name: &str| format!("global_defs {{\niproute_etc_dir {}\n}}\n", path(name));
    for (text, good) in [
        (etc("etc") + &instance("blue"), true),
        (instance("blue") + &etc("etc"), true),
        // As in keepalived, the last one counts, for what stands above it too.
        (etc("other") + &instance("blue") + &etc("etc"), true),
        (etc("other") + &instance("red") + &etc("etc"), false),
        (instance("main") + &etc("etc"), true),
    ] {
        let loaded = read(&text);
        let wrong = mistakes(&loaded).iter().any(|said| said.code != "duplicate-keyword");
        assert_eq!(!wrong, good, "{}", loaded.diagnostics.render_text(false));
    }
}
