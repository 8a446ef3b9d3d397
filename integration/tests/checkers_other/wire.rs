//! What leaves the host: the datagrams and connections of checkers as a server sees them, and where they come from when a
//! checker says so (`bindto`, `bind_port`, `bind_if`, `fwmark`). A firewall lets nothing else through, so that a setting
//! without effect fails.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc;

use integration::background::Acceptor;

use super::*;

/// Each kind of checker that sends packets, on its port: with these lines of its own.
fn kinds(lines: &str) -> [(u16, String); 6] {
    [
        (7000, format!("TCP_CHECK {{\n {lines}\n }}")),
        (80, format!("HTTP_GET {{\n {lines}\n url {{\n path /\n }}\n }}")),
        (25, format!("SMTP_CHECK {{\n {lines}\n }}")),
        (5301, format!("UDP_CHECK {{\n {lines}\n require_reply\n }}")),
        (5300, format!("DNS_CHECK {{\n retry 1\n {lines}\n }}")),
        (9, format!("PING_CHECK {{\n {lines}\n }}")),
    ]
}

/// Waits until all are as they should be.
fn judged(daemon: &Keepwatchd, cells: &[Cell]) -> Result<()> {
    let mut wrong = Vec::new();
    wait::until("everybody has been judged", wait::LONG, || {
        let status = daemon.answer(&["status"]).unwrap_or_default();
        let line = |at: &str| {
            let found = status.lines().map(str::trim_start).find(|line| line.starts_with(&format!("{at} ")));
            found.unwrap_or_default().to_owned()
        };
        let checked = |at: &str| {
            let passed = daemon.metric("keepwatch_checks_total", &[at, "result=\"success\""]);
            passed.is_some_and(|n| n > 0.0)
        };
        wrong = cells
            .iter()
            .map(|Cell { at, fails, .. }| (line(at), at, fails))
            .filter(|(line, at, fails)| {
                let state = line.split_whitespace().nth(1);
                match fails {
                    None => state != Some("up") || !checked(at),
                    Some((_, says)) => state != Some("down") || !line.contains(says),
                }
            })
            .map(|(line, at, _)| format!("{at}: {line}"))
            .collect();
        wrong.is_empty()
    })
    .with_context(|| format!("{wrong:#?}\n{}", daemon.process().log()))
}

/// A mail server that says what it must.
fn mail(mut stream: std::net::TcpStream) {
    let mut buffer = [0; 200];
    for answer in ["220 ready\r\n", "250 hello\r\n", "221 bye\r\n"] {
        if stream.write_all(answer.as_bytes()).is_err() || stream.read(&mut buffer).is_err() {
            return;
        }
    }
}

#[test]
fn packets_leave_with_the_source_interface_and_mark_that_are_configured() -> Result<()> {
    let scene = Scene::new("check-source")?;
    let (host, neighbour) = (&scene.host, &scene.neighbour);
    let other = scene.lab.bridge("other")?;
    host.address("eth0", "10.78.0.7/24")?.plug("eth1", &other)?.address("eth1", "10.78.0.8/24")?;
    neighbour.plug("eth1", &other)?;
    for n in [3, 4, 5, 6, 12, 14, 15] {
        neighbour.address("eth0", &format!("10.78.0.{n}/24"))?;
    }
    // What came by the second interface goes back by it.
    neighbour.run("ip", &["route", "add", "10.78.0.8/32", "dev", "eth1"])?;
    // The mark of a packet stays in its host: there it is put into the header.
    host.firewall(
        "table inet lab { chain out { type filter hook output priority 0; meta mark 9 ip dscp set 9; }\n}",
    )?;
    neighbour.firewall(
        "table inet lab { chain in { type filter hook input priority 0; \
         ip daddr { 10.78.0.2, 10.78.0.12 } ip saddr != 10.78.0.7 drop; \
         ip daddr { 10.78.0.3, 10.78.0.4 } ip dscp != 9 drop; \
         ip daddr { 10.78.0.5, 10.78.0.6 } iifname != \"eth1\" drop; \
         ip daddr { 10.78.0.14, 10.78.0.15 } udp sport != 4031 drop; }\n}",
    )?;
    let _web = WebServer::start(neighbour, "0.0.0.0:80".parse()?, "x")?;
    let _tcp = Acceptor::start(neighbour, "0.0.0.0:7000".parse()?, "tcp", drop)?;
    let _mail = Acceptor::start(neighbour, "0.0.0.0:25".parse()?, "mail", mail)?;
    let mut datagrams = Vec::new();
    for n in [2, 3, 4, 5, 6, 12, 14, 15] {
        let at = |port: u16| SocketAddr::from(([10, 78, 0, n], port));
        datagrams.push(UdpServer::start(neighbour, at(5301), pong)?);
        datagrams.push(UdpServer::start(neighbour, at(5300), dns(0x8180))?);
    }
    let mut cells = vec![
        up("10.78.0.14:5301", "UDP_CHECK {\n require_reply\n bind_port 4031\n }"),
        down("10.78.0.15:5301", "UDP_CHECK {\n require_reply\n }", "timeout", "0.7s"),
    ];
    for (with, without, line) in [(2, 12, "bindto 10.78.0.7"), (3, 4, "fwmark 9"), (5, 6, "bind_if eth1")] {
        let at = |n: u8, port: u16| -> &'static str { format!("10.78.0.{n}:{port}").leak() };
        cells.extend(kinds(line).map(|(port, checker)| up(at(with, port), checker)));
        cells.extend(kinds("").map(|(port, checker)| down(at(without, port), checker, "timeout", "0.7s")));
    }
    let daemon = scene.start(&Scene::config("", &cells))?;
    judged(&daemon, &cells)
}

