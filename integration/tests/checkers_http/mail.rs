//! `SMTP_CHECK`: the dialogue, and the ways in which it fails.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::background::Acceptor;
use integration::{Lab, keepwatchd::Keepwatchd, wait};

use crate::answers;
use crate::cells::{self, Cell, DOWN, cell};

/// Greets, and answers each command with the next of these.
fn converse(mut stream: TcpStream, greeting: &str, answers: &[&str]) -> Option<Vec<String>> {
    let _ = stream.set_nodelay(true);
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(greeting.as_bytes()).ok()?;
    let mut commands = Vec::new();
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    for answer in answers {
        commands.push(lines.next()?.ok()?);
        for byte in answer.bytes() {
            stream.write_all(&[byte]).ok()?;
        }
    }
    Some(commands)
}

const GREETING: &str = "220-mail.example ESMTP\r\n220-second line\r\n220 ready\r\n";
const ANSWERS: [&str; 2] = ["250-mail.example\r\n250 HELP\r\n", "221 bye\r\n"];

fn good(stream: TcpStream) {
    converse(stream, GREETING, &ANSWERS);
}

fn refuses(stream: TcpStream) {
    converse(stream, "554 no mail for you\r\n", &[]);
}

fn refuses_helo(stream: TcpStream) {
    converse(stream, GREETING, &["550 who?\r\n"]);
}

fn no_goodbye(stream: TcpStream) {
    converse(stream, GREETING, &[ANSWERS[0], ""]);
}

fn garbage(stream: TcpStream) {
    converse(stream, "SSH-2.0-OpenSSH_9.2\r\n", &[]);
}

fn half_closed(stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    answers::linger(stream);
}

fn endless(mut stream: TcpStream) {
    while stream.write_all(b"220-more and more\r\n").is_ok() {}
}

fn check(timeout: &str) -> String {
    format!("SMTP_CHECK {{\n connect_timeout {timeout}\n helo_name me.example\n }}")
}

#[test]
fn a_mail_server_that_fails_in_any_way_leaves_and_comes_back() -> Result<()> {
    let cells = [
        DOWN,
        cell(refuses, "status", "the greeting is `554 no mail for you`"),
        cell(refuses_helo, "status", "the answer to HELO is `550 who?`"),
        cell(no_goodbye, "closed", "connection closed before the end of the answer to QUIT"),
        cell(garbage, "garbage", "the greeting is `SSH-2.0-OpenSSH_9.2`"),
        cell(half_closed, "closed", "connection closed before the end of the greeting"),
        cell(endless, "too_large", "the greeting is longer than 65536 bytes"),
        cell(answers::reset, "reset", "connection reset by peer"),
        Cell { timeout: "0.5", ..cell(answers::silent, "timeout", "no end of the greeting within 0.5s") },
    ];
    cells::play("smtp-matrix", good, &cells, "", check)
}

#[test]
fn each_host_is_asked_once_a_round_and_the_first_failure_is_tried_again() -> Result<()> {
    let lab = Lab::new("smtp-hosts")?;
    let host = lab.host("director")?;
    let (sender, dialogues) = mpsc::channel();
    let serve = |n: u8| {
        let sender = sender.clone();
        Acceptor::start(&host, ([127, 0, 1, n], 25).into(), "mail", move |stream| {
            // A banner that comes late.
            sleep(Duration::from_millis(100));
            if let Some(commands) = converse(stream, GREETING, &ANSWERS) {
                let _ = sender.send((n, commands));
            }
        })
    };
    let _one = serve(1)?;
    let config = "virtual_server 10.78.9.9 25 {\n delay_loop 0.3\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n warmup 0\n \
        real_server 127.0.1.1 25 {\n SMTP_CHECK {\n retry 1\n delay_before_retry 0.2\n host {\n connect_ip 127.0.1.1\n }\n \
        host {\n connect_ip 127.0.1.2\n connect_port 25\n }\n }\n }\n}\n";
    let daemon = Keepwatchd::on(&host).config(config).flags(&["--check", "--dataplane", "memory"]).start()?;
    // The second host is not there: the server is out, after a second try.
    daemon.wait_for_log(
        "SMTP_CHECK on service [127.0.1.1]:tcp:25 failed after 1 retries: connection refused (at 127.0.1.2:25).",
    )?;
    daemon.wait_for_log("Removing service [127.0.1.1]:tcp:25 from VS [10.78.9.9]:tcp:25")?;
    let _two = serve(2)?;
    daemon.wait_for_log("Remote SMTP server [127.0.1.1]:tcp:25 succeed on service.")?;
    wait::until("it is back", wait::LONG, || {
        daemon.metric("keepwatch_real_server_up", &["real_server=\"127.0.1.1:25\""]) == Some(1.0)
    })?;
    let mut seen = [0, 0];
    while seen.iter().any(|count| *count < 3) {
        let (n, commands) = dialogues.recv_timeout(wait::LONG).context("a host is not asked any more")?;
        ensure!(commands == ["HELO smtpchecker.keepalived.org", "QUIT"], "{commands:?}");
        seen[usize::from(n) - 1] += 1;
    }
    Ok(())
}
