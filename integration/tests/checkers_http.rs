//! `HTTP_GET`, `SSL_GET` and `SMTP_CHECK` of the real daemon against servers that do well and servers that fail in every
//! way: who leaves, who returns, and what is said of it.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::background::Acceptor;
use integration::{Host, Lab, binaries, keepwatchd::Keepwatchd, wait};

#[path = "checkers_http/answers.rs"]
mod answers;
#[path = "checkers_http/cells.rs"]
mod cells;
#[path = "checkers_http/mail.rs"]
mod mail;
#[path = "checkers_http/tls.rs"]
mod tls;

use cells::{Cell, DOWN, Server, cell};

/// MD5 of `hello world`.
pub(crate) const HELLO: &str = "5eb63bbbe01eeed093cb22bb8f5acdc3";

fn http_get(timeout: &str) -> String {
    format!(
        "HTTP_GET {{\n connect_timeout {timeout}\n url {{\n path /first\n status_code 200\n }}\n url {{\n path /page\n \
         digest {HELLO}\n regex \"^hello .*ld$\"\n }}\n }}"
    )
}

#[test]
fn a_web_server_that_fails_in_any_way_leaves_and_comes_back() -> Result<()> {
    let cells = [
        DOWN,
        cell(answers::status_503, "status", "status 503 for /first is not in 200"),
        cell(answers::elsewhere, "status", "status 302 for /first is not in 200"),
        cell(answers::interim, "status", "status 100 for /first is not in 200"),
        cell(answers::other_body, "digest", "of /page is not 5eb63bbbe01eeed093cb22bb8f5acdc3"),
        cell(answers::garbage, "garbage", "this is no HTTP answer"),
        cell(answers::half_closed, "closed", "connection closed without an answer to /first"),
        cell(answers::cut_header, "closed", "connection closed after 27 bytes of the header for /first"),
        cell(answers::endless, "too_large", "the body of /first is longer than 16777216 bytes"),
        cell(answers::endless_header, "too_large", "the header is longer than 65536 bytes"),
        cell(answers::reset_at_once, "reset", "connection reset by peer"),
        Cell {
            timeout: "0.5",
            ..cell(answers::silent, "timeout", "no end of the answer to /first within 0.5s")
        },
        Cell {
            timeout: "0.3",
            ..cell(answers::dripping, "timeout", "no end of the answer to /first within 3s")
        },
    ];
    cells::play("http-matrix", answers::good, &cells, "", http_get)
}

fn director(host: &Host, reals: &str) -> Result<Keepwatchd> {
    let config = format!(
        "virtual_server 10.78.9.9 80 {{\n delay_loop 0.2\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n warmup 0\n \
         virtualhost outer.example\n{reals}\n}}\n"
    );
    Keepwatchd::on(host).config(config).flags(&["--check", "--dataplane", "memory"]).start()
}

#[test]
fn an_answer_is_judged_by_its_content_and_not_by_how_the_connection_ends() -> Result<()> {
    let lab = Lab::new("http-content")?;
    let host = lab.host("director")?;
    // The framing of chunks is digested too, as keepalived does.
    let chunked = "db124d76e8657ebd0cc33504f58a5de7";
    let servers: [(cells::Act, &str); 7] = [
        (answers::length_and_open, HELLO),
        (answers::chunks_and_open, chunked),
        (answers::page_and_reset, HELLO),
        (answers::sloppy, HELLO),
        (answers::cut_body, HELLO),
        (answers::more_than_announced, HELLO),
        (answers::in_time_by_parts, HELLO),
    ];
    let mut running = Vec::new();
    let mut reals = String::new();
    for (n, (act, digest)) in (1u8..).zip(servers) {
        running.push(Server::start(&host, ([127, 0, 1, n], 8080).into(), act)?);
        reals += &format!(
            " real_server 127.0.1.{n} 8080 {{\n HTTP_GET {{\n alpha\n connect_timeout 3\n url {{\n path /\n digest {digest}\n }}\n }}\n }}\n"
        );
    }
    let daemon = director(&host, &reals)?;
    for n in 1..=servers.len() {
        let label = format!("real_server=\"127.0.1.{n}:8080\"");
        let good = || {
            let count = daemon.metric("keepwatch_checks_total", &[&label, "result=\"success\""]);
            count.is_some_and(|count| count >= 3.0)
        };
        wait::until("three checks were good", wait::LONG, good).context(daemon.process().log())?;
    }
    let log = daemon.process().log();
    ensure!(!log.contains("failed"), "a good answer was refused\n{log}");
    Ok(())
}

