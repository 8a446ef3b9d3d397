//! BFD sessions, and what virtual routers track: scripts, files, processes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keepwatch_config::{Options, load_text};
use serde_json::{Value, json};

use crate::reading::options;
use crate::{Case, check, codes, read};

#[test]
fn bfd_sessions() {
    let cases: &[Case] = &[
        ("neighbor_ip 192.0.2.2", &[], 0, "/bfd_sessions/0", || {
            json!({
                "name": "B", "neighbour": "192.0.2.2", "source": null, "min_rx": 0.01, "min_tx": 0.01, "idle_tx": 1,
                "multiplier": 5, "passive": false, "ttl": 255, "max_hops": {"most": 0}, "multihop": false,
                "weight": 0, "reverse": false, "for_vrrp": true, "for_checkers": true,
            })
        }),
        ("neighbour_ip 2001:db8::2", &[], 0, "/bfd_sessions/0/ttl", || json!(64)),
        (
            "neighbor_ip 2001:db8::2\nmax_hops 65",
            &["out-of-range"],
            5,
            "/bfd_sessions/0/max_hops",
            || json!({"most": 64}),
        ),
        ("neighbor_ip 192.0.2.2\nmax_hops -1", &[], 0, "/bfd_sessions/0/max_hops", || json!("any")),
        (
            "neighbor_ip 2001:db8::2\nmax_hops -1",
            &["out-of-range"],
            5,
            "/bfd_sessions/0/max_hops",
            || json!({"most": 64}),
        ),
        ("neighbor_ip 192.0.2.2\nvrrp", &[], 0, "/bfd_sessions/0/for_checkers", || json!(false)),
        ("neighbor_ip 192.0.2.2\nweight -5 reverse", &[], 0, "/bfd_sessions/0/reverse", || json!(true)),
        (
            "neighbor_ip 192.0.2.2\nweight -5 sideways",
            &["unknown-option"],
            5,
            "/bfd_sessions/0/weight",
            || json!(-5),
        ),
        ("neighbor_ip 192.0.2.2\nmin_rx 0.5", &["out-of-range"], 5, "/bfd_sessions/0/min_rx", || json!(0.01)),
        ("source_ip 192.0.2.1", &["missing-neighbour"], 5, "/bfd_sessions", || json!([])),
        // As of servers: what stands after a `/` is no part of the address.
        ("neighbor_ip 192.0.2.2/24", &["no-effect"], 0, "/bfd_sessions/0/neighbour", || json!("192.0.2.2")),
        ("neighbor_ip nowhere", &["invalid-address"], 5, "/bfd_sessions", || json!([])),
        ("neighbor_ip fe80::1%eth0", &["invalid-address"], 5, "/bfd_sessions", || json!([])),
        ("neighbor_ip 192.0.2.2\nsource_ip 2001:db8::1", &["family-mix"], 5, "/bfd_sessions", || json!([])),
        (
            "neighbor_ip 192.0.2.2\n}\nbfd_instance C {\nneighbor_ip 192.0.2.2",
            &["duplicate-server"],
            5,
            "/bfd_sessions/0/name",
            || json!("B"),
        ),
        // Not by the neighbour alone: two ways to one neighbour are two sessions.
        (
            "neighbor_ip 192.0.2.2\nsource_ip 192.0.2.1\n}\nbfd_instance C {\nneighbor_ip 192.0.2.2\nsource_ip 192.0.2.3",
            &[],
            0,
            "/bfd_sessions/1/name",
            || json!("C"),
        ),
        ("neighbor_ip 192.0.2.2\nidle_tx 700", &["out-of-range"], 5, "/bfd_sessions/0/idle_tx", || json!(1)),
    ];
    check(cases, |text| format!("bfd_instance B {{\n{text}\n}}\n"));
}

#[test]
fn tracked_scripts() {
    let cases: &[Case] = &[
        ("script /bin/true", &[], 0, "/track_scripts/0/timeout", || json!(1)),
        ("script /bin/true\ninterval 3", &[], 0, "/track_scripts/0/timeout", || json!(3)),
        ("script /bin/true\ninterval 0", &["out-of-range"], 5, "/track_scripts/0/interval", || json!(1)),
        ("script /bin/true\ninterval 0.0015", &["invalid-number"], 5, "/track_scripts/0/interval", || {
            json!(0.002)
        }),
        ("script /bin/true\nuser root root", &[], 0, "/track_scripts/0/script", || {
            json!({
                "argv": ["/bin/true"],
                "user": {"name": "root", "group": "root", "supplementary_groups": false},
            })
        }),
        ("script /bin/true root", &["extra-words"], 0, "/track_scripts/0/script/user", || json!(null)),
        ("script /bin/true\nweight 254", &["out-of-range"], 5, "/track_scripts/0/weight", || json!(253)),
        ("script /bin/true\nweight -300 reverse", &["out-of-range"], 5, "/track_scripts/0/weight", || {
            json!(-253)
        }),
        (
            "script /bin/true\nweight -99999999999999999999",
            &["out-of-range"],
            5,
            "/track_scripts/0/weight",
            || json!(-253),
        ),
        ("script /bin/true\nweight much", &["invalid-number"], 5, "/track_scripts/0/weight", || json!(0)),
        ("interval 1", &["missing-script"], 5, "/track_scripts", || json!([])),
    ];
    check(cases, |text| format!("vrrp_script S {{\n{text}\n}}\n"));
}

