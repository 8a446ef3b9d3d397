//! Configurations for routers under test, in the language that both daemons read.

use std::fmt::{self, Write};

/// The virtual address of an [`Instance`] that says no other.
pub const VIP: &str = "10.78.9.9";

/// A virtual server at [`VIP`] with a sorry server (so that SNMP has the real servers from row 2 on) and two real servers on
/// loopback, which are checked often: see [`WebServer::of_two`](crate::web::WebServer::of_two).
pub const TWO_SERVERS: &str = "
virtual_server 10.78.9.9 80 {
    delay_loop 0.2
    lvs_sched wrr
    lvs_method NAT
    protocol TCP
    retry 1
    delay_before_retry 0.1
    warmup 0
    sorry_server 127.0.0.9 8080
    real_server 127.0.0.2 8080 {
        weight 1
        TCP_CHECK { connect_timeout 2 }
    }
    real_server 127.0.0.3 8080 {
        weight 3
        TCP_CHECK { connect_timeout 2 }
    }
}
";

/// One `vrrp_instance`, with what the tests most often need: `eth0`, virtual router 51, priority 100, the virtual
/// address [`VIP`], version 2, one second. Prints as the block.
#[derive(Debug, Clone)]
pub struct Instance {
    name: String,
    interface: Option<String>,
    vrid: u8,
    priority: u8,
    interval: String,
    authentication: Option<(&'static str, String)>,
    addresses: Vec<String>,
    lines: Vec<String>,
}

impl Instance {
    /// An instance of this name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            interface: Some("eth0".to_owned()),
            vrid: 51,
            priority: 100,
            interval: "1".to_owned(),
            authentication: None,
            addresses: vec![format!("{VIP}/32")],
            lines: Vec::new(),
        }
    }

    /// Sets its interface.
    pub fn interface(mut self, interface: &str) -> Self {
        self.interface = Some(interface.to_owned());
        self
    }

    /// Names no interface: for unicast, which then goes by the routing table.
    pub fn anywhere(mut self) -> Self {
        self.interface = None;
        self
    }

    /// Sets its virtual router id.
    pub fn vrid(mut self, vrid: u8) -> Self {
        self.vrid = vrid;
        self
    }

    /// Sets its priority.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Sets `advert_int`, as it is written: seconds, with a fraction in version 3.
    pub fn interval(mut self, seconds: &str) -> Self {
        seconds.clone_into(&mut self.interval);
        self
    }

    /// Authenticates by this password (`auth_type PASS`).
    pub fn password(mut self, password: &str) -> Self {
        self.authentication = Some(("PASS", password.to_owned()));
        self
    }

    /// Authenticates by an authentication header with this key (`auth_type AH`).
    pub fn header_key(mut self, key: &str) -> Self {
        self.authentication = Some(("AH", key.to_owned()));
        self
    }

    /// Sends to this peer only, from this address.
    pub fn unicast(self, from: &str, to: &str) -> Self {
        self.line(&format!("unicast_src_ip {from}")).line(&format!("unicast_peer {{\n        {to}\n    }}"))
    }

    /// Sets its only virtual address.
    pub fn vip(mut self, address: &str) -> Self {
        self.addresses = vec![address.to_owned()];
        self
    }

    /// Adds a line to the block.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// The whole file: `global_defs` for version 2 with these lines, and this instance.
    pub fn version_2(&self, global: &str) -> String {
        format!("{}{self}", global_defs(2, global))
    }

    /// The whole file: `global_defs` for version 3 with these lines, and this instance.
    pub fn version_3(&self, global: &str) -> String {
        format!("{}{self}", global_defs(3, global))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "vrrp_instance {} {{", self.name)?;
        writeln!(f, "    state BACKUP")?;
        if let Some(interface) = &self.interface {
            writeln!(f, "    interface {interface}")?;
        }
        writeln!(f, "    virtual_router_id {}\n    priority {}", self.vrid, self.priority)?;
        writeln!(f, "    advert_int {}", self.interval)?;
        if let Some((kind, secret)) = &self.authentication {
            writeln!(
                f,
                "    authentication {{\n        auth_type {kind}\n        auth_pass {secret}\n    }}"
            )?;
        }
        for line in &self.lines {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "    virtual_ipaddress {{")?;
        for address in &self.addresses {
            writeln!(f, "        {address}")?;
        }
        writeln!(f, "    }}\n}}")
    }
}

/// A `global_defs` block for this version of VRRP, with further lines.
pub fn global_defs(version: u8, lines: &str) -> String {
    global_defs_of("lab", version, lines)
}

/// The same for a router of this name.
pub fn global_defs_of(router: &str, version: u8, lines: &str) -> String {
    format!(
        "global_defs {{\n    router_id {router}\n    vrrp_version {version}\n    vrrp_garp_master_repeat 1\n{lines}\n}}\n"
    )
}

/// A sync group of these instances.
pub fn sync_group(name: &str, members: &[&str]) -> String {
    let mut text = format!("vrrp_sync_group {name} {{\n    group {{\n");
    for member in members {
        // Writing to a String can't fail.
        let _ = writeln!(text, "        {member}");
    }
    text + "    }\n}\n"
}

/// A virtual server on port 80 of [`VIP`] whose checkers look every second; `block` is the rest of it, with its real
/// servers.
pub fn virtual_server(block: &str) -> String {
    format!(
        "virtual_server {VIP} 80 {{\n    delay_loop 1\n    lvs_sched wrr\n    lvs_method NAT\n    protocol TCP\n{block}}}\n"
    )
}

/// A real server at this `address:port`, with these lines; a TCP connection that fails takes it away at once.
pub fn real_server(at: &str, lines: &str) -> String {
    let (address, port) = at.split_once(':').unwrap_or((at, "80"));
    format!(
        "    real_server {address} {port} {{\n{lines}\n        TCP_CHECK {{\n            connect_timeout 1\n            retry 0\n        }}\n    }}\n"
    )
}