#[test]
fn a_pattern_is_looked_for_in_the_body_alone_and_may_be_one_that_must_not_be_there() -> Result<()> {
    let lab = Lab::new("http-pattern")?;
    let host = lab.host("director")?;
    // The page says `Server: test` in its header, and `hello world` in its body.
    let patterns = [
        ("regex Server", Some("/ does not match regex `Server`")),
        ("regex Server\n regex_no_match", None),
        ("regex hello\n regex_no_match", Some("/ matches regex `hello`")),
        ("regex world\n regex_min_offset 6\n regex_max_offset 6", None),
        ("regex world\n regex_min_offset 7", Some("/ does not match regex `world`")),
        ("regex world\n regex_max_offset 5", Some("/ does not match regex `world`")),
    ];
    let mut running = Vec::new();
    let mut reals = String::new();
    for (n, (pattern, _)) in (1u8..).zip(patterns) {
        running.push(Server::start(&host, ([127, 0, 1, n], 8080).into(), answers::good)?);
        reals += &format!(
            " real_server 127.0.1.{n} 8080 {{\n HTTP_GET {{\n connect_timeout 3\n retry 0\n url {{\n path /\n {pattern}\n }}\n }}\n }}\n"
        );
    }
    let daemon = director(&host, &reals)?;
    for (n, (pattern, fails)) in (1u8..).zip(patterns) {
        let at = format!("127.0.1.{n}:8080");
        let label = format!("real_server=\"{at}\"");
        let result = if fails.is_some() { "result=\"failure\"" } else { "result=\"success\"" };
        let judged = || daemon.metric("keepwatch_checks_total", &[&label, result]) >= Some(2.0);
        wait::until("it was judged twice", wait::LONG, judged).with_context(|| pattern.to_owned())?;
        let status = daemon.answer(&["status"])?;
        let mut lines = status.lines().map(str::trim_start);
        let line = lines.find(|line| line.starts_with(&format!("{at} "))).unwrap_or_default();
        let is = line.split_whitespace().nth(1);
        ensure!(is == Some(if fails.is_some() { "down" } else { "up" }), "{pattern}: {line}");
        ensure!(line.contains(fails.unwrap_or_default()), "{pattern}: {line}");
    }
    Ok(())
}

#[test]
fn requests_are_keepaliveds_byte_for_byte() -> Result<()> {
    let lab = Lab::new("http-requests")?;
    let host = lab.host("director")?;
    let (sender, requests) = mpsc::channel();
    let _server = Acceptor::start(&host, ([127, 0, 1, 1], 8080).into(), "web", move |mut stream| {
        let sender = sender.clone();
        drop(thread::Builder::new().spawn(move || {
            if let Some(request) = answers::request(&mut stream) {
                let _ = sender.send(request);
                let _ = std::io::Write::write_all(&mut stream, answers::PAGE);
            }
        }));
    })?;
    let checker = |protocol: &str, urls: &str| {
        format!("HTTP_GET {{\n connect_timeout 3\n connect_port 8080\n {protocol}\n{urls}\n }}\n")
    };
    let own = "virtualhost checker.example\n url {\n path /own?a=b\n virtualhost own.example:99\n }\n url {\n path /checker\n }";
    let reals = format!(
        "real_server 127.0.1.1 1 {{\n virtualhost real.example\n{}{}}}\nreal_server 127.0.1.1 2 {{\n{}}}\n",
        checker("http_protocol 1.0C", own),
        checker("http_protocol 1.1", "url {\n path /real\n }"),
        checker("", "url {\n path /outer\n }"),
    );
    let _daemon = director(&host, &reals)?;
    let request = |path: &str, version: &str, close: &str, name: &str| {
        format!("GET {path} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: {name}\r\n\r\n")
    };
    let close = "Connection: close\r\n";
    let mut missing = vec![
        request("/own?a=b", "1.0", close, "own.example:99"),
        request("/checker", "1.0", close, "checker.example"),
        request("/real", "1.1", close, "real.example"),
        request("/outer", "1.0", "", "outer.example"),
    ];
    let known = missing.clone();
    while !missing.is_empty() {
        let came = requests.recv_timeout(wait::LONG).with_context(|| format!("{missing:?} did not come"))?;
        ensure!(known.contains(&came), "{came:?} is none of {known:?}");
        missing.retain(|one| *one != came);
    }
    Ok(())
}