#[test]
fn who_runs_scripts_that_name_nobody() {
    let user = |name: &str, group: Option<&str>, supplementary_groups: bool| json!({"name": name, "group": group, "supplementary_groups": supplementary_groups});
    let rest = "startup_script /s\nshutdown_script /s own\nnotify_fifo /f\n}\nvrrp_script S {\nscript /s\n}\n\
                vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nnotify /s\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n\
                virtual_server 10.0.0.1 80 {\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\nquorum_up /s\n\
                real_server 10.1.0.1 80 {\nnotify_down /s\nMISC_CHECK {\nmisc_path /s\n}\n}\n}\n";
    for (written, inherited, own) in [
        ("", Value::Null, user("own", None, false)),
        ("script_user u g", user("u", Some("g"), false), user("own", None, false)),
        ("script_user u :g", user("u", Some("g"), true), user("own", None, false)),
        ("script_user u :", user("u", None, true), user("own", None, false)),
        ("script_user u\nset_supplementary_groups", user("u", None, true), user("own", None, true)),
    ] {
        let model = read(&format!("global_defs {{\n{written}\n{rest}")).config.expect("it runs").to_json();
        assert_eq!(model["global"]["shutdown_script"]["user"], own, "{written}");
        for pointer in [
            "/global/startup_script/user",
            "/global/notify_fifos/all/owner",
            "/track_scripts/0/script/user",
            "/instances/0/notify/any/user",
            "/virtual_servers/0/quorum_up/user",
            "/virtual_servers/0/real_servers/0/notify_down/user",
            "/virtual_servers/0/real_servers/0/checkers/0/kind/script/user",
        ] {
            assert_eq!(model.pointer(pointer), Some(&inherited), "{written}: {pointer}\n{model:#}");
        }
    }
}

#[test]
fn tracked_files() {
    let cases: &[Case] = &[
        (
            "file /run/f",
            &[],
            0,
            "/track_files/0",
            || json!({"name": "F", "file": "/run/f", "weight": 1, "reverse": false, "init": null}),
        ),
        ("file /run/f\ninit_file", &[], 0, "/track_files/0/init", || json!({"value": 0, "overwrite": false})),
        (
            "file /run/f\ninit_file 5 overwrite",
            &[],
            0,
            "/track_files/0/init",
            || json!({"value": 5, "overwrite": true}),
        ),
        ("file /run/f\ninit_file 255", &["out-of-range"], 5, "/track_files/0/init/value", || json!(255)),
        ("file /run/f\ninit_file often", &["unknown-option"], 5, "/track_files/0/init/value", || json!(0)),
        ("file /run/f\nweight 1 noreverse", &["unknown-option"], 5, "/track_files/0/weight", || json!(1)),
        ("file /run/f\nfile /run/g", &["duplicate-keyword"], 5, "/track_files/0/file", || json!("/run/f")),
        ("weight 1", &["missing-file"], 5, "/track_files", || json!([])),
    ];
    check(cases, |text| format!("track_file F {{\n{text}\n}}\n"));
}

#[test]
fn tracked_processes() {
    let cases: &[Case] = &[
        ("process p", &[], 0, "/track_processes/0", || {
            json!({
                "name": "P", "program": "p", "arguments": [], "matching": null, "full_command": false, "weight": 0,
                "reverse": false, "quorum": 1, "quorum_max": null, "fork_delay": 0, "terminate_delay": 0,
            })
        }),
        ("process p -a", &[], 0, "/track_processes/0/matching", || json!("exact")),
        ("process p -a", &[], 0, "/track_processes/0/full_command", || json!(true)),
        ("process p -a\nparam_match partial", &[], 0, "/track_processes/0/matching", || json!("partial")),
        ("process p\nparam_match", &[], 0, "/track_processes/0/full_command", || json!(true)),
        ("process p\nquorum_max 0", &[], 0, "/track_processes/0/quorum", || json!(0)),
        (
            "process p\nquorum 2\nquorum_max 1",
            &["quorum-too-high"],
            5,
            "/track_processes/0/quorum_max",
            || json!(null),
        ),
        ("process p\nquorum_max 1\nquorum 2", &["quorum-too-high"], 5, "/track_processes/0/quorum", || {
            json!(1)
        }),
        ("process p\ndelay 2\nfork_delay 1", &[], 0, "/track_processes/0/terminate_delay", || json!(2)),
        ("quorum 1", &["missing-process"], 5, "/track_processes", || json!([])),
    ];
    check(cases, |text| format!("vrrp_track_process P {{\n{text}\n}}\n"));
}

