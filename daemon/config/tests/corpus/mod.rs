//! A thousand small configurations, valid ones and one for each kind of mistake, with the exit status that
//! Debian's keepalived 2.2.7 gives for `-t`.
//!
//! Each line of `cases.txt` is `STATUS|PLACE|TEXT`: the text is put in that place of an otherwise valid configuration.

/// A line of `cases.txt`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// What keepalived exits with.
    pub keepalived: i32,
    /// Where the text goes.
    pub place: &'static str,
    /// The text; `\n` is a line break.
    pub text: &'static str,
}

/// Where we and keepalived differ, and why that is right.
pub(crate) const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("root", r"vrrp_sync_group G {\n group {\n T\n }\n}", "a group of one member does no harm: a note"),
    (
        "global",
        "lvs_sync_daemon eth0 inst NOBODY",
        "keepalived notices only when it runs, and then synchronises nothing",
    ),
    (
        "instance",
        "notify_master \"/usr/bin/true",
        "keepalived leaves the line out; here it is read without its lone quote, and then its script is one that is run",
    ),
    ("vips", "224.0.0.1", "no interface can have a multicast address as a virtual one: it is left out"),
    ("global", "lvs_id X", "an old spelling that keepalived has forgotten and people's files have not"),
    (
        "instance",
        "lvs_sync_daemon_interface eth0",
        "old, but it does what it says: no reason to refuse the file",
    ),
    (
        "server",
        "hashed",
        "2.2.7 calls it a flag of the scheduler sh, which it is not; it has no effect either way",
    ),
    ("real", r"UDP_CHECK {\n payload 00ff\n}", "2.2.7 cannot read any payload without blanks; 2.4.3 can"),
    ("tcp", "nb_get_retry 3", "an old spelling that people's files are full of"),
    ("instance", r"priority 255\nowner_ignore_adverts", "newer than 2.2.7"),
    ("instance", "v3_checksum_as_v2", "newer than 2.2.7"),
    (
        "instance",
        r"virtual_routes {\n default via 10.1.0.254\n}",
        "2.2.7 warns that it does not track it; 2.4.3 does not",
    ),
    (
        "root",
        r"static_routes {\n 192.0.2.0/24 via 10.1.0.254 metric 5\n}",
        "2.2.7 warns that it does not track it; 2.4.3 does not",
    ),
    (
        "url",
        r#"regex "[""#,
        "no pattern: keepalived says so only when it runs, and its checkers then crash again and again",
    ),
    (
        "server",
        r"persistence_timeout 50\npersistence_granularity 255.255.0.255",
        "a netmask with a hole: keepalived takes it, and the kernel then mixes unrelated clients",
    ),
    (
        "raw",
        r"virtual_server group G {\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n real_server 10.2.0.1 80 {\n }\n}",
        "keepalived notices only when it runs that there is no such group",
    ),
];

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    include_str!("cases.txt").lines().filter_map(case).collect()
}

fn case(line: &'static str) -> Option<Case> {
    let (status, rest) = line.split_once('|')?;
    let (place, text) = rest.split_once('|')?;
    Some(Case { keepalived: status.parse().ok()?, place, text })
}

impl Case {
    /// Is it in [`DIFFERENCES`]?
    pub(crate) fn differs(&self) -> bool {
        DIFFERENCES.iter().any(|(place, text, _)| (*place, *text) == (self.place, self.text))
    }

    /// The whole configuration.
    pub(crate) fn configuration(&self) -> String {
        let text = self.text.replace(r"\n", "\n");
        let global =
            |more: &str| block("global_defs", &format!(" dynamic_interfaces\n script_user root\n{more}"));
        let secure = || global(" enable_script_security");
        match self.place {
            "root" => global("") + &text + "\n" + &instance("T", 7, "", ""),
            "global" => global(&text) + &instance("T", 7, "", ""),
            "instance" => global("") + &instance("T", 7, "", &text),
            "vips" => global("") + &instance("T", 7, &text, ""),
            "routes" => global("") + &instance("T", 7, "", &block("virtual_routes", &text)),
            "rules" => global("") + &instance("T", 7, "", &block("virtual_rules", &text)),
            "auth" => {
                let inner = format!(" auth_type PASS\n auth_pass 1111\n{text}");
                global("") + &instance("T", 7, "", &block("authentication", &inner))
            }
            "group" => {
                let group = block("vrrp_sync_group S", &format!(" group {{\n T\n U\n }}\n{text}"));
                global("") + &instance("T", 7, "", "") + &instance("U", 8, "", "") + &group
            }
            "script" => secure() + &tracked("vrrp_script", "script \"/usr/bin/true\"", "track_script", &text),
            "trackfile" => global("") + &tracked("track_file", "file /run/t", "track_file", &text),
            "process" => global("") + &tracked("vrrp_track_process", "process nginx", "track_process", &text),
            "bfd" => global("") + &tracked("bfd_instance", "neighbor_ip 192.0.2.2", "track_bfd", &text),
            "server" => global("") + &server("", &text),
            "real" => global("") + &server(&text, ""),
            "tcp" | "dns" | "ping" | "udp" | "smtp" => {
                global("") + &server(&block(&(self.place.to_uppercase() + "_CHECK"), &text), "")
            }
            "http" => {
                let inner = format!(" url {{\n path /\n status_code 200\n }}\n{text}");
                global("") + &server(&block("HTTP_GET", &inner), "")
            }
            "url" => global("") + &server(&block("HTTP_GET", &block("url", &format!(" path /\n{text}"))), ""),
            "misc" => {
                let inner = format!(" misc_path \"/usr/bin/true\"\n{text}");
                secure() + &server(&block("MISC_CHECK", &inner), "")
            }
            "file" => {
                let inner = format!(" track_file t\n{text}");
                global("") + "track_file t {\n file /run/t\n}\n" + &server(&block("FILE_CHECK", &inner), "")
            }
            _ => global("") + &text + "\n",
        }
    }
}

fn block(head: &str, inner: &str) -> String {
    format!("{head} {{\n{inner}\n}}\n")
}

fn instance(name: &str, number: u8, address: &str, more: &str) -> String {
    let inner = format!(
        " interface eth0\n virtual_router_id {number}\n virtual_ipaddress {{\n 10.1.0.{}\n{address}\n }}\n{more}",
        number - 6
    );
    block(&format!("vrrp_instance {name}"), &inner)
}

fn server(real: &str, more: &str) -> String {
    let inner = format!(
        " lvs_sched rr\n lvs_method NAT\n protocol TCP\n real_server 10.2.0.1 80 {{\n{real}\n }}\n{more}"
    );
    block("virtual_server 10.0.0.1 80", &inner)
}

/// Something that is tracked, and an instance that tracks it.
fn tracked(what: &str, first: &str, by: &str, text: &str) -> String {
    block(&format!("{what} t"), &format!(" {first}\n{text}")) + &instance("T", 7, "", &block(by, " t"))
}
