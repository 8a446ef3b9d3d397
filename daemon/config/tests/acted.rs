//! What is not on the list of what is not acted on reaches the model: writing the keyword changes it.
#![allow(clippy::expect_used)] // helpers of tests

use std::path::Path;

use keepwatch_config::schema::{BlockId, Body, Keyword, keywords};
use keepwatch_config::{Options, load_text};

/// A configuration with every block in it that a keyword may stand in; `EXTRA block` marks where.
fn base(block: BlockId, extra: &str) -> String {
    let at = |here: BlockId| if here == block { extra } else { "" };
    format!(
        "global_defs {{\n{}\n}}\nobservability {{\n{}\nhistory {{\n{}\n}}\n}}\n\
         vrrp_sync_group S {{\ngroup {{\nVI_1\nVI_2\n}}\n{}\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{}\n}}\n\
         vrrp_instance VI_2 {{\ninterface eth0\nvirtual_router_id 2\nvirtual_ipaddress {{\n10.0.0.2\n}}\n}}\n\
         vrrp_instance A {{\ninterface eth0\nvirtual_router_id 3\nvirtual_ipaddress {{\n10.0.0.3\n}}\nauthentication {{\nauth_type PASS\n\
         auth_pass x\n{}\n}}\n}}\n\
         vrrp_script chk {{\nscript \"/bin/true\"\n}}\n\
         virtual_server 10.0.0.1 80 {{\nlvs_sched sh\nlvs_method NAT\nprotocol UDP\nsorry_server 10.9.9.9 80\n\
         real_server 10.1.0.1 80 {{\nweight 9\nTCP_CHECK {{\nconnect_timeout 9\n{}\n}}\n{}\n}}\n{}\n}}\n{}\n",
        at(BlockId::Global),
        at(BlockId::Observability),
        at(BlockId::History),
        at(BlockId::SyncGroup),
        at(BlockId::Instance),
        at(BlockId::Authentication),
        at(BlockId::TcpCheck),
        at(BlockId::RealServer),
        at(BlockId::VirtualServer),
        at(BlockId::Root),
    )
}

fn model(text: &str) -> String {
    let options = Options { host_name: Some("lab".into()), scripts: false, ..Options::default() };
    format!("{:?}", load_text(Path::new("t"), text.into(), &options).config)
}

/// Keywords whose example changes nothing here, and why that is right.
const NO_CHANGE: &[(BlockId, &str, &str)] = &[
    (BlockId::Root, "vrrp_sync_group", "its example is what is there already"),
    (BlockId::Root, "vrrp_instance", "its example is what is there already"),
    (BlockId::Global, "random_seed", "only for `${_RANDOM}`"),
    (BlockId::Global, "include_check", "only for `include`"),
    (BlockId::Global, "reload_check_config", "what keepwatch does anyway"),
    (BlockId::Global, "tmp_config_directory", "keepwatch keeps no copy of the configuration"),
    (BlockId::Global, "linkbeat_use_polling", "old, and said to be so"),
    (BlockId::SyncGroup, "group", "its example is what is there already"),
    (BlockId::Instance, "interface", "its example is what is there already"),
    (BlockId::Instance, "preempt", "the default"),
    (BlockId::Instance, "accept", "the default"),
    (BlockId::Instance, "owner_ignore_adverts", "only with priority 255"),
    (BlockId::Instance, "linkbeat_use_polling", "old, and said to be so"),
    (BlockId::Instance, "thread_timer_expired", "old, and said to be so"),
    (BlockId::Authentication, "auth_type", "its example is what is there already"),
    (BlockId::Authentication, "auth_pass", "passwords are not shown"),
    (BlockId::VirtualServer, "ip_family", "only for firewall marks"),
    (BlockId::VirtualServer, "mh-port", "only with the scheduler mh"),
    (BlockId::VirtualServer, "mh-fallback", "only with the scheduler mh"),
    (BlockId::VirtualServer, "nat_mask", "of Linux 2.2"),
    (BlockId::VirtualServer, "hysteresis", "only with a quorum above 1"),
    (BlockId::VirtualServer, "weight", "only for real servers without"),
    (BlockId::VirtualServer, "sorry_server_lvs_method", "only after a sorry server"),
];

fn is_said_to_be_unbuilt(block: BlockId, keyword: &Keyword) -> bool {
    let options = Options { host_name: Some("lab".into()), scripts: false, ..Options::default() };
    let loaded = load_text(Path::new("t"), base(block, keyword.example), &options);
    loaded.diagnostics.iter().any(|diagnostic| {
        diagnostic.code == "not-acted-on" && diagnostic.message.contains(&format!("`{}`", keyword.name))
    })
}

#[test]
fn every_keyword_that_is_acted_on_reaches_the_model() {
    let blocks = [
        BlockId::Root,
        BlockId::Global,
        BlockId::Observability,
        BlockId::History,
        BlockId::SyncGroup,
        BlockId::Instance,
        BlockId::Authentication,
        BlockId::TcpCheck,
        BlockId::RealServer,
        BlockId::VirtualServer,
    ];
    let mut without_effect = Vec::new();
    for block in blocks {
        let before = model(&base(block, ""));
        for keyword in keywords(block) {
            let repeated_block = matches!(keyword.body, Body::Block(_)) && !keyword.repeats;
            let no_change =
                NO_CHANGE.iter().any(|(listed, name, _)| (*listed, *name) == (block, keyword.name));
            if no_change || repeated_block || is_said_to_be_unbuilt(block, keyword) {
                continue;
            }
            if model(&base(block, keyword.example)) == before {
                without_effect.push(format!("{block}: {}", keyword.example));
            }
        }
    }
    assert!(without_effect.is_empty(), "{}", without_effect.join("\n"));
}