#[test]
fn a_file_that_cannot_be_tracked_is_left_out() {
    let options = Options { scripts: true, ..options() };
    let directory = tempfile::tempdir().unwrap();
    let nowhere = format!("file {}/none/f", directory.path().display());
    for (lines, expected) in [
        (&*nowhere, &["missing-file"][..]),
        ("file /proc/f", &["unusable-file"]),
        ("file /dev/null", &[]),
        ("file /dev/null\ninit_file 5", &[]),
        ("file /dev/null\ninit_file 5 overwrite", &["unusable-file"]),
        ("init_file overwrite\nfile /dev/null", &["unusable-file"]),
    ] {
        let text = format!("track_file F {{\n{lines}\n}}\n");
        let loaded = load_text(Path::new("test.conf"), text, &options);
        assert_eq!(codes(&loaded), expected, "{lines}");
        let kept = loaded.config.expect("it runs").track_files.len();
        assert_eq!(kept, usize::from(expected.is_empty()), "{lines}");
    }
}

#[test]
fn what_is_left_out_is_not_missed_where_it_is_tracked() {
    let text = "bfd_instance B {\n}\nvrrp_script S {\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 1\n\
                virtual_ipaddress {\n10.0.0.1\n}\ntrack_bfd {\nB\n}\ntrack_script {\nS\n}\n}\n";
    let loaded = read(text);
    assert_eq!(codes(&loaded), ["missing-neighbour", "missing-script"]);
    let config = loaded.config.expect("it runs");
    assert!(config.instances[0].tracking.scripts.is_empty());
    let [script] = &*config.left_out_scripts else { panic!("{:?}", config.left_out_scripts) };
    assert_eq!((&*script.name, &*script.why), ("S", "it has no `script`"));
    assert_eq!(script.followers, ["V".into()]);
}

#[test]
fn a_script_that_is_left_out_does_not_take_away_another_of_its_name() {
    let text = "vrrp_script S {\n}\nvrrp_script S {\nscript /bin/true\nweight 7\n}\nvrrp_instance V {\ninterface eth0\n\
                virtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\ntrack_script {\nS\n}\n}\n";
    let config = read(text).config.expect("it runs");
    assert!(config.left_out_scripts.is_empty());
    assert_eq!(config.instances[0].tracking.scripts[0].weight, 7);
}

#[test]
fn a_block_that_is_left_out_leaves_its_name_to_the_next() {
    let text = "bfd_instance B {\n}\nbfd_instance B {\nneighbor_ip 192.0.2.2\n}\nvrrp_script S {\n}\n\
                vrrp_script S {\nscript /bin/true\n}\ntrack_file F {\n}\ntrack_file F {\nfile /run/f\n}\n\
                vrrp_track_process P {\n}\nvrrp_track_process P {\nprocess p\n}\n\
                vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n\
                track_bfd {\nB\n}\ntrack_script {\nS\n}\ntrack_file {\nF\n}\ntrack_process {\nP\n}\n}\n";
    let loaded = read(text);
    assert_eq!(codes(&loaded), ["missing-neighbour", "missing-script", "missing-file", "missing-process"]);
    let tracking = loaded.config.expect("it runs").instances[0].tracking.clone();
    let names = [&tracking.bfds, &tracking.scripts, &tracking.files, &tracking.processes];
    assert_eq!(
        names.map(|objects| objects.iter().map(|o| &*o.name).collect::<String>()),
        ["B", "S", "F", "P"]
    );
}

#[test]
fn a_word_that_is_no_option_of_a_weight_voids_the_line_of_some() {
    for (keyword, kept) in [("track_script", 1), ("track_process", 1), ("track_file", 0), ("track_bfd", 0)] {
        let text = format!(
            "bfd_instance X {{\nneighbor_ip 192.0.2.2\n}}\nvrrp_script X {{\nscript /bin/true\n}}\n\
             track_file X {{\nfile /run/f\n}}\nvrrp_track_process X {{\nprocess p\n}}\n\
             vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n\
             {keyword} {{\nX weight 5 often\n}}\n}}\n"
        );
        let loaded = read(&text);
        assert_eq!(codes(&loaded), ["unknown-option"], "{keyword}");
        let tracking = loaded.config.expect("it runs").instances[0].tracking.clone();
        let objects = [&tracking.bfds, &tracking.scripts, &tracking.files, &tracking.processes];
        assert_eq!(objects.iter().map(|objects| objects.len()).sum::<usize>(), kept, "{keyword}");
    }
}

