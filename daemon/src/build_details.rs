//! What `keepwatchd -v` says. In: this program and this host. Out: lines, the first of which a script may go by; and one in
//! keepalived's own words, for what looks there for a version before it sends a signal.

use std::fmt::Write as _;

/// The version of keepalived whose language, formats and signals these are.
pub const KEEPALIVED: &str = "2.4.3";

/// Everything, ready for printing.
pub fn details() -> String {
    let mut text = format!("keepwatchd {}\n\n", env!("CARGO_PKG_VERSION"));
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let libc = if cfg!(target_env = "musl") { "musl" } else { "glibc" };
    // Writing into memory does not fail.
    let mut add = |line: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(line);
    };
    add(format_args!("In place of: Keepalived v{KEEPALIVED}\n"));
    add(format_args!("Built for: {} {}, {libc}, {profile}\n", std::env::consts::ARCH, std::env::consts::OS));
    if let Ok(host) = nix::sys::utsname::uname() {
        let (name, release) = (host.sysname().to_string_lossy(), host.release().to_string_lossy());
        add(format_args!("Running on: {name} {release} {}\n", host.version().to_string_lossy()));
    }
    if let Some(name) = distribution() {
        add(format_args!("Distro: {name}\n"));
    }
    add(format_args!(
        "Config options: NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD SNMP_VRRP SNMP_CHECKER\n"
    ));
    text
}

/// `PRETTY_NAME` of os-release(5).
fn distribution() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}
