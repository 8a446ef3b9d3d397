//! Does a configuration fit the host that it is on?
//!
//! Goes in: what [`crate::load`] made, and what there is on the host (this crate does not ask the kernel). Comes out: one
//! diagnostic for each thing that does not fit, where it is first named.

mod addresses;
mod interfaces;
mod ssl;

use std::net::IpAddr;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::load::Loaded;
use crate::model::Config;

/// This host, as far as a configuration is held against it.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Names of its interfaces.
    pub interfaces: Vec<String>,
    /// Those of them that an instance may have made by `use_vmac`: macvlans in private mode.
    pub vmacs: Vec<String>,
    /// Those that it may have made by `use_ipvlan`.
    pub ipvlans: Vec<String>,
    /// The addresses on them; empty if it is not known which there are.
    pub addresses: Vec<HostAddress>,
}

/// An address of this host.
#[derive(Clone, Debug)]
pub struct HostAddress {
    /// The address.
    pub address: IpAddr,
    /// The interface that it is on.
    pub interface: String,
    /// It is the host's own: known to be put there by nobody who speaks VRRP.
    pub is_own: bool,
}

/// A daemon would do nothing, for ever, and look well.
fn runs_nothing(config: &Config) -> bool {
    config.instances.is_empty()
        && config.virtual_servers.is_empty()
        && config.bfd_sessions.is_empty()
        && config.static_addresses.is_empty()
        && config.static_routes.is_empty()
        && config.static_rules.is_empty()
}

/// Holds a configuration against this host.
pub fn check_host(loaded: &Loaded, host: &Host) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if let Some(config) = &loaded.config {
        interfaces::check(loaded, config, &host.interfaces, &mut diagnostics);
        interfaces::check_made(loaded, config, host, &mut diagnostics);
        addresses::check(loaded, config, &host.addresses, &mut diagnostics);
        ssl::check(loaded, config, &mut diagnostics);
        // Where there are mistakes, these are why.
        if !loaded.diagnostics.has_errors() && runs_nothing(config) {
            diagnostics
                .push(Diagnostic::note("nothing-to-run", "there is nothing in it that runs here").help(
                "it has neither a `vrrp_instance` nor a `virtual_server`: does an `include` match no file?",
            ));
        }
    }
    diagnostics.set_sources(loaded.diagnostics.shared_sources());
    diagnostics
}
