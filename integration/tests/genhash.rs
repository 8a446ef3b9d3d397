//! `genhash` beside keepalived's own, on the same web server: the same request gives the same output.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::Output,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{Host, Lab, Process, binaries, wait};

const HTTP: &str = "127.0.0.1:8080";
const HTTPS: &str = "127.0.0.1:8443";

/// A page small enough to come in one piece (keepalived dumps piece by piece), with bytes that are no text.
const ODD: &[u8] = b"abc\tdef\x00\x7f\x80\xff;[]0123456789xyz and more text\r\nlines";

/// A host with nginx, by HTTP and HTTPS.
struct Site {
    host: Host,
    _nginx: Process,
    _lab: Lab,
}

impl Site {
    fn new() -> Result<Self> {
        let lab = Lab::new("genhash")?;
        let host = lab.host("web")?;
        let own = host.directory().to_owned();
        let root = own.join("www");
        std::fs::create_dir(&root)?;
        std::fs::write(root.join("index.html"), "hello keepwatch\n")?;
        std::fs::write(root.join("odd.txt"), ODD)?;
        std::fs::write(root.join("empty"), "")?;
        std::fs::write(root.join("large"), vec![b'x'; 300_000])?;
        let (key, certificate) = (own.join("key.pem"), own.join("certificate.pem"));
        let subject =
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=web.example"];
        let mut openssl: Vec<String> = subject.map(str::to_owned).to_vec();
        openssl.extend(["-keyout".to_owned(), key.display().to_string()]);
        openssl.extend(["-out".to_owned(), certificate.display().to_string()]);
        host.run("openssl", &openssl.iter().map(String::as_str).collect::<Vec<_>>())?;
        let config = format!(
            "daemon off; master_process off; pid {0}/nginx.pid; error_log stderr;
             events {{ worker_connections 64; }}
             http {{
                 access_log off; default_type text/plain; client_body_temp_path {0}/b; proxy_temp_path {0}/p;
                 fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
                 server {{
                     listen {HTTP}; listen {HTTPS} ssl;
                     ssl_certificate {1}; ssl_certificate_key {2}; root {0}/www;
                     location = /host {{ return 200 \"$http_host $server_protocol $http_user_agent $http_connection $ssl_server_name\"; }}
                 }}
             }}",
            own.display(),
            certificate.display(),
            key.display()
        );
        let config = host.file("nginx.conf", &config)?;
        let nginx = host.process("nginx", "nginx").arg("-c").arg(config).arg("-e").arg("stderr").start()?;
        let site = Self { host, _nginx: nginx, _lab: lab };
        for at in [HTTP, HTTPS] {
            let at: SocketAddr = at.parse()?;
            wait::until("nginx accepts connections", wait::LONG, || {
                site.host.connect(at, Duration::from_secs(1)).is_ok()
            })?;
        }
        Ok(site)
    }

    fn ours(&self, arguments: &[&str]) -> Result<Output> {
        self.host.output(binaries::path("genhash")?, arguments)
    }

    fn theirs(&self, arguments: &[&str]) -> Result<String> {
        let all: Vec<_> = ["--genhash"].iter().chain(arguments).copied().collect();
        self.host.run("keepalived", &all)
    }

    /// Runs both with the same arguments; ours must succeed.
    fn both(&self, ours: &[&str], theirs: &[&str]) -> Result<(String, String)> {
        let output = self.ours(ours)?;
        ensure!(output.status.success(), "genhash {ours:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok((String::from_utf8_lossy(&output.stdout).into_owned(), self.theirs(theirs)?))
    }
}

/// An output without the measured time and without the dump lines that hold the server's clock.
fn timeless(text: &str) -> Vec<&str> {
    let header_end = text.find("-----------------------[ HTTP Header Ascii").unwrap_or(0);
    text[header_end..]
        .lines()
        .filter(|line| !line.starts_with("Date: ") && !line.starts_with("Global response time for ["))
        .collect()
}

#[test]
fn verbose_output_is_keepalived_s_byte_for_byte() -> Result<()> {
    let site = Site::new()?;
    for path in ["/", "/odd.txt", "/empty", "/nothing-here", "/host"] {
        for version in ["1.0", "1.0c", "1.1"] {
            let arguments = ["-s", "127.0.0.1", "-p", "8080", "-u", path, "-P", version, "-v"];
            let (ours, theirs) = site.both(&arguments, &arguments)?;
            assert_eq!(timeless(&ours), timeless(&theirs), "{path} by {version}");
            assert!(ours.contains(&format!("Global response time for [{path}] = ")));
        }
    }
    // Once with everything: the dump of the header too, where both fell into the same second.
    let arguments = ["-s", "127.0.0.1", "-p", "8080", "-u", "/", "-v"];
    wait::until("both answers come within one second", wait::LONG, || {
        site.both(&arguments, &arguments).is_ok_and(|(ours, theirs)| {
            let strip = |text: &str| text.split("\nGlobal response").next().unwrap_or_default().to_owned();
            strip(&ours) == strip(&theirs)
        })
    })
}

#[test]
fn digests_are_keepalived_s_with_and_without_tls() -> Result<()> {
    let site = Site::new()?;
    for path in ["/", "/odd.txt", "/empty", "/large", "/nothing-here"] {
        let plain = ["-s", "127.0.0.1", "-p", "8080", "-u", path];
        let (ours, theirs) = site.both(&[&plain[..], &["-q"]].concat(), &plain)?;
        assert_eq!(ours, theirs, "{path}");
        let tls = ["-S", "-s", "127.0.0.1", "-p", "8443", "-u", path];
        let (ours, theirs) = site.both(&[&tls[..], &["--quiet"]].concat(), &tls)?;
        assert_eq!(ours, theirs, "{path} by TLS");
    }
    // The virtual host and the server name arrive as keepalived sends them.
    let named = ["-S", "-I", "-V", "web.example", "-s", "127.0.0.1", "-p", "8443", "-u", "/host"];
    let (ours, theirs) = site.both(&[&named[..], &["-q"]].concat(), &named)?;
    assert_eq!(ours, theirs);
    let page = site.ours(&named)?;
    assert!(String::from_utf8_lossy(&page.stdout).contains("web.example HTTP"), "{page:?}");
    Ok(())
}

#[test]
fn without_options_it_prints_dumps_and_the_digest_line() -> Result<()> {
    let site = Site::new()?;
    let url = ["-s", "127.0.0.1", "-p", "8080", "-u", "/"];
    let text = String::from_utf8(site.ours(&url)?.stdout)?;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "-----------------------[    HTTP Header Buffer    ]-----------------------");
    assert_eq!(lines[1], "0000  48 54 54 50 2f 31 2e 31 - 20 32 30 30 20 4f 4b 0d   HTTP/1.1 200 OK.");
    assert_eq!(
        lines[lines.len() - 4..],
        [
            "-----------------------[        HTML Buffer        ]-----------------------",
            "0000  68 65 6c 6c 6f 20 6b 65 - 65 70 77 61 74 63 68 0a   hello keepwatch.",
            "-----------------------[ HTML hash final resulting ]-----------------------",
            "MD5 Digest : 4276af3511fc5faa1f20bf4b253fb36a",
        ]
    );
    for (hash, line) in [
        ("sha1", "SHA1 Digest : 26cae9ae074c7aa2604f2b349d4e08fd7fde8cfa"),
        ("SHA256", "SHA256 Digest : 2862f1e3685d1d5aa1834d75d95e74001c3a9dc157c942374df35eab71df352f"),
    ] {
        let text = String::from_utf8(site.ours(&[&url[..], &["-H", hash]].concat())?.stdout)?;
        assert_eq!(text.lines().last(), Some(line));
    }
    Ok(())
}

#[test]
fn mistakes_and_dead_servers_end_with_an_error() -> Result<()> {
    let site = Site::new()?;
    let usage = [&["-s", "127.0.0.1"][..], &["-Z"], &["-s", "x", "-p", "0", "-u", "/"], &["-H", "crc32"]];
    for arguments in usage {
        let output = site.ours(arguments)?;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
    let refused = site.ours(&["-s", "127.0.0.1", "-p", "9", "-u", "/"])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.starts_with("genhash: 127.0.0.1:9: connecting failed: Connection refused"), "{said}");

    // Accepts and never answers.
    let silent = site.host.listen("127.0.0.1:9000".parse()?)?;
    let output = site.ours(&["-s", "127.0.0.1", "-p", "9000", "-u", "/", "-t", "1"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("reading the answer took longer than 1s"), "{said}");
    drop(silent);

    // Closes in the middle of the header.
    let cut = site.host.listen("127.0.0.1:9001".parse()?)?;
    let server = thread::spawn(move || -> Result<()> {
        let (mut stream, _) = cut.accept()?;
        let _ = stream.read(&mut [0; 1024])?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
        Ok(())
    });
    let output = site.ours(&["-s", "127.0.0.1", "-p", "9001", "-u", "/"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the connection closed after 20 bytes, before the header was complete"), "{said}");
    server.join().ok().context("the server thread panicked")??;

    let version = site.ours(&["-r"])?;
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("genhash v"));
    assert!(site.ours(&["-h"])?.status.success());
    Ok(())
}
