//! The examples of the manual page on advanced configuration, with other names and numbers: they expand to what it
//! says, also where keepalived 2.4.3 itself does not do it.

use std::path::Path;

use keepwatch_config::{Config, Options, load_text};

use crate::{options, words, words_after};

fn model(text: &str, id: &str) -> Config {
    let options = Options { config_id: Some(id.into()), ..options() };
    let loaded = load_text(Path::new("/etc/kw/test.conf"), text.to_owned(), &options);
    assert_eq!(loaded.diagnostics.errors(), 0, "{}", loaded.diagnostics.render_text(false));
    loaded.config.expect("it runs")
}

#[test]
fn one_file_serves_several_machines() {
    let text = "
global_defs {
    @first  router_id number_one
    @second router_id number_two
}
vrrp_instance VR {
    interface eth0
    virtual_router_id 9
    @first   unicast_src_ip 192.0.2.4
    @second  unicast_src_ip 192.0.2.5
    @third   unicast_src_ip 192.0.2.6
    unicast_peer {
        @^first   192.0.2.4
        @^second  192.0.2.5
        @^third   192.0.2.6
    }
    virtual_ipaddress { 192.0.2.9 }
}
";
    for (id, router_id, source, peers) in [
        ("first", "number_one", Some("192.0.2.4"), &["192.0.2.5", "192.0.2.6"][..]),
        ("second", "number_two", Some("192.0.2.5"), &["192.0.2.4", "192.0.2.6"]),
        ("other", "lab", None, &["192.0.2.4", "192.0.2.5", "192.0.2.6"]),
    ] {
        let config = model(text, id);
        assert_eq!(&*config.global.router_id, router_id);
        let instance = format!("{:?}", config.instances[0]);
        assert!(source.is_none_or(|source| instance.contains(source)), "{instance}");
        for peer in peers {
            assert!(instance.contains(peer), "{id}: {peer}");
        }
    }
}

#[test]
fn a_value_changes_with_what_it_uses() {
    let text = "$NET=172.16.${SUB}\n$SUB=1\n${NET}.50/24\n$SUB=21\n${NET}.50/24";
    assert_eq!(words(text), ["172.16.1.50/24", "172.16.21.50/24"]);
}

#[test]
fn definitions_and_conditions_work_together() {
    assert_eq!(words("@main $PRIO=210\n@spare $PRIO=190\npriority $PRIO"), ["priority", "210"]);
    // keepalived 2.4.3 leaves `@main` standing at the beginning of the line.
    assert_eq!(words_after("$ONLY=@main\n$SPARE=@spare", "$ONLY a 210\n$SPARE b 190"), ["a", "210"]);
}

#[test]
fn an_instance_is_written_once_for_several() {
    let text = "
$VR= \\
vrrp_instance VR_${NO} { \\
    interface eth0.${NO} \\
    use_vmac kw${NO} \\
    virtual_router_id 7 \\
    @main priority 140 \\
    @spare priority 110 \\
    advert_int 2 \\
    virtual_ipaddress { \\
        10.9.${NO}.1/24 \\
    } \\
    track_script { \\
        check_${NO} \\
    } \\
}

~SEQ(NO,3,4) vrrp_script check_${NO} { script /bin/true }

$NO=3
$VR

$NO=4
$VR
";
    for (id, priority) in [("main", 140), ("spare", 110), ("other", 100)] {
        let config = model(text, id);
        let instances = &config.instances;
        assert_eq!(instances.iter().map(|vr| &*vr.name).collect::<Vec<_>>(), ["VR_3", "VR_4"]);
        assert!(format!("{:?}", instances[1].priority).contains(&priority.to_string()), "{id}");
        assert!(format!("{:?}", instances[1]).contains("10.9.4.1"), "{id}");
    }
}

