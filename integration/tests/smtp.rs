//! Mail to a real mail server, and mail servers that are no use: what is told, and that nothing else is late.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, aiosmtpd::Aiosmtpd, capture, conf, keepwatchd::Keepwatchd, pair::OURS,
    wait, web::WebServer,
};
use serde_json::Value;

const MAIL: &str = "10.78.0.2:2525";
const WEB: &str = "127.0.0.1:8081";
/// The interval of adverts: long enough that a busy machine alone never makes a peer take over.
const INTERVAL: Duration = Duration::from_millis(500);

/// A director and a mail host on a recorded LAN.
struct Scene {
    wire: Capture,
    director: Host,
    mail: Host,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let (lan, mut hosts) = Lab::new(name)?.routers(2)?;
        let wire = lan.capture()?;
        let (mail, director) = (hosts.remove(1), hosts.remove(0));
        Ok(Self { wire, director, mail })
    }

    /// A keepwatchd that mails everything it can.
    fn start(&self) -> Result<Keepwatchd> {
        self.start_mailing_to("admin@example.org\n second@example.org")
    }

    /// The same, with these lines of recipients.
    fn start_mailing_to(&self, recipients: &str) -> Result<Keepwatchd> {
        self.start_with(recipients, &conf::real_server(WEB, ""), "")
    }

    /// The same, with these real servers and these lines of the block `mail`.
    fn start_with(&self, recipients: &str, reals: &str, mail: &str) -> Result<Keepwatchd> {
        let (host, port) = MAIL.split_once(':').context("no port")?;
        let global = format!(
            "    notification_email {{
                     {recipients}
                 }}
                 notification_email_from Keep Watch <keepwatch@example.org>
                 smtp_server {host} {port}
                 smtp_connect_timeout 1
                 smtp_alert true"
        );
        let config = Instance::new("VI_1").interval("0.5").version_3(&global)
            + &conf::virtual_server(reals)
            + &format!("observability {{\n mail {{\n {mail}\n }}\n}}\n");
        Keepwatchd::on(&self.director).config(config).flags(&["--dataplane", "memory"]).start()
    }
}

/// The texts of the events of a kind, as the daemon tells them.
fn events(director: &Keepwatchd, kind: &str) -> Vec<String> {
    let answer = director.get(&format!("/api/v1/events?limit=1000&kind={kind}"));
    let events: Option<Value> = answer.ok().and_then(|answer| serde_json::from_str(&answer.body).ok());
    let events = events.as_ref().and_then(Value::as_array);
    events.into_iter().flatten().filter_map(|event| Some(event["text"].as_str()?.to_owned())).collect()
}

/// Waits for a mail with this subject and returns it.
fn mail_with(server: &Aiosmtpd, director: &Keepwatchd, subject: &str) -> Result<String> {
    let line = format!("Subject: {subject}");
    // A long subject is folded over several lines (RFC 5322 section 2.2.3).
    let unfold = |mail: &String| mail.replace("\r\n", "\n").replace("\n ", " ").contains(&line);
    wait::value(&format!("there is a mail with {line}"), wait::LONG, || {
        server.mails().into_iter().find(unfold)
    })
    .with_context(|| format!("{:#?}\n{}", server.mails(), director.process().log()))
}

#[test]
fn what_happens_is_mailed_with_the_reason() -> Result<()> {
    let scene = Scene::new("mail")?;
    let server = Aiosmtpd::start(&scene.mail, MAIL.parse()?)?;
    let web = WebServer::start(&scene.director, WEB.parse()?, "one")?;
    let mut director = scene.start()?;

    let mail = mail_with(&server, &director, "[lab] VRRP Instance VI_1 - Entering MASTER state")?;
    for text in [
        "<keepwatch@example.org>",
        "Keep Watch",
        "admin@example.org, second@example.org",
        "=> VRRP Instance is now owning VRRP VIPs <=",
        "What led to it:",
        "(VI_1) Entering MASTER STATE",
    ] {
        assert!(mail.contains(text), "{text} is missing in\n{mail}");
    }

    let server_of = "[lab] Realserver [127.0.0.1]:tcp:8081 of virtual server [10.78.9.9]:tcp:80";
    drop(web);
    let mail = mail_with(&server, &director, &format!("{server_of} - DOWN"))?;
    assert!(mail.contains("=> TCP CHECK failed on service <="), "{mail}");
    assert!(mail.to_lowercase().contains("refused"), "the reason is missing in\n{mail}");
    let _web = WebServer::start(&scene.director, WEB.parse()?, "one")?;
    let mail = mail_with(&server, &director, &format!("{server_of} - UP"))?;
    assert!(mail.contains("=> TCP CHECK succeed on service <="), "{mail}");

    // All of it is told on the bus too.
    wait::until("every mail is told", wait::SHORT, || {
        events(&director, "mail_sent").iter().any(|text| text.contains("- UP"))
    })?;
    ensure!(director.metric("keepwatch_mails_sent_total", &[]).is_some_and(|count| count >= 3.0));
    assert_eq!(director.metric("keepwatch_mail_working", &[]), Some(1.0));

    // A clean stop is mailed as well.
    director.process_mut().stop(wait::LONG)?;
    mail_with(&server, &director, "[lab] VRRP Instance VI_1 - Stopping")?;
    Ok(())
}