#[test]
fn what_is_sent_is_what_keepalived_sends() -> Result<()> {
    let scene = Scene::new("check-sent")?;
    let (tell, told) = mpsc::channel();
    let connections = tell.clone();
    let _tcp = Acceptor::start(&scene.host, "127.0.0.2:53".parse()?, "tcp", move |mut stream| {
        let mut came = Vec::new();
        // An orderly end is one; a reset is an error.
        let ended = stream.read_to_end(&mut came).map_err(|error| error.kind());
        let _ = connections.send(("tcp", [came, format!("{ended:?}").into_bytes()].concat()));
    })?;
    let listen = |name: &'static str, at: &str, answer: fn(&[u8]) -> Vec<u8>| {
        let tell = tell.clone();
        scene.udp(at, move |asked| {
            let _ = tell.send((name, asked.to_vec()));
            vec![answer(asked)]
        })
    };
    let same = |asked: &[u8]| asked.to_vec();
    let dns_answer = |asked: &[u8]| dns(0x8180)(asked).concat();
    let _servers = [
        listen("udp", "127.0.0.3:53", same)?,
        listen("payload", "127.0.0.4:53", same)?,
        listen("dns", "127.0.0.5:53", dns_answer)?,
        listen("dns name", "127.0.0.6:53", dns_answer)?,
    ];
    let cells = [
        up("127.0.0.2:53", "TCP_CHECK {\n }"),
        up("127.0.0.3:53", "UDP_CHECK {\n require_reply\n }"),
        up("127.0.0.4:53", "UDP_CHECK {\n payload 00ff70\n require_reply 00ff\n }"),
        up("127.0.0.5:53", "DNS_CHECK {\n }"),
        up("127.0.0.6:53", "DNS_CHECK {\n type MX\n name a.example.com\n }"),
    ];
    let daemon = scene.start(&Scene::config("", &cells))?;
    let question =
        |name: &[u8], kind: u8| [b"\x01\0\0\x01\0\0\0\0\0\0".as_slice(), name, &[0, kind, 0, 1]].concat();
    let mut missing = std::collections::BTreeMap::from([
        ("tcp", b"Ok(0)".to_vec()),
        ("udp", b"keepalived check - keepalived ch".to_vec()),
        ("payload", b"\0\xffp".to_vec()),
        ("dns", question(b"\0", 6)),
        ("dns name", question(b"\x01a\x07example\x03com\0", 15)),
    ]);
    let expected = missing.clone();
    while !missing.is_empty() {
        let (name, mut came) = told
            .recv_timeout(wait::LONG)
            .with_context(|| format!("{missing:?}\n{}", daemon.process().log()))?;
        // The id is another one each time.
        if name.starts_with("dns") {
            came.drain(..2);
        }
        ensure!(expected.get(name) == Some(&came), "{name}: {:?}", String::from_utf8_lossy(&came));
        missing.remove(name);
    }
    judged(&daemon, &cells)
}