#[test]
fn nested_definitions_make_servers_with_their_real_servers() {
    // With the empty lines of the manual page, at which keepalived 2.4.3 ends the definition.
    let text = "
$REAL= \\
    real_server 10.1.${VS}.${RS} 80 { \\
        weight 2 \\
        MISC_CHECK { \\
            misc_path \"${_PWD}/check ${_INSTANCE}.${VS}.${RS}.0 10.2.${VS}.1:80->10.1.${VS}.${RS}:80\" \\
        } \\

        MISC_CHECK { \\
            misc_path \"${_PWD}/check ${_INSTANCE}.${VS}.${RS}.1\" \\
        } \\

        notify_up \"${_PWD}/tell ${VS}.${RS} UP\" \\

    }

$SERVER= \\
    virtual_server 10.2.${VS}.1 80 { \\
        lvs_method DR \\
        protocol TCP \\
        quorum 2 \\
        $RS=11 \\
        $REAL \\
        $RS=12 \\
        $REAL \\
        $RS=13 \\
        $REAL \\
    }

$VS=0
$NAME=some
$SERVER

$VS=1
$NAME=
$SERVER
";
    let config = model(text, "main");
    assert_eq!(config.virtual_servers.len(), 2);
    for (n, server) in config.virtual_servers.iter().enumerate() {
        let reals: Vec<String> = server.real_servers.iter().map(|real| format!("{real:?}")).collect();
        assert_eq!(reals.len(), 3);
        for (real, text) in (11..).zip(&reals) {
            assert!(text.contains(&format!("10.1.{n}.{real}")), "{text}");
            assert!(text.contains(&format!("main.{n}.{real}.0")), "{text}");
            assert!(text.contains(&format!("10.2.{n}.1:80->10.1.{n}.{real}:80")), "{text}");
            assert!(text.contains(&format!("main.{n}.{real}.1")), "{text}");
        }
    }
}

#[test]
fn sequences_make_addresses() {
    assert_eq!(words("~SEQ(NET, 4, 7) 10.8.${NET}.1"), ["10.8.4.1", "10.8.5.1", "10.8.6.1", "10.8.7.1"]);
    let expected = ["fd00::a0:1", "fd00::b0:1", "fd00::c0:1"];
    assert_eq!(words("~SEQx(NET, 160, 16, 192) fd00::${NET}:1"), expected);
    assert_eq!(words("~SEQx(NET, 0xa0, 0x10, 0xc0) fd00::${NET}:1"), expected);
    assert_eq!(
        words("~SEQx(A, 0xa0, 0x10, 0xb0) ~SEQx(B, 0x11, -1, 0x0f) fd01::${A}:${B}"),
        ["fd01::a0:11", "fd01::a0:10", "fd01::a0:f", "fd01::b0:11", "fd01::b0:10", "fd01::b0:f"]
    );
}

#[test]
fn sixty_five_thousand_instances_come_out_of_one_line() {
    let text = "
$VR= \\
track_file offset.${A}.${B}.${C} { \\
    file \"${_PWD}/offsets/${A}.${B}.${C}\" \\
    weight -100 \\
} \\
vrrp_instance vr.${A}.${B}.${C} { \\
    interface bond${A}.${B} \\
    use_vmac vr.${A}.${B}.${C} \\
    virtual_router_id ${C} \\
    priority 130 \\
    virtual_ipaddress { \\
        10.${A}.${B}.${C}/24 \\
    } \\
    track_file { \\
        offset.${A}.${B}.${C} \\
    } \\
}

~SEQ(A,0,7) ~SEQ(B,0,31) ~SEQ(C,1,254) $VR
";
    let config = model(text, "main");
    assert_eq!(config.instances.len(), 8 * 32 * 254);
    assert_eq!(config.instances.len(), 65_024);
    assert_eq!(&*config.instances[0].name, "vr.0.0.1");
    assert_eq!(&*config.instances[65_023].name, "vr.7.31.254");
}

#[test]
fn lists_stand_beside_and_within_each_other() {
    assert_eq!(
        words("~LST({A, B}, {30,3},{40,4},{5,6}) 10.1.${A}.${B}"),
        ["10.1.30.3", "10.1.40.4", "10.1.5.6"]
    );
    assert_eq!(words("~LST(A, 1, 2) ~LST(B, 7,8,9) ${A}.${B}"), ["1.7", "1.8", "1.9", "2.7", "2.8", "2.9"]);
    assert_eq!(
        words("~LST({A, B}, {30,3},{40,4}) ~SEQ(C,16,2,20) 10.${C}.${A}.${B}"),
        ["10.16.30.3", "10.18.30.3", "10.20.30.3", "10.16.40.4", "10.18.40.4", "10.20.40.4"]
    );
}