#[test]
fn a_recipient_who_is_refused_or_put_off_costs_the_others_nothing() -> Result<()> {
    let scene = Scene::new("mail-choosy")?;
    let server = Aiosmtpd::choosy(&scene.mail, MAIL.parse()?)?;
    let director = scene.start_mailing_to(
        "Night Watch <night@example.org>\n\"Watch, Day\" <day@example.org>\n gone@example.org\n later@example.org",
    )?;
    wait::until("who was put off has got it at the second try", wait::LONG, || {
        events(&director, "mail_sent").iter().any(|text| text.contains("sent at try 2"))
    })
    .with_context(|| director.process().log())?;
    // Which mail the server put off is the first that came to it: the instance's, or the virtual server's.
    let later = |mail: &String| mail.lines().any(|line| line == "X-RcptTo: later@example.org");
    let put_off = wait::value("the mail for who was put off is there", wait::LONG, || {
        server.mails().into_iter().find(later)
    })?;
    let about = put_off.lines().find(|line| line.starts_with("Subject: ")).context("a subject")?;
    let mails =
        || -> Vec<String> { server.mails().into_iter().filter(|mail| mail.contains(about)).collect() };
    wait::until("both mails about it are there", wait::LONG, || mails().len() >= 2)?;
    let mut mails = mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    mails.sort_by_key(later);
    assert!(mails[0].contains("X-RcptTo: night@example.org, day@example.org"), "{}", mails[0]);
    // A name with a comma is an encoded word (RFC 2047): `Watch, Day`.
    let named = "\"Night Watch\" <night@example.org>, =?utf-8?b?V2F0Y2gsIERheQ==?= <day@example.org>";
    assert!(mails[0].replace("\n ", " ").contains(named), "{}", mails[0]);
    let refused = events(&director, "mail_refused");
    ensure!(
        refused.iter().any(|text| text.contains("gone@example.org") && text.contains("no such user here")),
        "{refused:?}"
    );
    ensure!(
        director.metric("keepwatch_mail_recipients_refused_total", &[]).is_some_and(|count| count >= 1.0)
    );
    let delayed = events(&director, "mail_delayed");
    ensure!(delayed.iter().any(|text| text.contains("later@example.org")), "{delayed:?}");
    // Nobody got anything twice.
    mail_with(&server, &director, "[lab] VRRP Instance VI_1 - Entering MASTER state")?;
    let all = server.mails();
    let of = |whom: &str| all.iter().filter(|mail| mail.contains(about) && mail.contains(whom)).count();
    assert_eq!(of("X-RcptTo: night@example.org, day@example.org"), 1);
    Ok(())
}

/// Runs a director whose mail does not get through, and sees that this is told and costs no advert.
fn nothing_else_is_late(scene: &Scene, error: &str) -> Result<Keepwatchd> {
    let director = scene.start()?;
    director.wait_for_log("(VI_1) Entering MASTER STATE")?;
    wait::until("the first advert is on the wire", wait::SHORT, || {
        !scene.wire.adverts_from(OURS).is_empty()
    })?;
    let since = capture::now();
    let told = || events(&director, "mail_delayed").iter().any(|text| text.contains(error));
    wait::until(&format!("the mail is said to be delayed: {error}"), wait::LONG, told)
        .with_context(|| director.process().log())?;
    // Many more things to mail meanwhile: the real server comes and goes.
    for _ in 0..3 {
        let web = WebServer::start(&scene.director, WEB.parse()?, "one")?;
        let real = ["real_server=\"127.0.0.1:8081\""];
        let up = |value| {
            move |director: &Keepwatchd| director.metric("keepwatch_real_server_up", &real) == Some(value)
        };
        wait::until("the real server is up", wait::LONG, || up(1.0)(&director))?;
        drop(web);
        wait::until("the real server is down", wait::LONG, || up(0.0)(&director))?;
    }
    // A peer would take over after three.
    scene.wire.is_in_time(OURS, since, 3 * INTERVAL)?;
    assert_eq!(director.metric("keepwatch_mail_working", &[]), Some(0.0));
    Ok(director)
}

