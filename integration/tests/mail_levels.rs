//! `smtp_alert` at each level beside Debian's keepalived: global, VRRP, checkers, instance, group, virtual server, real
//! server. Virtual servers need a kernel that has IPVS: that part boots a machine and runs itself in it.

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, Process, aiosmtpd::Aiosmtpd, conf, keepalived::Keepalived, keepwatchd::Keepwatchd,
    vm::Scenario, wait, web::WebServer,
};

/// What the block `global_defs` says of it.
const GLOBAL: [&str; 5] =
    ["", "smtp_alert", "smtp_alert true\n smtp_alert_vrrp false", "smtp_alert_vrrp", "smtp_alert_checker"];
const YES: &str = "smtp_alert";
const NO: &str = "smtp_alert false";

fn global_defs(version: u8, lines: &str) -> String {
    let global = format!(
        "    notification_email {{\n admin@example.org\n }}\n notification_email_from keepwatch@example.org\n \
         smtp_server 127.0.0.1 2525\n smtp_connect_timeout 5\n {lines}"
    );
    conf::global_defs(version, &global)
}

/// Virtual routers and groups that say nothing of it, yes, and no.
fn routers(global: &str) -> String {
    let instance = |number: u8, line: &str| {
        let instance = Instance::new(&format!("VI_{number}")).vrid(50 + number).interval("0.3").line(line);
        instance.vip(&format!("10.78.9.{number}")).to_string()
    };
    let group = |number: u8, line: &str| {
        let name = format!("VI_{number}");
        let block = conf::sync_group(&format!("G{number}"), &[&*name]);
        block.trim_end().strip_suffix('}').unwrap_or(&block).to_owned() + &format!("{line}\n}}\n")
    };
    global_defs(3, global)
        + &[group(4, ""), group(5, YES), group(6, NO)].concat()
        + &[instance(1, ""), instance(2, YES), instance(3, NO)].concat()
        + &[instance(4, NO), instance(5, NO), instance(6, YES)].concat()
}

/// Virtual servers that say nothing of it, yes, and no, each with real servers that do likewise.
fn servers(global: &str) -> String {
    let real = |number: u8, line: &str| conf::real_server(&format!("127.0.1.{number}:8081"), line);
    let reals = || [real(1, ""), real(2, YES), real(3, NO)].concat();
    let server = |number: u8, line: &str| {
        let block = conf::virtual_server(&format!("{line}\n{}", reals()));
        block.replace("10.78.9.9", &format!("10.78.9.{number}")).replace("wrr", "rr")
    };
    global_defs(2, global) + &[server(1, ""), server(2, YES), server(3, NO)].concat()
}

/// A host and its mail server.
struct Side {
    host: Host,
    mail: Aiosmtpd,
}

impl Side {
    fn start(name: &str) -> Result<Self> {
        let (_lan, mut hosts) = Lab::new(name)?.routers(1)?;
        let (host, at) = (hosts.remove(0), SocketAddr::from(([127, 0, 0, 1], 2525)));
        let mail = Aiosmtpd::greeted(&host, at)?;
        Ok(Self { host, mail })
    }

    /// What people filter all mails by: subject, sender and recipients, and what the first line of the text says.
    fn mails(&self) -> BTreeSet<Mail> {
        self.mail.mails().into_iter().filter_map(|text| Mail::read(&text)).collect()
    }
}

/// What both say alike in a mail; the time and what else we have to say are not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Mail {
    subject: String,
    /// `From` and `To`; who the envelope says; and who we say that we are.
    headers: [Option<String>; 5],
    /// `=> … <=`.
    summary: Option<String>,
}

impl Mail {
    fn read(text: &str) -> Option<Self> {
        let text = text.replace("\r\n", "\n").replace("\n ", " ");
        let header = |name: &str| {
            let start = format!("{name}: ");
            text.lines().find_map(|line| Some(line.strip_prefix(&start)?.to_owned()))
        };
        Some(Self {
            subject: header("Subject")?,
            headers: ["From", "To", "X-MailFrom", "X-RcptTo", "X-Helo"].map(header),
            summary: text.lines().find(|line| line.starts_with("=> ")).map(str::to_owned),
        })
    }
}

/// Waits until both have mailed the same, and these among it, which are mailed whatever else is.
fn alike(global: &str, sides: [(&Side, &Process); 2], wanted: &[&str]) -> Result<()> {
    let [(ours, we), (theirs, it)] = sides;
    wait::until(&format!("the same is mailed with {global:?}"), wait::LONG, || {
        let mails = ours.mails();
        let has = |wanted: &&str| mails.iter().any(|mail| mail.subject.ends_with(*wanted));
        wanted.iter().all(has) && mails == theirs.mails()
    })
    .with_context(|| {
        let mails = (ours.mails(), theirs.mails());
        let (only_we, only_it) = (&mails.0 - &mails.1, &mails.1 - &mails.0);
        format!("only we: {only_we:#?}\nonly keepalived: {only_it:#?}\n{}\n{}", we.log(), it.log())
    })
}

