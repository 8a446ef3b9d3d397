//! `keepwatch fmt`: canonical layout, comments kept, meaning unchanged, nothing more to do the second time.

#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use keepwatch_config::format;

const SEEDS: &[&str] = &[
    include_str!("seeds/000-multi-lvs_1.conf"),
    include_str!("seeds/001-master.conf"),
    include_str!("seeds/002-master.conf"),
    include_str!("seeds/004-failover.conf"),
    include_str!("seeds/004-mixed.conf"),
    include_str!("seeds/004-ssl_get.conf"),
    include_str!("seeds/004-vmac-1.conf"),
    include_str!("seeds/published-001-master.conf"),
    include_str!("seeds/published-002-master.conf"),
    include_str!("seeds/published-002-backup.conf"),
    include_str!("real/edge-routers.conf"),
    include_str!("real/web-director.conf"),
    include_str!("real/mail-and-dns.conf"),
    include_str!("real/many-vlans.conf"),
];

fn meaning(text: &str) -> String {
    let loaded = reading::read(text);
    format!("{:?} {}", reading::codes(&loaded), serde_json::to_string(&loaded.config).expect("JSON"))
}

fn comments(text: &str) -> Vec<String> {
    let comment = |line: &str| line.find(['#', '!']).map(|at| line[at..].trim_end().to_owned());
    text.lines().filter_map(comment).collect()
}

#[test]
fn the_seeds_keep_their_meaning_and_their_comments() {
    for seed in SEEDS {
        let formatted = format(seed);
        assert_eq!(meaning(&formatted), meaning(seed), "{formatted}");
        assert_eq!(comments(&formatted), comments(seed));
        assert_eq!(format(&formatted), formatted);
    }
}

#[test]
fn layout_is_canonical() {
    let untidy = "\n\nvrrp_instance   VI_1{ # first\n  state\tMASTER\n\n\n# own line\n  virtual_ipaddress\n\n  { 10.0.0.1   10.0.0.2 } }\nglobal_defs { router_id \"a  b\" }\n";
    let expected = "vrrp_instance VI_1 {  # first
    state MASTER

    # own line
    virtual_ipaddress {
        10.0.0.1 10.0.0.2
    }
}
global_defs {
    router_id \"a  b\"
}
";
    assert_eq!(format(untidy), expected);
}

#[test]
fn lines_that_must_stay_whole_do() {
    let text = "@main vrrp_instance A { interface eth0 }\n$X= \\\n  group {\\\n  a \\\n}\n~SEQ(N, 1, 2)  foo ${N} { bar }\nnotify_master \"/x  {y}\"  'a  b'\n";
    let formatted = format(text);
    for line in [
        "@main vrrp_instance A { interface eth0 }",
        "~SEQ(N, 1, 2)  foo ${N} { bar }",
        "notify_master \"/x  {y}\" 'a  b'",
    ] {
        assert!(formatted.contains(line), "{formatted}");
    }
    assert_eq!(format(&formatted), formatted);
}

#[test]
fn definitions_over_several_lines_keep_their_meaning() {
    let text = "$G= \\\nglobal_defs { \\\n# remark\n notification_email { \\\n a \\\n\n b \\\n } \\\n}\n$X= \\\n router_id r \\\n\n$Y=1\n$G\n";
    let formatted = format(text);
    assert_eq!(meaning(&formatted), meaning(text), "{formatted}");
    assert_eq!(format(&formatted), formatted);
}

#[test]
fn braces_too_many_or_too_few_do_not_upset_it() {
    for text in ["}\n}\na {\n", "{{{\n", "} } {", "a { b", "", "a \"\\\"\"{\"b\"! c\n"] {
        let formatted = format(text);
        assert_eq!(format(&formatted), formatted, "{text:?}");
    }
}

#[test]
fn what_is_said_of_mistakes_stays_the_same() {
    let text = include_str!("real/web-director.conf");
    for (from, to) in [
        ("virtual_router_id 60", "virtual_ruoter_id 60"),
        ("priority 200", "priority 300"),
        ("advert_int 1", "advert_int = 1;"),
        ("persistence_timeout 60", "persistence_timeout"),
        ("quorum 2", "quorum 2 3"),
        ("delay_loop 15", "state MASTER"),
        ("omega", "omega { }"),
    ] {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text, "{from}");
        assert_eq!(meaning(&format(&wrong)), meaning(&wrong), "{to}");
    }
}

#[test]
fn whatever_a_layout_is_like_its_meaning_stays() {
    for odd in [
        "global_defs { # a\nrouter_id   \"LB 1\"    # b\n  ! c\n} # d\n$IF=eth0\n# e\n~SEQ(N, 1, 3) vrrp_script s$N {\n}\n",
        "@lb vrrp_script q {\n@lb   script \"/bin/true # x\" \n@lb }\n@^lb vrrp_script q {\n@^lb script /bin/true\n@^lb }\n",
        "vrrp_script x {\nscript \"a # b ! c\"\n# {\ninterval 2 # }\n}\nstatic_routes\n{\n10.0.0.0/8   via  10.1.1.1 ! x\n}\n",
        "vrrp_instance A\n\n# c\n{\ninterface eth0\nvirtual_router_id 1\nauthentication { auth_type PASS\nauth_pass k@l!ve1\n} virtual_ipaddress { 10.0.0.1\n 10.0.0.2 } }\n",
        "global_defs {\n@a router_id x\n@^a router_id y\n}\n$X=1\n$Y=$X \\\n two  \\\n# in it\n three\n$Z=\n",
        "observability {\nlisten 127.0.0.1:1\nhistory { $A= \\\nevents 5 }\n}\n}\nglobal_defs { @a router_id x\n}\n",
        "global_defs {\nrouter_id a\n}\nvrrp_sync_group G# c\n{\ngroup# d\n{\nA\n}\n}\n",
    ] {
        let formatted = format(odd);
        assert_eq!(meaning(&formatted), meaning(odd), "{formatted}");
        assert_eq!(comments(&formatted), comments(odd));
        assert_eq!(format(&formatted), formatted);
    }
}
