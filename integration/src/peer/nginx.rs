//! nginx in a host: a web server that checkers did not see the source of.

use std::{fs, net::SocketAddr, time::Duration};

use anyhow::Result;

use crate::{Host, Process, wait};

/// A running nginx.
pub struct Nginx {
    process: Process,
}

impl Nginx {
    /// Starts it at an address of `host`, serving `page` at `/`, and waits until it accepts connections.
    pub fn start(host: &Host, at: SocketAddr, page: &str) -> Result<Self> {
        let root = host.directory().join("www");
        fs::create_dir_all(&root)?;
        fs::write(root.join("index.html"), page)?;
        let own = host.directory().display();
        let config = host.file(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; user root; pid {own}/nginx.pid; error_log stderr;\n\
                 events {{ worker_connections 64; }}\n\
                 http {{ access_log off; client_body_temp_path {own}/b; proxy_temp_path {own}/p;\n\
                 fastcgi_temp_path {own}/f; uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;\n\
                 server {{ listen {at}; root {}; }} }}\n",
                root.display()
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