#[test]
fn virtual_routers_and_groups_mail_as_keepalived_does() -> Result<()> {
    for global in GLOBAL {
        let (ours, theirs) = (Side::start("mail-levels")?, Side::start("mail-levels-theirs")?);
        let we = Keepwatchd::on(&ours.host).config(routers(global)).flag("--vrrp").start()?;
        let it = Keepalived::start(&theirs.host, &routers(global), &[])?;
        let wanted =
            ["VI_2 - Entering MASTER state", "VI_6 - Entering MASTER state", "G5 - Entering MASTER state"];
        alike(global, [(&ours, we.process()), (&theirs, it.process())], &wanted)?;
    }
    Ok(())
}

#[test]
fn faults_are_mailed_unless_no_email_faults_is_given() -> Result<()> {
    for global in ["smtp_alert", "smtp_alert\n smtp_helo_name mail.example.net\n no_email_faults"] {
        let (ours, theirs) = (Side::start("mail-faults")?, Side::start("mail-faults-theirs")?);
        let file = |side: &Side, number: u8| side.host.file("tracked", &format!("{number}\n"));
        let config = |side: &Side| -> Result<String> {
            let track = format!("track_file t {{\n file {}\n weight 0\n}}\n", file(side, 0)?.display());
            let instance = Instance::new("VI_1").interval("0.3").line("track_file {\n t\n }");
            Ok(global_defs(3, global) + &track + &instance.to_string())
        };
        let we = Keepwatchd::on(&ours.host).config(config(&ours)?).flag("--vrrp").start()?;
        let it = Keepalived::start(&theirs.host, &config(&theirs)?, &[])?;
        let alike = |wanted: &[&str]| alike(global, [(&ours, we.process()), (&theirs, it.process())], wanted);
        alike(&["VI_1 - Entering MASTER state"])?;
        for (number, state) in [(1, "FAULT"), (0, "MASTER"), (1, "FAULT")] {
            for side in [&ours, &theirs] {
                file(side, number)?;
                let master = || side.host.has("eth0", "10.78.9.9");
                wait::until(&format!("it is {state}"), wait::LONG, || master() == (state == "MASTER"))?;
            }
        }
        let fault = "VI_1 - Entering FAULT state";
        let quiet = global.contains("no_email_faults");
        let wanted = [fault];
        alike(if quiet { &[] } else { &wanted })?;
        let told = ours.mails().iter().any(|mail| mail.subject.ends_with(fault));
        let programs =
            [&ours, &theirs].map(|side| side.mail.mails().concat().contains("X-Mailer: Keepalived"));
        assert_eq!(programs, [false, true], "the one thing that says who wrote it");
        ensure!(told != quiet, "with {global:?}: {:#?}", ours.mails());
    }
    Ok(())
}

#[test]
fn virtual_and_real_servers_mail_as_keepalived_does() -> Result<()> {
    Scenario::of_this_test("--exact inside_the_machine")?
        .module("ip_vs_rr")
        .module("veth")
        .module("bridge")
        .limit(std::time::Duration::from_secs(700))
        .succeed()
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn inside_the_machine() -> Result<()> {
    for global in GLOBAL {
        let sides = [Side::start("mail-servers")?, Side::start("mail-servers-theirs")?];
        let web = || -> Result<Vec<WebServer>> {
            let all = sides.iter().flat_map(|side| (1..=3).map(move |number| (side, number)));
            let start = |(side, number): (&Side, u8)| {
                WebServer::start(&side.host, SocketAddr::from(([127, 0, 1, number], 8081)), "one")
            };
            all.map(start).collect()
        };
        let up = web()?;
        let we = Keepwatchd::on(&sides[0].host).config(servers(global)).flag("--check").start()?;
        let it = Keepalived::start_checking(&sides[1].host, &servers(global))?;
        let alike =
            |wanted: &[&str]| alike(global, [(&sides[0], we.process()), (&sides[1], it.process())], wanted);
        let real = |state: &str| {
            format!("Realserver [127.0.1.2]:tcp:8081 of virtual server [10.78.9.2]:tcp:80 - {state}")
        };
        let server = |state: &str| format!("Virtualserver [10.78.9.2]:tcp:80 - {state}");
        // The start of a virtual server with quorum is mailed too.
        alike(&[&server("UP")])?;
        drop(up);
        alike(&[&real("DOWN"), &server("DOWN")])?;
        let _up = web()?;
        alike(&[&real("UP")])?;
    }
    Ok(())
}
