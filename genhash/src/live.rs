//! What a running daemon knows of its pages: the JSON of its `/api/v1/world` in, a list for people out.
//!
//! Each URL of an HTTP_GET or SSL_GET that has a `digest` is shown with the digest that is configured, the one that the
//! page has, since when, and, where they differ, the line to paste. Of a URL without one, the command that tells it.

use std::io::{self, Write};

use serde::Deserialize;

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
    #[serde(default)]
    connect_to: String,
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
    /// Writes the list.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn list(&self, out: &mut impl Write) -> io::Result<()> {
        let mut shown = 0;
        for real in self.services.iter().flat_map(|service| &service.reals) {
            for (index, checker) in real.settings.checkers.iter().enumerate() {
                let kind = &checker.kind.r#type;
                // Those that follow files are counted by themselves.
                let seen = real.checkers.iter().find(|seen| seen.index == index && seen.kind == *kind);
                for (number, url) in checker.kind.urls.iter().enumerate() {
                    let page = seen.and_then(|seen| seen.pages.iter().find(|page| page.url == number));
                    entry(out, real, &checker.kind, url, page)?;
                    shown += 1;
                }
            }
        }
        if shown == 0 { writeln!(out, "the daemon has no HTTP_GET and no SSL_GET") } else { Ok(()) }
    }
}

fn entry(out: &mut impl Write, real: &Real, kind: &Kind, url: &Url, page: Option<&Page>) -> io::Result<()> {
    let host = url.host.as_deref().map(|host| format!(" (Host: {host})")).unwrap_or_default();
    writeln!(out, "{} {} {}{host}", real.address, kind.r#type, url.path)?;
    match (&url.digest, page) {
        (None, _) => writeln!(out, "  configured  none; to see it: {}", command(kind, url)),
        (Some(configured), None) => {
            writeln!(out, "  configured  {configured}\n  seen        not yet")
        }
        (Some(configured), Some(page)) => {
            writeln!(out, "  configured  {configured}")?;
            writeln!(out, "  seen        {}  since {}", page.digest, page.changed.at)?;
            match *configured == page.digest {
                true => Ok(()),
                false => writeln!(out, "  to paste    digest {}", page.digest),
            }
        }
    }
}

/// The command that shows the digest of a URL.
fn command(kind: &Kind, url: &Url) -> String {
    let (address, port) = kind.connect_to.rsplit_once(':').unwrap_or((&kind.connect_to, ""));
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let mut command = format!("genhash -s {address} -p {port} -u {}", quoted(&url.path));
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

    const WORLD: &str = r#"{"version": 7, "services": [{"key": {}, "reals": [{"address": "10.0.0.2:80", "settings": {"checkers": [
        {"kind": {"type": "TCP_CHECK", "connect_to": "10.0.0.2:80"}},
        {"kind": {"type": "SSL_GET", "connect_to": "[fd00::2]:443", "version": "1.1", "urls": [
            {"path": "/a", "host": null, "digest": "aa", "tls": {"server_name": null}},
            {"path": "/b", "host": "w.example", "digest": "bb", "tls": {"server_name": null}},
            {"path": "/c", "host": null, "digest": "cc", "tls": {"server_name": null}},
            {"path": "/d?x=1&y", "host": "w.example", "digest": null, "tls": {"server_name": "w.example"}}]}}]},
        "checkers": [{"checker": "FILE_CHECK", "index": 1, "ok": true}, {"checker": "SSL_GET", "index": 1, "ok": false, "pages": [
            {"url": 0, "digest": "aa", "changed": {"at": "2026-11-28T10:00:00Z", "event": 1}},
            {"url": 1, "digest": "xx", "changed": {"at": "2026-11-28T10:00:01Z", "event": 2}}]}]}]}]}"#;

    #[test]
    fn every_url_is_listed_with_what_is_configured_and_what_was_seen() {
        let world: World = serde_json::from_str(WORLD).unwrap();
        let mut out = Vec::new();
        world.list(&mut out).unwrap();
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
  configured  none; to see it: genhash -s fd00::2 -p 443 -u '/d?x=1&y' -S -I -V w.example -P 1.1
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