#[test]
fn two_things_that_one_text_lacks_are_two_diagnostics() {
    let loaded = read("virtual_server 10.0.0.1 80 {\nreal_server 10.1.0.1 80 {\n}\n}\n");
    let said: Vec<(&str, usize)> = loaded.diagnostics.iter().map(|d| (d.code, d.repeated)).collect();
    assert_eq!(said, [("default-used", 0), ("default-used", 0), ("default-used", 0)]);
}

#[test]
fn a_tracked_script_that_cannot_be_run_is_not_tracked() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("check");
    std::fs::write(&path, "#!/bin/sh\n").expect("written");
    let mode = |mode| std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
    let missing = directory.path().join("missing");
    mode(0o777);
    let closed = directory.path().join("closed");
    std::fs::create_dir(&closed).expect("made");
    let (hidden, own) = (closed.join("check"), directory.path().join("own"));
    for (copy, mode) in [(&hidden, 0o755), (&own, 0o700)] {
        std::fs::copy(&path, copy).expect("copied");
        std::fs::set_permissions(copy, Permissions::from_mode(mode)).expect("set");
    }
    let windows = directory.path().join("windows");
    std::fs::write(&windows, "#!/bin/sh\r\nexit 0\r\n").expect("written");
    std::fs::set_permissions(&windows, Permissions::from_mode(0o755)).expect("set");
    std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("set");
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("set");
    for (user, script, said, exit_status, tracked) in [
        ("root", &missing, "script-not-found", 5, 0),
        ("root", &directory.path().to_path_buf(), "script-not-executable", 5, 0),
        ("root", &path, "script-insecure", 5, 0),
        ("nobody", &hidden, "script-not-executable", 5, 0),
        ("nobody", &own, "script-not-executable", 0, 0),
        ("root", &windows, "script-interpreter", 0, 0),
        ("nobody", &"/bin/true".into(), "", 0, 1),
    ] {
        let text = format!(
            "global_defs {{\nenable_script_security\nscript_user {user}\n}}\n\
             vrrp_script S {{\nscript {}\n}}\nvrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\n\
             virtual_ipaddress {{\n10.0.0.1\n}}\ntrack_script {{\nS\n}}\n}}\n",
            script.display()
        );
        let loaded = load_text(Path::new("t"), text, &Options::default());
        let expected: Vec<&str> = Some(said).into_iter().filter(|said| !said.is_empty()).collect();
        assert_eq!(codes(&loaded), expected, "{user} {}", script.display());
        assert_eq!(loaded.diagnostics.exit_status(), exit_status, "{said}");
        let text = loaded.diagnostics.render_text(false);
        assert_eq!(text.contains("`V` goes on without this check"), tracked == 0, "{text}");
        let config = loaded.config.expect("it runs");
        assert_eq!(
            (config.track_scripts.len(), config.instances[0].tracking.scripts.len()),
            (tracked, tracked)
        );
    }
    // What a check only reads may be anybody's.
    let text = format!(
        "global_defs {{\nenable_script_security\nscript_user root\n}}\n\
         vrrp_script S {{\nscript \"/bin/grep -q 99999 {}\"\n}}\n",
        path.display()
    );
    let loaded = load_text(Path::new("t"), text, &Options::default());
    assert_eq!((codes(&loaded), loaded.diagnostics.exit_status()), (vec![], 0));
    assert_eq!(loaded.config.expect("it runs").track_scripts.len(), 1);
    mode(0o644);
    let text = format!(
        "global_defs {{\nenable_script_security\nscript_user root\n}}\nvrrp_script S {{\nscript {}\n}}\n",
        path.display()
    );
    let loaded = load_text(Path::new("t"), text, &Options::default());
    assert_eq!((codes(&loaded), loaded.diagnostics.exit_status()), (vec!["script-not-executable"], 0));
}

#[test]
fn what_a_script_user_that_there_is_not_should_run_is_run_by_nobody() {
    let text = "global_defs {\nenable_script_security\nscript_user kw-there-is-none\n}\nvrrp_script S {\nscript /bin/true\n}\n\
                vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n\
                notify /bin/true\ntrack_script {\nS\n}\n}\n";
    let options = Options { scripts: true, ..crate::reading::options() };
    let loaded = load_text(Path::new("test.conf"), text.to_owned(), &options);
    assert_eq!(codes(&loaded), ["unknown-user"], "{}", loaded.diagnostics.render_text(false));
    let config = loaded.config.expect("it runs");
    assert_eq!(config.track_scripts, []);
    let instance = config.instances.first().expect("an instance");
    assert_eq!(instance.tracking.scripts, []);
    let user = instance.notify.any.as_ref().and_then(|script| script.user.as_ref());
    assert_eq!(user.map(|user| &*user.name), Some("kw-there-is-none"));
}
