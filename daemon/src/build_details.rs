//! What `keepwatchd -v` says, and what `keepalived -v`. In: this program and this host. Out: lines, the first of which a script
//! may go by.

use std::fmt::Write as _;

/// The version of keepalived whose language, formats and signals these are.
pub const KEEPALIVED: &str = "2.4.3";

/// What keepalived is built with where it can do what this can: programs look for `--enable-json` before they send its signal.
const CONFIGURED: &str = "--enable-snmp --enable-snmp-rfc --enable-regex --enable-json --enable-dbus --enable-bfd --enable-nftables";
const OPTIONS: &str = "NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD SNMP_VRRP SNMP_CHECKER";

/// Everything, ready for printing.
pub fn details() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let libc = if cfg!(target_env = "musl") { "musl" } else { "glibc" };
    format!(
        "keepwatchd {}\n\nIn place of: Keepalived v{KEEPALIVED}\nBuilt for: {} {}, {libc}, {profile}\n{}Config options: {OPTIONS}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
        host("Running on: "),
    )
}

/// The same by the name `keepalived`: its first line is one that scripts take a version from (`Keepalived vX.Y.Z (…)`, with
/// one blank after the version, for some take all that is before the last one), and its labels are keepalived's.
pub fn as_keepalived() -> String {
    format!(
        "Keepalived v{KEEPALIVED} (keepwatch-{})\n\nThis is keepwatchd, by the name of keepalived.\n\n{}\n\
         configure options: {CONFIGURED}\n\nConfig options:  {OPTIONS}\n",
        env!("CARGO_PKG_VERSION"),
        host("Running on "),
    )
}

/// The kernel, after `label`, and the distribution, as far as they are known.
fn host(label: &str) -> String {
    let mut text = String::new();
    // Writing into memory does not fail.
    let mut add = |line: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(line);
    };
    if let Ok(host) = nix::sys::utsname::uname() {
        let (name, release) = (host.sysname().to_string_lossy(), host.release().to_string_lossy());
        add(format_args!("{label}{name} {release} {}\n", host.version().to_string_lossy()));
    }
    if let Some(name) = distribution() {
        add(format_args!("Distro: {name}\n"));
    }
    text
}

/// `PRETTY_NAME` of os-release(5).
fn distribution() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}
