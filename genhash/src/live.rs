//! What a running daemon knows of its pages: the JSON of its world in, a list for people out. The daemon is asked over its
//! control socket, or over HTTP (`/api/v1/world`).
//!
//! Each URL of an HTTP_GET or SSL_GET that has a `digest` is shown with the digest that is configured, the one that the
//! page has, since when, and, where they differ, the line to paste. The page of a URL without one is digested by nobody: it
//! is asked for here and now.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use std::{convert::Infallible, net::SocketAddr};

use serde::Deserialize;

use crate::{Page as Fetched, Request, Tls};

/// The control socket of a daemon that was not told another place for it.
pub const CONTROL_SOCKET: &str = "/run/keepwatch/control.sock";
/// Where the daemon serves HTTP unless it was told another place.
pub const LISTENER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9165);

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a daemon is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// Over HTTP.
    Listener(SocketAddr),
    /// Over its control socket.
    Socket(PathBuf),
}

impl FromStr for Daemon {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Socket(text.into()), Self::Listener))
    }
}

/// Why a daemon told nothing of its pages.
#[derive(Debug, thiserror::Error)]
pub enum Silent {
    /// Nobody is at the control socket, or we may not ask him, or he does not go on.
    #[error("the control socket {}: {error}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// He refuses the question.
    #[error("the control socket {}: {message}", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// What is there is something else, or of another version.
    #[error("what {0} says of itself is not what keepwatchd says: {1}")]
    Garbled(String, serde_json::Error),
    /// No page came over HTTP.
    #[error("over HTTP: {0}")]
    Listener(crate::Error),
    /// Another page came.
    #[error("the listener {0} answers with status {1}: is it keepwatchd's, and has it users?")]
    Status(SocketAddr, u16),
}

#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum Answer {
    Status { world: World },
    Error { message: String },
}

/// The part of the world that is of interest here. Unknown fields are passed over, so that other versions are understood.
#[derive(Debug, Deserialize)]
pub struct World {
    services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
struct Service {
    reals: Vec<Real>,
}

#[derive(Debug, Deserialize)]
struct Real {
    address: String,
    settings: Settings,
    #[serde(default)]
    checkers: Vec<Seen>,
}

#[derive(Debug, Deserialize)]
struct Settings {
    checkers: Vec<Checker>,
}

#[derive(Debug, Deserialize)]
struct Checker {
    kind: Kind,
}

#[derive(Debug, Deserialize)]
struct Kind {
    r#type: String,
    connect_to: Option<SocketAddr>,
    fwmark: Option<u32>,
    #[serde(default)]
    version: String,
    #[serde(default)]
    urls: Vec<Url>,
}

#[derive(Debug, Deserialize)]
struct Url {
    path: String,
    host: Option<String>,
    digest: Option<String>,
    tls: Option<TlsUrl>,
}

#[derive(Debug, Deserialize)]
struct TlsUrl {
    server_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Seen {
    /// As the world has it, `kind` being the name of facts.
    #[serde(rename = "checker")]
    kind: String,
    index: usize,
    #[serde(default)]
    pages: Vec<Page>,
}

#[derive(Debug, Deserialize)]
struct Page {
    url: usize,
    digest: String,
    changed: Changed,
}

#[derive(Debug, Deserialize)]
struct Changed {
    at: String,
}

impl World {
    /// Asks a daemon.
    ///
    /// # Errors
    /// When it tells nothing, or what it tells is not understood.
    pub async fn ask(daemon: &Daemon) -> Result<Self, Silent> {
        match daemon {
            Daemon::Listener(at) => over_http(*at).await,
            Daemon::Socket(path) => over_socket(path),
        }
    }

    /// What is to be asked for to digest the pages of the URLs that have no digest, in the order of the list.
    pub fn without_digest(&self) -> Vec<Request> {
        let all = self.urls().filter(|(_, _, url, _)| url.digest.is_none());
        all.filter_map(|(_, kind, url, _)| request(kind, url)).collect()
    }

