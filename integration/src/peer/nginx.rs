//! nginx in a host: a web server that checkers did not see the source of.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::Result;

use crate::{Host, Process, wait};

/// A running nginx.
pub struct Nginx {
    process: Process,
}

impl Nginx {
    /// Starts it at an address of `host`, serving `page` at `/`, and waits until it accepts connections.
    pub fn start(host: &Host, at: SocketAddr, page: &str) -> Result<Self> {
        Self::serving(host, at, &format!("listen {at}; {}", serving(host, page)?))
    }

    /// The same over TLS, with this certificate and key (PEM files).
    pub fn encrypting(
        host: &Host,
        at: SocketAddr,
        page: &str,
        (certificate, key): (&Path, &Path),
    ) -> Result<Self> {
        let (certificate, key) = (certificate.display(), key.display());
        let tls = format!("listen {at} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};");
        Self::serving(host, at, &format!("{tls} {}", serving(host, page)?))
    }

    /// Starts it as who decrypts what is meant for the server at `behind`: with this certificate and key, for whoever
    /// shows this certificate (PEM files). `pass` is how it talks to the one behind: `proxy_pass http`, `grpc_pass grpc`.
    pub fn decrypting(
        host: &Host,
        at: SocketAddr,
        (pass, behind): (&str, SocketAddr),
        (certificate, key): (&Path, &Path),
        client: &Path,
    ) -> Result<Self> {
        let (certificate, key, client) = (certificate.display(), key.display(), client.display());
        let lines = format!(
            "listen {at} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
             ssl_client_certificate {client}; ssl_verify_client on; location / {{ {pass}://{behind}; }}"
        );
        Self::serving(host, at, &lines)
    }

    /// Starts it with these lines in its block `server`.
    fn serving(host: &Host, at: SocketAddr, server: &str) -> Result<Self> {
        let own = host.directory().display();
        let config = host.file(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; user root; pid {own}/nginx.pid; error_log stderr;\n\
                 events {{ worker_connections 64; }}\n\
                 http {{ access_log off; client_body_temp_path {own}/b; proxy_temp_path {own}/p;\n\
                 fastcgi_temp_path {own}/f; uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;\n\
                 server {{ {server} }} }}\n"
            ),
        )?;
        let process = host.process("nginx", "nginx").arg("-c").arg(config).arg("-e").arg("stderr").start()?;
        wait::until("nginx accepts connections", wait::SHORT, || {
            host.connect(at, Duration::from_secs(1)).is_ok()
        })?;
        Ok(Self { process })
    }

    /// The process.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// The line that has this page served.
fn serving(host: &Host, page: &str) -> Result<String> {
    let root = host.directory().join("www");
    fs::create_dir_all(&root)?;
    fs::write(root.join("index.html"), page)?;
    Ok(format!("root {};", root.display()))
}
