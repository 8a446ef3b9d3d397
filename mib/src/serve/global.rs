//! The part `global`: the process, `global_defs` and mail.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_config::model::{DynamicInterfaces, LvsFlushOnStop};
use snmp_agentx::{Cell, IndexBuilder, value};

use super::columns::{address, address_type, seconds, truth, unsigned};
use crate::oids::{GLOBAL, below};

/// `mail`, the part of it that speaks of mail.
const MAIL: u32 = 3;
/// `smtp_connect_timeout` where nothing else is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn add(world: &World, builder: &mut IndexBuilder) {
    let settings = &world.settings;
    let details = &settings.details;
    let mut scalar = |object: u32, cell: Cell| builder.add(&below(&[GLOBAL, object]), &[0], cell);
    scalar(1, value::text(&format!("Keepwatch v{}", settings.version)).into());
    scalar(2, value::text(&settings.router_id).into());
    scalar(4, truth(settings.traps).into());
    // linkBeat: links are always followed through netlink(1).
    scalar(5, value::integer(1).into());
    scalar(6, truth(details.lvs_flush).into());
    // ipvs64BitStats: always true.
    scalar(7, truth(true).into());
    scalar(8, value::text(details.net_namespace.as_deref().unwrap_or_default()).into());
    // dbus: there is no such interface.
    scalar(9, truth(false).into());
    scalar(10, truth(details.dynamic_interfaces != DynamicInterfaces::No).into());
    let flush = match details.lvs_flush_on_stop {
        LvsFlushOnStop::All => 1,
        LvsFlushOnStop::No => 2,
        LvsFlushOnStop::VirtualServers => 3,
    };
    scalar(11, value::integer(flush).into());
    // v3ChecksumAsV2 can be said of instances only; vrrpInstanceV3ChecksumAsV2 tells.
    scalar(12, truth(false).into());
    mail(world, builder);
}

fn mail(world: &World, builder: &mut IndexBuilder) {
    let settings = &world.settings;
    let details = &settings.details;
    let mut scalar = |object: u32, cell: Cell| builder.add(&below(&[GLOBAL, MAIL, object]), &[0], cell);
    let tristate = |written: Option<bool>| value::integer(written.map_or(3, |yes| if yes { 1 } else { 2 }));

    let server = settings.smtp_server.as_ref().map(|(host, port)| (host.parse::<IpAddr>(), host, *port));
    match &server {
        Some((Ok(ip), _, _)) => {
            scalar(1, address_type(ip).into());
            scalar(2, address(ip).into());
        }
        // InetAddressType dns(16): the name is looked up when a mail is sent.
        Some((Err(_), host, _)) => {
            scalar(1, value::integer(16).into());
            scalar(2, value::text(host).into());
        }
        // keepalived's way to say that there is none.
        None => {
            scalar(1, value::integer(2).into());
            scalar(2, value::octets(&[0; 4]).into());
        }
    }
    // Without a mail server, keepalived does not set the default.
    let unset = server.is_none() && settings.smtp_connect_timeout == DEFAULT_TIMEOUT;
    scalar(3, seconds(if unset { Duration::ZERO } else { settings.smtp_connect_timeout }).into());
    if let Some(from) = &settings.email_from {
        scalar(4, value::text(from).into());
    }
    scalar(6, unsigned(server.map_or(0, |(_, _, port)| port.into())).into());
    scalar(7, truth(!details.no_email_faults).into());
    scalar(8, tristate(details.smtp_alert).into());
    scalar(9, tristate(details.smtp_alert_vrrp).into());
    scalar(10, tristate(details.smtp_alert_checker).into());
    for (row, recipient) in (1..).zip(&settings.email_to) {
        builder.add(&below(&[GLOBAL, MAIL, 5, 1, 2]), &[row], value::text(recipient));
    }
}