    /// Every URL: its real server, its checker, and what was seen of its page.
    fn urls(&self) -> impl Iterator<Item = (&Real, &Kind, &Url, Option<&Page>)> {
        let reals = self.services.iter().flat_map(|service| &service.reals);
        let checkers = reals.flat_map(|real| {
            real.settings
                .checkers
                .iter()
                .enumerate()
                .map(move |(index, checker)| (real, index, &checker.kind))
        });
        checkers.flat_map(|(real, index, kind)| {
            // Those that follow files are counted by themselves.
            let seen = real.checkers.iter().find(|seen| seen.index == index && seen.kind == kind.r#type);
            kind.urls.iter().enumerate().map(move |(number, url)| {
                let page = seen.and_then(|seen| seen.pages.iter().find(|page| page.url == number));
                (real, kind, url, page)
            })
        })
    }

    /// Writes the list; `now` is what came of asking for the pages [without a digest](Self::without_digest).
    ///
    /// # Errors
    /// Those of `out`.
    pub fn list(
        &self,
        now: impl IntoIterator<Item = Option<Result<Fetched, crate::Error>>>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let (mut now, mut shown) = (now.into_iter(), 0);
        for (real, kind, url, page) in self.urls() {
            let host = url.host.as_deref().map(|host| format!(" (Host: {host})")).unwrap_or_default();
            writeln!(out, "{} {} {}{host}", real.address, kind.r#type, url.path)?;
            match &url.digest {
                Some(configured) => with_digest(out, configured, page)?,
                None => {
                    let asked = request(kind, url).and_then(|_| now.next().flatten());
                    without_digest(out, kind, url, asked)?;
                }
            }
            shown += 1;
        }
        if shown == 0 { writeln!(out, "the daemon has no HTTP_GET and no SSL_GET") } else { Ok(()) }
    }
}

fn over_socket(path: &Path) -> Result<World, Silent> {
    let said = |error| Silent::Socket { path: path.to_owned(), error };
    let mut stream = UnixStream::connect(path).map_err(said)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(said)?;
    stream.write_all(b"{\"ask\":\"status\"}\n").map_err(said)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(said)?;
    match serde_json::from_str(&line) {
        Ok(Answer::Status { world }) => Ok(world),
        Ok(Answer::Error { message }) => Err(Silent::Refused { path: path.to_owned(), message }),
        Err(error) => Err(Silent::Garbled(path.display().to_string(), error)),
    }
}

async fn over_http(at: SocketAddr) -> Result<World, Silent> {
    let page = crate::digest(&Request::new(at, "/api/v1/world")).await;
    let page = page.map_err(Silent::Listener)?;
    if page.status != 200 {
        return Err(Silent::Status(at, page.status));
    }
    serde_json::from_slice(&page.body).map_err(|error| Silent::Garbled(at.to_string(), error))
}

fn with_digest(out: &mut impl Write, configured: &str, page: Option<&Page>) -> io::Result<()> {
    writeln!(out, "  configured  {configured}")?;
    match page {
        None => writeln!(out, "  seen        not yet"),
        Some(page) => {
            writeln!(out, "  seen        {}  since {}", page.digest, page.changed.at)?;
            match *configured == *page.digest {
                true => Ok(()),
                false => writeln!(out, "  to paste    digest {}", page.digest),
            }
        }
    }
}

fn without_digest(
    out: &mut impl Write,
    kind: &Kind,
    url: &Url,
    now: Option<Result<Fetched, crate::Error>>,
) -> io::Result<()> {
    writeln!(out, "  configured  none")?;
    match now {
        Some(Ok(page)) => {
            let status = if page.status == 200 { String::new() } else { format!("  status {}", page.status) };
            writeln!(out, "  seen now    {}{status}", page.digest)
        }
        Some(Err(error)) => writeln!(out, "  seen now    no: {error}; to try: {}", command(kind, url)),
        None => writeln!(out, "  seen now    no; to try: {}", command(kind, url)),
    }
}

/// As the checker asks for it, with the digest that `digest` is compared with.
fn request(kind: &Kind, url: &Url) -> Option<Request> {
    let mut request = Request::new(kind.connect_to?, &*url.path);
    request.virtual_host = url.host.clone();
    request.version = kind.version.parse().unwrap_or_default();
    request.fwmark = kind.fwmark;
    request.tls = url.tls.as_ref().map(|tls| Tls { server_name: tls.server_name.clone() });
    Some(request)
}

/// The command that shows the digest of a URL.
fn command(kind: &Kind, url: &Url) -> String {
    let at = kind.connect_to.map(|to| format!(" -s {} -p {}", to.ip(), to.port())).unwrap_or_default();
    let mut command = format!("genhash{at} -u {}", quoted(&url.path));
    if let Some(tls) = &url.tls {
        command += if tls.server_name.is_some() { " -S -I" } else { " -S" };
    }
    if let Some(host) = &url.host {
        command += &format!(" -V {}", quoted(host));
    }
    if !matches!(&*kind.version, "" | "1.0") {
        command += &format!(" -P {}", kind.version);
    }
    command
}

/// As a shell wants it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Digest, HttpVersion};

    const WORLD: &str = r#"{"version": 7, "services": [{"key": {}, "reals": [{"address": "10.0.0.2:80", "settings": {"checkers": [
        {"kind": {"type": "TCP_CHECK", "connect_to": "10.0.0.2:80"}},
        {"kind": {"type": "SSL_GET", "connect_to": "[fd00::2]:443", "version": "1.1", "urls": [
            {"path": "/a", "host": null, "digest": "aa", "tls": {"server_name": null}},
            {"path": "/b", "host": "w.example", "digest": "bb", "tls": {"server_name": null}},
            {"path": "/c", "host": null, "digest": "cc", "tls": {"server_name": null}},
            {"path": "/d?x=1&y", "host": "w.example", "digest": null, "tls": {"server_name": "w.example"}},
            {"path": "/e", "host": null, "digest": null, "tls": null}]}}]},
        "checkers": [{"checker": "FILE_CHECK", "index": 1, "ok": true}, {"checker": "SSL_GET", "index": 1, "ok": false, "pages": [
            {"url": 0, "digest": "aa", "changed": {"at": "2026-11-28T10:00:00Z", "event": 1}},
            {"url": 1, "digest": "xx", "changed": {"at": "2026-11-28T10:00:01Z", "event": 2}}]}]}]}]}"#;

    #[test]
    fn every_url_is_listed_with_what_is_configured_and_what_was_seen() {
        let world: World = serde_json::from_str(WORLD).unwrap();
        let mut out = Vec::new();
        let asked: Vec<Request> = world.without_digest();
        assert_eq!(asked.iter().map(|request| &*request.path).collect::<Vec<_>>(), ["/d?x=1&y", "/e"]);
        assert_eq!(
            (asked[0].server, asked[0].version),
            ("[fd00::2]:443".parse().unwrap(), HttpVersion::V1_1)
        );
        assert!(asked[0].tls.as_ref().is_some_and(|tls| tls.server_name.as_deref() == Some("w.example")));
        assert_eq!((asked[0].virtual_host.as_deref(), asked[1].tls.is_some()), (Some("w.example"), false));
        let answer = Fetched {
            status: 503,
            header: Vec::new(),
            body: b"hello".to_vec(),
            content_length: None,
            digest: Digest::of(Algorithm::Md5, b"hello"),
        };
        world.list([Some(Err(crate::Error::Request('\r'))), Some(Ok(answer))], &mut out).unwrap();
        let expected = "\
10.0.0.2:80 SSL_GET /a
  configured  aa
  seen        aa  since 2026-11-28T10:00:00Z
10.0.0.2:80 SSL_GET /b (Host: w.example)
  configured  bb
  seen        xx  since 2026-11-28T10:00:01Z
  to paste    digest xx
10.0.0.2:80 SSL_GET /c
  configured  cc
  seen        not yet
10.0.0.2:80 SSL_GET /d?x=1&y (Host: w.example)
  configured  none
  seen now    no: ERROR; to try: genhash -s fd00::2 -p 443 -u '/d?x=1&y' -S -I -V w.example -P 1.1
10.0.0.2:80 SSL_GET /e
  configured  none
  seen now    5d41402abc4b2a76b9719d911017c592  status 503
";
        let expected = expected.replace("ERROR", &crate::Error::Request('\r').to_string());
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn an_address_with_a_port_is_a_listener_and_all_else_is_a_socket() {
        for (text, expected) in [
            ("127.0.0.1:9165", Daemon::Listener(LISTENER)),
            ("[::1]:80", Daemon::Listener("[::1]:80".parse().unwrap())),
            ("/run/a.sock", Daemon::Socket("/run/a.sock".into())),
            ("a.sock", Daemon::Socket("a.sock".into())),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
    }

    #[test]
    fn over_the_control_socket_the_state_is_asked_for_and_a_refusal_is_told() {
        let directory = std::env::temp_dir().join(format!("genhash-live-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("control.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let world = WORLD.replace('\n', " ");
        let answers = [
            format!("{{\"answer\":\"status\",\"now\":\"2026-11-28T10:00:00Z\",\"world\":{world}}}\n"),
            "{\"answer\":\"error\",\"message\":\"not now\"}\n".to_owned(),
        ];
        let daemon = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut question = String::new();
                BufReader::new(&stream).read_line(&mut question).unwrap();
                assert_eq!(question, "{\"ask\":\"status\"}\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        assert_eq!(over_socket(&path).unwrap().urls().count(), 5);
        assert!(matches!(over_socket(&path), Err(Silent::Refused { message, .. }) if message == "not now"));
        daemon.join().unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(
            matches!(over_socket(&path), Err(Silent::Socket { error, .. }) if error.kind() == io::ErrorKind::NotFound)
        );
    }
}