#[test]
fn a_mail_server_that_never_answers_delays_only_mail() -> Result<()> {
    let scene = Scene::new("mail-silent")?;
    let at: SocketAddr = MAIL.parse()?;
    // The kernel accepts, nobody reads.
    let silent = scene.mail.listen(at)?;
    let director = nothing_else_is_late(&scene, "no answer within 2s")?;

    // It is replaced by one that works: what waited arrives, in order.
    drop(silent);
    let server = Aiosmtpd::start(&scene.mail, at)?;
    mail_with(&server, &director, "[lab] VRRP Instance VI_1 - Entering MASTER state")?;
    wait::until("all mail has arrived", Duration::from_secs(90), || {
        server.mails().last().is_some_and(|mail| mail.contains("- DOWN"))
            && director.metric("keepwatch_mail_working", &[]) == Some(1.0)
    })?;
    let mails = server.mails();
    let place = |text: &str| mails.iter().position(|mail| mail.contains(text));
    assert!(place("Entering BACKUP") < place("Entering MASTER"), "{mails:#?}");
    Ok(())
}

#[test]
fn a_mail_server_whose_packets_vanish_delays_only_mail() -> Result<()> {
    let scene = Scene::new("mail-hole")?;
    scene.mail.firewall(
        "table inet hole {
             chain in { type filter hook input priority 0; tcp dport 2525 drop; }
         }
        ",
    )?;
    let mut director = nothing_else_is_late(&scene, "10.78.0.2:2525")?;
    // Nor does it keep the daemon from ending.
    director.process_mut().stop(wait::SHORT)?;
    Ok(())
}

#[test]
fn mail_is_encrypted_and_the_server_knows_who_we_are() -> Result<()> {
    let scene = Scene::new("mail-tls")?;
    let at: SocketAddr = MAIL.parse()?;
    let made = rcgen::generate_simple_self_signed(vec![at.ip().to_string()])?;
    let certificate = scene.mail.file("mail.pem", &made.cert.pem())?;
    let key = scene.mail.file("mail.key", &made.signing_key.serialize_pem())?;
    let server = Aiosmtpd::secure(&scene.mail, at, &certificate, &key)?;
    let trusted = format!("certificates {}", certificate.display());
    let with = |lines: &str| scene.start_with("admin@example.org", &conf::real_server(WEB, ""), lines);

    // Whom we do not trust gets nothing, nor does who does not know us; both are told, and neither costs a mail.
    let director = with("user keepwatch right")?;
    wait::until("the certificate is refused", wait::LONG, || !events(&director, "mail_delayed").is_empty())?;
    let delayed = events(&director, "mail_delayed");
    ensure!(delayed[0].to_lowercase().contains("certificate"), "{delayed:?}");
    drop(director);
    let director = with(&format!("{trusted}\n user keepwatch wrong-word"))?;
    director.wait_for_log("it refuses the user keepwatch")?;
    ensure!(!director.process().log().contains("wrong-word"), "the password is told");
    assert_eq!(server.mails().len(), 0);

    let config = std::fs::read_to_string(director.config_path())?.replace("wrong-word", "right");
    std::fs::write(director.config_path(), config)?;
    director.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    mail_with(&server, &director, "[lab] VRRP Instance VI_1 - Entering MASTER state")?;
    Ok(())
}

#[test]
fn a_server_that_does_not_encrypt_gets_no_mail_when_that_is_wanted() -> Result<()> {
    let scene = Scene::new("mail-plain")?;
    let server = Aiosmtpd::start(&scene.mail, MAIL.parse()?)?;
    let director = scene.start_with("admin@example.org", &conf::real_server(WEB, ""), "tls starttls")?;
    director.wait_for_log("it offers no STARTTLS")?;
    assert_eq!(server.mails().len(), 0);
    Ok(())
}

#[test]
fn mails_that_wait_outlive_a_restart_and_come_once() -> Result<()> {
    let scene = Scene::new("mail-restart")?;
    let mut director = scene.start()?;
    wait::until("a mail waits", wait::LONG, || !events(&director, "mail_delayed").is_empty())?;
    director.wait_for_log("(VI_1) Entering MASTER STATE")?;
    wait::until("it is written down", wait::LONG, || {
        std::fs::read_dir(scene.director.directory().join("keepwatchd.mail"))
            .is_ok_and(|files| files.count() >= 3)
    })
    .with_context(|| director.process().log())?;
    director.process_mut().stop(wait::LONG)?;

    let server = Aiosmtpd::start(&scene.mail, MAIL.parse()?)?;
    let director = scene.start()?;
    mail_with(&server, &director, "[lab] VRRP Instance VI_1 - Stopping")?;
    let masters = || -> Vec<String> {
        let of = |mail: &String| mail.contains("VRRP Instance VI_1 - Entering MASTER state");
        server.mails().into_iter().filter(of).collect()
    };
    wait::until("both masterships are mailed", wait::LONG, || masters().len() >= 2)
        .with_context(|| director.process().log())?;
    wait::until("nothing waits any more", wait::LONG, || {
        std::fs::read_dir(scene.director.directory().join("keepwatchd.mail"))
            .is_ok_and(|files| files.count() == 0)
    })?;
    let id = |mail: &str| mail.lines().find(|line| line.starts_with("Message-ID")).map(str::to_owned);
    let mut ids: Vec<_> = server.mails().iter().filter_map(|mail| id(mail)).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "a mail came twice");
    assert_eq!(masters().len(), 2);
    Ok(())
}

