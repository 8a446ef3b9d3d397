//! The two listeners, HTTP and control socket, while clients do all that a client should not: whoever asks is answered
//! within a second.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration::{background::Background, keepwatchd::Keepwatchd, wait};

use crate::scene::{Scene, calm, quick, text};

/// Who holds a place without a word may keep it for ten seconds when nobody else wants it.
const SOON: Duration = Duration::from_secs(4);
const WHOLE: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What a client does with its connection.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Nothing at all.
    HalfOpen,
    /// Sends its request octet by octet, and never ends it.
    SlowWriter,
    /// Reads its answers octet by octet, more of them than fit the way.
    SlowReader,
    /// Never reads any.
    Deaf,
    /// Asks, is answered, and stays.
    KeptAlive,
}

impl Habit {
    fn begin(self, stream: &mut TcpStream) -> Result<()> {
        stream.set_nonblocking(true)?;
        // What does not fit the way is not needed; a connection that was ended meanwhile has done its part.
        let _ = match self {
            Self::HalfOpen => Ok(0),
            Self::SlowWriter => stream.write(b"GET /metrics HTTP/1.1\r\nX: "),
            Self::SlowReader | Self::Deaf => stream.write(WHOLE.repeat(400).as_bytes()),
            Self::KeptAlive => stream.write(WHOLE.as_bytes()),
        };
        Ok(())
    }

    fn go_on(self, stream: &mut TcpStream) {
        let mut little = [0; 1];
        let _ = match self {
            Self::HalfOpen | Self::Deaf => Ok(0),
            Self::SlowWriter => stream.write(b"y"),
            Self::SlowReader => stream.read(&mut little),
            Self::KeptAlive => stream.read(&mut [0; 65536]),
        };
    }
}

#[test]
fn a_scrape_is_answered_soon_whoever_holds_the_places() -> Result<()> {
    let scene = Scene::new("full-http")?;
    let daemon = scene.master(&calm().version_3(""), &[])?;
    let at = Keepwatchd::METRICS.parse()?;
    for habit in [Habit::HalfOpen, Habit::SlowWriter, Habit::SlowReader, Habit::Deaf, Habit::KeptAlive] {
        let mut crowd = Vec::new();
        for _ in 0..200 {
            let mut stream = scene.host.connect(at, wait::LONG)?;
            habit.begin(&mut stream)?;
            crowd.push(stream);
        }
        let _habits = Background::start("crowd", move |ending| {
            while !ending.is_near() {
                crowd.iter_mut().for_each(|stream| habit.go_on(stream));
                std::thread::sleep(Duration::from_millis(20));
            }
        })?;
        for round in 0..3 {
            let began = Instant::now();
            let page = daemon.get("/metrics")?;
            let took = began.elapsed();
            ensure!(page.body.contains("keepalived_up 1"), "{habit:?}: {}", page.body);
            ensure!(took < SOON + scene.machine.allowance(), "{habit:?}, scrape {round}: {took:?}");
        }
    }
    Ok(())
}

#[test]
fn status_is_answered_soon_whoever_holds_the_control_socket() -> Result<()> {
    let scene = Scene::new("full-control")?;
    let daemon = scene.master(&calm().version_3(""), &[])?;
    // Some of whom have begun a question.
    for begun in ["", "{\"ask\":"] {
        let mut crowd = Vec::new();
        for _ in 0..60 {
            let mut client = UnixStream::connect(daemon.control_path())?;
            client.write_all(begun.as_bytes())?;
            crowd.push(client);
        }
        let began = Instant::now();
        let status = daemon.answer(&["status"])?;
        let took = began.elapsed();
        ensure!(status.contains("MASTER"), "{status}");
        ensure!(took < SOON + scene.machine.allowance(), "{took:?}");
    }
    Ok(())
}

#[test]
fn whoever_listens_to_others_than_this_host_says_so() -> Result<()> {
    let scene = Scene::new("exposed")?;
    let daemon = scene.master(&quick().version_3(""), &["--listen", "0.0.0.0:9165"])?;
    daemon.wait_for_log("the HTTP server listens on 0.0.0.0:9165, which is not loopback")?;
    let asked_as = |host: &str| -> Result<String> {
        let mut stream = scene.host.connect("10.78.0.1:9165".parse()?, wait::SHORT)?;
        stream.set_read_timeout(Some(wait::LONG))?;
        write!(stream, "GET /api/v1/world HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(text(&answer))
    };
    for (host, status) in [("10.78.0.1:9165", 200), ("localhost", 200), ("rebound.example:9165", 403)] {
        let answer = asked_as(host)?;
        ensure!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
        ensure!(answer.contains("VI_1") == (status == 200), "{host}: {answer}");
    }
    Ok(())
}
