//! The model is read back from what it is written as: facts and their history stand on that.

#![allow(clippy::expect_used)] // helpers of tests

mod reading;

use keepwatch_config::Config;

const SEEDS: &[&str] = &[
    include_str!("seeds/000-multi-lvs_1.conf"),
    include_str!("seeds/004-mixed.conf"),
    include_str!("seeds/004-ssl_get.conf"),
    include_str!("seeds/004-vmac-1.conf"),
    include_str!("seeds/published-001-master.conf"),
    include_str!("real/edge-routers.conf"),
    include_str!("real/web-director.conf"),
    include_str!("real/mail-and-dns.conf"),
    include_str!("real/many-vlans.conf"),
    EVERY_KIND,
];

/// What the others do not have: each kind of checker, route, tunnel, key and so on.
const EVERY_KIND: &str = "global_defs {
    smtp_server mail.example.com 587
    lvs_timeouts tcp 7200 udp 300
    lvs_flush_on_stop VS
    net_namespace_ipvs other
}
SSL {
    password hunter22
}
virtual_server_group G {
    10.0.0.1-3 80
    fwmark 5 inet6
}
virtual_server group G {
    protocol TCP
    lvs_method TUN type gue port 5000 csum
    quorum_up \"/bin/true up\"
    sorry_server 10.1.0.9 80
    real_server 10.1.0.1 {
        HTTP_GET {
            http_protocol 1.1
            url {
                path /
                digest 0c90a42b99ea9a2f5ecbe213ac9eba03
                status_code 200-204 401
                regex \"^ok\"
                regex_options caseless dotall
            }
        }
        SSL_GET {
            enable_sni
            url {
                path /
            }
        }
        SMTP_CHECK {
        }
        DNS_CHECK {
            type AAAA
            name www.example.com
        }
        MISC_CHECK {
            misc_path /bin/true
            misc_dynamic
        }
        PING_CHECK {
            fwmark 3
        }
        UDP_CHECK {
            payload 0102
            require_reply 01X2
        }
        TCP_CHECK {
            bindto 10.1.0.100
        }
    }
}
virtual_server fwmark 7 {
    ip_family inet6
    lvs_method DR
}
vrrp_instance A {
    interface eth0
    virtual_router_id 1
    priority 120
    use_vmac vrrp.1 xmit_base
    authentication {
        auth_type AH
        auth_pass hunter22
    }
    virtual_ipaddress {
        10.0.0.1/24 dev eth1 label eth1:vip scope link
        10.0.0.2 peer 10.0.0.3/32
    }
    virtual_routes {
        192.0.2.0/24 via 10.0.0.254 table 5 metric 7
        unreachable 198.51.100.0/24
        203.0.113.0/24 nexthop via 10.0.0.7 weight 2 nexthop via 10.0.0.8
        2001:db8::/64 encap ip6 id 3 dst fd00::1 dev eth0 expires 60
    }
    virtual_rules {
        from 10.0.0.0/8 to 192.0.2.1 fwmark 0x5/0xff table 5 preference 9
    }
    track_interface {
        eth2 weight -5 reverse
    }
    notify_master \"/bin/true a b\" nobody
}
vrrp_instance B {
    interface eth0
    virtual_router_id 2
    auth_hmac sha256 {
        key 1 0123456789abcdef0123456789abcdef
        active_key 1
    }
    unicast_peer {
        10.0.0.9 min_ttl 250
    }
    virtual_ipaddress {
        10.0.0.5
    }
}
vrrp_sync_group VG {
    group {
        A
        B
    }
}
";

#[test]
fn what_is_written_of_a_configuration_reads_back_as_the_same() {
    for seed in SEEDS {
        let config = reading::read(seed).config.expect("it can run");
        let written = serde_json::to_value(&config).expect("JSON");
        let again: Config = serde_json::from_value(written.clone()).expect("what was written");
        // Secrets are not written: a second writing, which does not show them either, says whether the rest is the same.
        assert!(serde_json::to_value(&again).expect("JSON") == written, "{seed}");
        for (instance, again) in config.instances.iter().zip(&again.instances) {
            assert_eq!(instance.addresses, again.addresses);
            assert_eq!(instance.routes, again.routes);
            assert_eq!(instance.tracking, again.tracking);
        }
        assert!(config.virtual_servers == again.virtual_servers, "{seed}");
        assert!(config.sync_groups == again.sync_groups, "{seed}");
        assert!(config.global == again.global, "{seed}");
    }
}

#[test]
fn no_secret_of_a_configuration_is_written_or_printed() {
    let config = reading::read(EVERY_KIND).config.expect("it can run");
    for text in [serde_json::to_string(&config).expect("JSON"), format!("{config:?}")] {
        assert!(!text.contains("hunter22") && !text.contains("abcdef"), "{text}");
        // Nor as a list of bytes: `104, 117, 110, 116` is `hunt`.
        assert!(!text.replace(' ', "").contains("104,117,110,116"), "{text}");
    }
    assert_eq!(
        config.instances.iter().map(|instance| instance.group.as_deref()).collect::<Vec<_>>(),
        [Some("VG"); 2]
    );
}
