//! One story everywhere: a master that takes over, and a web server that dies, are told alike by /metrics, snmpwalk,
//! the log, an e-mail, and `keepwatch status`, `events` and `why`.

use anyhow::{Context, Result};
use integration::{
    Instance, Lab, aiosmtpd::Aiosmtpd, keepalived::Keepalived, keepwatchd::Keepwatchd, snmpd::Snmpd, wait,
    web::WebServer,
};

const VRRP_INSTANCE_TABLE: &str = ".1.3.6.1.4.1.9586.100.5.2.3";
/// vrrpInstanceState of the first instance; 2 is master.
const STATE: &str = ".1.3.6.1.4.1.9586.100.5.2.3.1.4.1";
/// realServerStatus and its neighbours.
const REAL_SERVER_TABLE: &str = ".1.3.6.1.4.1.9586.100.5.3.4";

fn config(socket: &std::path::Path) -> String {
    let global = format!(
        "    notification_email {{\n        admin@example.net\n    }}\n    notification_email_from kw@example.net\n\
         \x20   smtp_server 10.78.0.2 2525\n    enable_snmp_keepalived\n    snmp_socket unix:{}",
        socket.display()
    );
    let instance = Instance::new("VI_1").interval("0.1").line("smtp_alert");
    instance.version_3(&global)
        + "virtual_server 10.78.9.9 80 {\n    delay_loop 1\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n\
           \x20   real_server 10.78.0.2 8080 {\n        weight 1\n        TCP_CHECK {\n            connect_timeout 1\n\
           \x20           retry 1\n            delay_before_retry 1\n        }\n    }\n}\n"
}

/// Waits until every teller says it; the first that does not is named.
fn all_tell(what: &str, tellers: &[(&str, &dyn Fn() -> bool)]) -> Result<()> {
    for (teller, tells) in tellers {
        wait::until(&format!("{teller} tells that {what}"), wait::LONG, tells)?;
    }
    Ok(())
}

#[test]
fn every_teller_tells_the_same_story() -> Result<()> {
    let lab = Lab::new("story")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (ours, theirs) = (&hosts[0], &hosts[1]);
    let snmpd = Snmpd::start(ours)?;
    let mail = Aiosmtpd::start(theirs, "10.78.0.2:2525".parse()?)?;
    let web = WebServer::start(theirs, "10.78.0.2:8080".parse()?, "hello")?;
    let mut it =
        Keepalived::start(theirs, &Instance::new("VI_1").interval("0.1").priority(200).version_3(""), &[])?;
    // Before we start: else we may be master for a moment, and one takeover more is told.
    wait::until("the other router is master", wait::LONG, || theirs.has("eth0", "10.78.9.9"))?;
    let we = Keepwatchd::on(ours)
        .config(config(snmpd.socket()))
        .flags(&["--snmp", "--dataplane", "memory"])
        .start()?;

    let metric = |name: &str, labels: &[&str]| we.metric(name, labels);
    let answer = |question: &[&str]| we.answer(question).unwrap_or_default();
    let walk = |oid: &str| snmpd.walk(oid).unwrap_or_default();
    let mailed = |subject: &str| mail.mails().iter().any(|text| unfolded(text).contains(subject));
    let story = || -> Result<()> {
        all_tell(
            "we are the backup",
            &[
                ("the log", &|| we.process().log().contains("(VI_1) Entering BACKUP STATE")),
                ("/metrics", &|| metric("keepalived_vrrp_state", &["iname=\"VI_1\""]) == Some(1.0)),
                ("snmpwalk", &|| walk(VRRP_INSTANCE_TABLE).contains(&format!("{STATE} = INTEGER: 1"))),
                ("status", &|| line_with(&answer(&["status"]), "VI_1").contains("BACKUP")),
            ],
        )?;

        wait::until("we heard it", wait::LONG, || {
            metric("keepalived_advertisements_received_total", &["iname=\"VI_1\""]) >= Some(3.0)
        })?;
        it.process_mut().kill();
        all_tell(
            "we took over",
            &[
                ("the log", &|| we.process().log().contains("(VI_1) Entering MASTER STATE")),
                ("/metrics", &|| metric("keepalived_vrrp_state", &["iname=\"VI_1\""]) == Some(2.0)),
                ("/metrics' counter", &|| {
                    metric("keepalived_become_master_total", &["iname=\"VI_1\""]) == Some(1.0)
                }),
                ("snmpwalk", &|| walk(VRRP_INSTANCE_TABLE).contains(&format!("{STATE} = INTEGER: 2"))),
                ("the mail", &|| mailed("VRRP Instance VI_1 - Entering MASTER state")),
                ("status", &|| line_with(&answer(&["status"]), "VI_1").contains("MASTER")),
                ("events", &|| answer(&["events"]).contains("(VI_1) Entering MASTER STATE")),
                ("why", &|| {
                    let why = answer(&["why", "VI_1"]);
                    // The cause stands before what it led to.
                    let (cause, effect) =
                        (why.find("Receive advertisement timeout"), why.find("Entering MASTER STATE"));
                    cause.is_some() && cause < effect
                }),
            ],
        )?;

        let real = "[10.78.0.2]:tcp:8080";
        let labels = ["10.78.0.2", "8080"];
        all_tell(
            "the web server is up",
            &[("/metrics", &|| metric("keepwatch_real_server_up", &labels) == Some(1.0))],
        )?;
        drop(web);
        let removed = format!("Removing service {real} from VS [10.78.9.9]:tcp:80");
        all_tell(
            "the web server is down",
            &[
                ("the log", &|| we.process().log().contains(&removed)),
                ("/metrics", &|| metric("keepwatch_real_server_up", &labels) == Some(0.0)),
                ("snmpwalk", &|| {
                    walk(REAL_SERVER_TABLE).contains(".1.3.6.1.4.1.9586.100.5.3.4.1.6.1.1 = INTEGER: 2")
                }),
                ("the mail", &|| mailed("DOWN") && mailed(real)),
                ("status", &|| !line_with(&answer(&["status"]), "10.78.0.2").is_empty()),
                ("events", &|| answer(&["events"]).contains(&removed)),
                ("why", &|| answer(&["why", "10.78.0.2:8080"]).contains("refused")),
            ],
        )
    };
    story().with_context(|| {
        format!(
            "log:\n{}\nstatus:\n{}\nwhy:\n{}",
            we.process().log(),
            answer(&["status"]),
            answer(&["why", "VI_1"])
        )
    })
}

/// The first line that has `text` in it.
fn line_with<'a>(page: &'a str, text: &str) -> &'a str {
    page.lines().find(|line| line.contains(text)).unwrap_or_default()
}

/// A mail with its folded header lines joined (RFC 5322 2.2.3).
fn unfolded(mail: &str) -> String {
    mail.replace("\r\n", "\n").replace("\n ", " ")
}
