//! Lines that people know from keepalived's log, word for word: they grep for them. A line is made of the JSON of its fact.

use keepwatch_bus::Event;
use keepwatch_bus::line::Level;

fn line(fact: &str) -> (Level, String) {
    let event = format!(r#"{{"id":1,"at":"2026-11-21T00:00:00Z","mono":1,{fact}}}"#);
    let event: Event = serde_json::from_str(&event).unwrap_or_else(|error| panic!("{error}: {event}"));
    let line = event.line().unwrap_or_else(|| panic!("no line: {fact}"));
    (line.level, line.text)
}

/// Facts of virtual routers; `Detail` is what keepalived says with `-D` only.
#[test]
fn of_virtual_routers_they_read_as_keepalived_s() {
    use Level::{Detail, Info, Warning};
    let cases = [
        (
            r#""kind":"state_changed","instance":"VI_1","from":"INIT","to":"BACKUP","priority":100"#,
            Info,
            "(VI_1) Entering BACKUP STATE (init)",
        ),
        (
            r#""kind":"state_changed","instance":"VI_1","from":"BACKUP","to":"MASTER","priority":100"#,
            Info,
            "(VI_1) Entering MASTER STATE",
        ),
        (
            r#""kind":"state_changed","instance":"VI_1","from":"MASTER","to":"FAULT","priority":100"#,
            Info,
            "(VI_1) Entering FAULT STATE",
        ),
        (
            r#""kind":"group_state_changed","group":"G1","from":"BACKUP","to":"MASTER""#,
            Info,
            "VRRP_Group(G1) Syncing instances to MASTER state",
        ),
        (
            r#""kind":"priority_changed","instance":"VI_1","from":100,"to":80"#,
            Info,
            "(VI_1) Changing effective priority from 100 to 80",
        ),
        (
            r#""kind":"advert_timed_out","instance":"VI_1","master":null,"waited":{"secs":3,"nanos":0}"#,
            Detail,
            "(VI_1) Receive advertisement timeout",
        ),
        (
            r#""kind":"master_resigned","instance":"VI_1","address":"10.9.0.1""#,
            Info,
            "(VI_1) Backup received priority 0 advertisement",
        ),
        (
            r#""kind":"higher_priority_received","instance":"VI_1","address":"10.9.0.2","priority":200,"own":70"#,
            Info,
            "(VI_1) Master received advert from 10.9.0.2 with higher priority 200, ours 70",
        ),
        (
            r#""kind":"higher_priority_received","instance":"VI_1","address":"10.9.0.2","priority":70,"own":70"#,
            Info,
            "(VI_1) Master received advert from 10.9.0.2 with same priority 70 but higher IP address than ours",
        ),
        (
            r#""kind":"lower_priority_received","instance":"VI_1","address":"10.9.0.2","priority":20,"own":70"#,
            Info,
            "(VI_1) Received advert from 10.9.0.2 with lower priority 20, ours 70, forcing new election",
        ),
        (
            r#""kind":"advert_rejected","instance":"VI_1","address":"10.9.0.1","error":"auth_ext_stale","detail":"clock skew 6 sec exceeds window 5 sec""#,
            Warning,
            "(VI_1) stale authentication trailer from 10.9.0.1, clock skew 6 sec exceeds window 5 sec",
        ),
        (
            r#""kind":"advert_rejected","instance":"VI_1","address":"10.9.0.1","error":"auth_ext_unknown_key","detail":"key id 9""#,
            Warning,
            "(VI_1) unknown authentication key id 9 from 10.9.0.1",
        ),
        (
            r#""kind":"clock_skewed","instance":"VI_1","address":"10.9.0.1","skew":4,"window":5"#,
            Warning,
            "(VI_1) authentication clock skew 4 sec from 10.9.0.1 approaching window 5 sec",
        ),
        (
            r#""kind":"unknown_vrid","interface":"eth0","vrid":77,"address":"10.0.0.2""#,
            Info,
            "Unknown VRID(77) received on interface(eth0) from 10.0.0.2. ignoring...",
        ),
        (
            r#""kind":"link_made","instance":"VI_1","interface":"vrrp.51","below":"eth0","adopted":true"#,
            Info,
            "(VI_1) Found matching interface vrrp.51",
        ),
        (r#""kind":"link_unmade","interface":"vrrp.51""#, Info, "Success removing VMAC interface vrrp.51"),
        (r#""kind":"link_up","interface":"eth0","index":3"#, Info, "Netlink reports eth0 up"),
        (
            r#""kind":"link_renamed","interface":"eth0","to":"ethx""#,
            Info,
            "Interface name has changed from eth0 to ethx",
        ),
        (
            r#""kind":"linkbeat_otherwise","interface":"nic5","wanted":"MII","used":"ETHTOOL""#,
            Warning,
            "(nic5): Configured linkbeat type MII not supported, using ETHTOOL",
        ),
        (
            r#""kind":"tracker_changed","tracker":{"kind":"script","name":"x"},"level":"down","evidence":{"run":{"verdict":{"exited":1},"took":{"secs":0,"nanos":0}}}"#,
            Info,
            "VRRP_Script(x) failed (exited with status 1)",
        ),
        (
            r#""kind":"tracker_changed","tracker":{"kind":"script","name":"x"},"level":"down","evidence":{"run":{"verdict":{"killed":9},"took":{"secs":0,"nanos":0}}}"#,
            Info,
            "VRRP_Script(x) failed (due to signal 9)",
        ),
        (
            r#""kind":"tracker_changed","tracker":{"kind":"script","name":"x"},"level":"up","evidence":{"run":{"verdict":{"exited":0},"took":{"secs":0,"nanos":0}}}"#,
            Info,
            "VRRP_Script(x) succeeded",
        ),
        (
            r#""kind":"track_script_returned","script":"x","run":{"verdict":{"exited":1},"took":{"secs":0,"nanos":0}}"#,
            Info,
            "Script `x` now returning 1",
        ),
    ];
    for (fact, level, text) in cases {
        assert_eq!(line(fact), (level, text.to_owned()), "{fact}");
    }
}

#[test]
fn of_virtual_and_real_servers_they_read_as_keepalived_s() {
    const SERVICE: &str = r#""service":{"address":"10.78.9.9","port":80,"protocol":"tcp"}"#;
    const REAL: &str = r#""real":"10.0.0.1:8080""#;
    let cases = [
        (
            r#""kind":"real_server_added","weight":1,"adopted":false"#,
            "Adding service [10.0.0.1]:tcp:8080 to VS [10.78.9.9]:tcp:80",
        ),
        (
            r#""kind":"real_server_removed""#,
            "Removing service [10.0.0.1]:tcp:8080 from VS [10.78.9.9]:tcp:80",
        ),
        (r#""kind":"real_server_unconfigured""#, "service [10.0.0.1]:tcp:8080 no longer exist"),
        (
            r#""kind":"real_server_weight_changed","from":5,"to":8"#,
            "Changing weight from 5 to 8 for active service [10.0.0.1]:tcp:8080 of VS [10.78.9.9]:tcp:80",
        ),
        (
            r#""kind":"real_server_weight_changed","from":5,"to":0"#,
            "Disabling service [10.0.0.1]:tcp:8080 of VS [10.78.9.9]:tcp:80",
        ),
        (
            r#""kind":"real_server_weight_changed","from":0,"to":5"#,
            "Enabling service [10.0.0.1]:tcp:8080 of VS [10.78.9.9]:tcp:80",
        ),
        (
            r#""kind":"quorum_gained","quorum":3,"hysteresis":1,"weight":4"#,
            "Gained quorum 3+1=4 <= 4 for VS [10.78.9.9]:tcp:80",
        ),
        (
            r#""kind":"quorum_lost","quorum":3,"hysteresis":1,"weight":1"#,
            "Lost quorum 3-1=2 > 1 for VS [10.78.9.9]:tcp:80",
        ),
        (
            r#""kind":"sorry_server_added","sorry":"10.0.0.9:8080""#,
            "Adding sorry server [10.0.0.9]:tcp:8080 to VS [10.78.9.9]:tcp:80",
        ),
        (
            r#""kind":"sorry_server_removed","sorry":"10.0.0.9:8080""#,
            "Removing sorry server [10.0.0.9]:tcp:8080 from VS [10.78.9.9]:tcp:80",
        ),
        (r#""kind":"virtual_server_unconfigured""#, "Removing Virtual Server [10.78.9.9]:tcp:80"),
    ];
    for (fact, text) in cases {
        let real = if fact.contains("real_server_") { format!(",{REAL}") } else { String::new() };
        let fact = format!("{fact},{SERVICE}{real}");
        assert_eq!(line(&fact), (Level::Info, text.to_owned()), "{fact}");
    }
}