#[test]
fn many_mails_that_wait_become_one() -> Result<()> {
    const SERVERS: u16 = 20;
    let scene = Scene::new("mail-group")?;
    let server = Aiosmtpd::start(&scene.mail, MAIL.parse()?)?;
    let reals: String =
        (0..SERVERS).map(|n| conf::real_server(&format!("127.0.0.1:{}", 9000 + n), "")).collect();
    // They all are thought up until their first checks fail.
    let director = scene.start_with("admin@example.org", &reals, "group 5 4")?;
    let text = || server.mails().concat().replace("\r\n", "\n");
    wait::until("every server is mailed", wait::LONG, || {
        (0..SERVERS).all(|n| text().contains(&format!("Realserver [127.0.0.1]:tcp:{} of", 9000 + n)))
    })
    .with_context(|| format!("{}\n{}", text(), director.process().log()))?;
    let mails = server.mails();
    ensure!(mails.len() <= 5, "{} mails:\n{}", mails.len(), text());
    ensure!(mails.iter().any(|mail| mail.contains(" notices, the first: ")), "{}", text());
    Ok(())
}

#[test]
fn each_checker_that_changes_is_mailed_unless_no_checker_emails_is_given() -> Result<()> {
    const OTHER: &str = "127.0.0.1:8082";
    let scene = Scene::new("mail-checkers")?;
    let server = Aiosmtpd::start(&scene.mail, MAIL.parse()?)?;
    let web = |at: &str| WebServer::start(&scene.director, at.parse()?, "one");
    let (first, second) = (web(WEB)?, web(OTHER)?);
    let check = |at: &str| {
        let port = at.split_once(':').map_or("", |(_, port)| port);
        format!("        TCP_CHECK {{\n connect_port {port}\n connect_timeout 1\n retry 0\n }}\n")
    };
    // Two checkers: the one that every real server has here, and another.
    let director = scene.start_with("admin@example.org", &conf::real_server(WEB, &check(OTHER)), "")?;
    let up = |value: f64| {
        wait::until(&format!("the server is up: {value}"), wait::LONG, || {
            director.metric("keepwatch_real_server_up", &[]) == Some(value)
        })
    };
    // The checker of the other port is the first in the file.
    let says = |index: u8, result: &str| {
        let labels = [format!("index=\"{index}\""), format!("result=\"{result}\"")];
        let count = || director.metric("keepwatch_checks_total", &[&labels[0], &labels[1]]).unwrap_or(0.0);
        let before = count();
        wait::until(&format!("checker {index} says {result}"), wait::LONG, || count() > before)
    };
    let about = "Realserver [127.0.0.1]:tcp:8081 of virtual server";
    let mails = || server.mails().iter().filter(|mail| mail.replace("\n ", " ").contains(about)).count();
    let mailed = |number: usize| {
        wait::until(&format!("{number} mails"), wait::LONG, || mails() == number)
            .with_context(|| format!("{:#?}\n{}", server.mails(), director.process().log()))
    };
    up(1.0)?;
    drop(first);
    up(0.0)?;
    mailed(1)?;
    drop(second);
    says(0, "failure")?;
    // The server was down already; keepalived says so again.
    mailed(2)?;
    let first = web(WEB)?;
    says(1, "success")?;
    mailed(3)?;
    let second = web(OTHER)?;
    up(1.0)?;
    mailed(4)?;

    let text = std::fs::read_to_string(director.config_path())?;
    director.reload(&text.replacen("smtp_alert true", "smtp_alert true\n no_checker_emails", 1))?;
    director.wait_for_log("Reloaded")?;
    drop(first);
    up(0.0)?;
    mailed(5)?;
    drop(second);
    says(0, "failure")?;
    let _first = web(WEB)?;
    says(1, "success")?;
    let _second = web(OTHER)?;
    up(1.0)?;
    // Down and up, and nothing between.
    mailed(6)
}
