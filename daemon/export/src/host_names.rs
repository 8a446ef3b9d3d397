//! By which names this host may be asked. A page of a stranger, open in a browser on this host or near it, can let a
//! name of its own point here and then read what we answer (DNS rebinding); but its requests carry that name. In: the
//! `Host` of a request, and where the connection arrived. Out: whether that is us.

use std::collections::HashSet;
use std::net::IpAddr;

use axum::http::uri::Authority;

/// The names of this host.
#[derive(Debug, Default)]
pub(crate) struct HostNames(HashSet<String>);

impl HostNames {
    /// As this machine has them: its own, and those that its /etc/hosts gives to the same addresses.
    pub(crate) fn of_this_host() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self::of(read("/proc/sys/kernel/hostname").trim(), &read("/etc/hosts"))
    }

    fn of(host: &str, hosts: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let mut names = HashSet::from(["localhost".to_owned()]);
        for line in hosts.lines() {
            let line = line.split('#').next().unwrap_or_default().to_ascii_lowercase();
            let all: Vec<&str> = line.split_whitespace().skip(1).collect();
            if all.contains(&&*host) {
                names.extend(all.into_iter().map(str::to_owned));
            }
        }
        names.extend(host.split('.').next().map(str::to_owned));
        names.insert(host);
        names.remove("");
        Self(names)
    }

    /// Whether a request for `host` (with or without port) that arrived at the address `here` is for us.
    pub(crate) fn are_meant_by(&self, host: &str, here: IpAddr) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        match name.parse::<IpAddr>() {
            Ok(address) => address.is_loopback() || address.to_canonical() == here.to_canonical(),
            Err(_) => self.0.contains(&*name.trim_end_matches('.').to_ascii_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_addresses_of_this_host_are_meant() {
        let hosts =
            "127.0.0.1 localhost\n127.0.1.1 lb1.example.com LB1 # lb9\n10.0.0.2 lb2.example.com lb2\n";
        let names = HostNames::of("lb1", hosts);
        for (host, meant) in [
            ("localhost:9165", true),
            ("LocalHost", true),
            ("lb1", true),
            ("lb1.example.com.:9165", true),
            ("127.0.0.1:9165", true),
            ("[::1]:9165", true),
            ("10.0.0.1", true),
            ("[::ffff:10.0.0.1]:80", true),
            ("10.0.0.2", false),
            ("lb2", false),
            ("lb9", false),
            ("evil.example", false),
            ("lb1.evil.example", false),
            ("localhost.evil.example", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(names.are_meant_by(host, "10.0.0.1".parse().unwrap()), meant, "{host}");
        }
        let long = HostNames::of("lb1.example.com", "");
        assert!(long.are_meant_by("lb1", IpAddr::from([10, 0, 0, 1])));
    }
}