#[test]
fn a_server_whose_port_is_closed_at_the_start_is_out_at_once_and_every_url_is_asked_each_round() -> Result<()>
{
    let lab = Lab::new("http-rounds")?;
    let host = lab.host("director")?;
    let reals = format!("real_server 127.0.1.1 8080 {{\n retry 3\n{}\n}}\n", http_get("2"));
    let daemon = director(&host, &reals)?;
    daemon.wait_for_log("HTTP_CHECK on service [127.0.1.1]:tcp:8080 failed: connection refused.")?;
    let (sender, paths) = mpsc::channel();
    let _server = Acceptor::start(&host, ([127, 0, 1, 1], 8080).into(), "web", move |mut stream| {
        if let Some(request) = answers::request(&mut stream) {
            let _ = sender.send(request.split(' ').nth(1).unwrap_or_default().to_owned());
            let _ = std::io::Write::write_all(&mut stream, answers::PAGE);
        }
    })?;
    daemon.wait_for_log("Remote Web server [127.0.1.1]:tcp:8080 succeed on service.")?;
    for round in 0..3 {
        for expected in ["/first", "/page"] {
            let came = paths.recv_timeout(wait::SHORT)?;
            ensure!(came == expected, "{came} in round {round}, not {expected}");
        }
    }
    Ok(())
}

#[test]
fn genhash_lists_what_the_daemon_sees_and_follows_a_page() -> Result<()> {
    let lab = Lab::new("http-genhash")?;
    let host = lab.host("director")?;
    let mut server = Server::start(&host, ([127, 0, 1, 1], 8080).into(), answers::other_body)?;
    let daemon = director(&host, &format!("real_server 127.0.1.1 8080 {{\n{}\n}}\n", http_get("3")))?;
    let genhash = &binaries::path("genhash")?;
    let list = || {
        let output = host.output(genhash, &["--live"]).ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    // MD5 of `hello there`.
    let paste = "to paste    digest 161bc25962da8fed6d2f59922fb642aa";
    let told = wait::value("the digest to paste is listed", wait::LONG, || {
        list().filter(|list| list.contains(paste))
    });
    let told = told.context(daemon.process().log())?;
    ensure!(told.contains(&format!("configured  {HELLO}")) && told.contains("  since 2"), "{told}");
    ensure!(told.contains("to see it: genhash -s 127.0.1.1 -p 8080 -u /first -V outer.example"), "{told}");
    let arguments = ["-s", "127.0.1.1", "-p", "8080", "-u", "/", "--watch"];
    let follows = host.process("genhash", genhash).args(arguments).start()?;
    follows.wait_for_log("161bc25962da8fed6d2f59922fb642aa (status 200, 11 bytes)", wait::LONG)?;
    server.set(Some(answers::good))?;
    follows.wait_for_log(&format!("{HELLO} (status 200, 11 bytes)"), wait::LONG)?;
    wait::until("nothing is left to paste", wait::LONG, || {
        list().is_some_and(|list| !list.contains("to paste"))
    })
}

#[test]
fn many_checks_at_once_of_one_tls_server_find_it_well() -> Result<()> {
    tls::two_hundred(Duration::from_secs(6))
}
