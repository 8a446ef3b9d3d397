//! The part `global`: the process, `global_defs` and mail.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::details::DaemonDetails;
use keepwatch_bus::settings::DaemonSettings;
use keepwatch_model::{DynamicInterfaces, LvsFlushOnStop};
use snmp_agentx::syntax::{
    DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_TYPE, INET_PORT_NUMBER, INTEGER, TRUTH_VALUE, UNSIGNED32,
};
use snmp_agentx::{At, Column, Rows, Scalar, Scalars, Table, value};

use super::Tables;
use crate::cells::{Cell, address, address_type, integer, seconds, text, text_of, truth, unsigned};
use crate::source::{Keepwatch, View, listed, row};

pub(super) const TABLES: Tables = &[&GLOBAL, &MAIL, &EMAIL];

/// `smtp_connect_timeout` where nothing else is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

fn settings<'s>(view: View<'s>) -> &'s DaemonSettings {
    &view.world.settings
}

fn details<'s>(view: View<'s>) -> &'s DaemonDetails {
    &settings(view).details
}

pub(crate) const ROUTER_ID: Scalar<Keepwatch> =
    Scalar::new(2, "routerId", DISPLAY_STRING, |v| text(&settings(v).router_id));

pub(crate) const GLOBAL: Scalars<Keepwatch> = Scalars {
    parent: &[1],
    scalars: &[
        Scalar::new(1, "version", DISPLAY_STRING, |v| text(format!("Keepwatch v{}", settings(v).version))),
        ROUTER_ID,
        Scalar::new(4, "trapEnable", INTEGER, |v| truth(settings(v).traps)),
        // Links are always followed through netlink(1).
        Scalar::new(5, "linkBeat", INTEGER, |_| integer(1)),
        Scalar::new(6, "lvsFlush", INTEGER, |v| truth(details(v).lvs_flush)),
        Scalar::new(7, "ipvs64BitStats", TRUTH_VALUE, |_| truth(true)),
        Scalar::new(8, "netNamespace", DISPLAY_STRING, |v| {
            text(details(v).net_namespace.as_deref().unwrap_or_default())
        }),
        // There is no such interface.
        Scalar::new(9, "dbus", TRUTH_VALUE, |_| truth(false)),
        Scalar::new(10, "dynamicInterfaces", TRUTH_VALUE, |v| {
            truth(details(v).dynamic_interfaces != DynamicInterfaces::No)
        }),
        Scalar::new(11, "lvsFlushOnStop", INTEGER, |v| {
            integer(match details(v).lvs_flush_on_stop {
                LvsFlushOnStop::All => 1,
                LvsFlushOnStop::No => 2,
                LvsFlushOnStop::VirtualServers => 3,
            })
        }),
        // It can be said of instances only; vrrpInstanceV3ChecksumAsV2 tells.
        Scalar::new(12, "v3ChecksumAsV2", TRUTH_VALUE, |_| truth(false)),
    ],
};

const MAIL: Scalars<Keepwatch> = Scalars {
    parent: &[1, 3],
    scalars: &[
        Scalar::new(1, "smtpServerAddressType", INET_ADDRESS_TYPE, |v| match MailServer::of(v) {
            MailServer::Address(ip) => address_type(&ip),
            // dns(16): the name is looked up when a mail is sent.
            MailServer::Name(_) => integer(16),
            MailServer::None => integer(2),
        }),
        Scalar::new(2, "smtpServerAddress", INET_ADDRESS, |v| match MailServer::of(v) {
            MailServer::Address(ip) => address(&ip),
            MailServer::Name(host) => text(host),
            MailServer::None => Some(value::octets(&[0; 4])),
        }),
        Scalar::new(3, "smtpServerTimeout", UNSIGNED32, |v| {
            let timeout = settings(v).smtp_connect_timeout;
            // Without a mail server, keepalived does not set the default.
            let unset = settings(v).smtp_server.is_none() && timeout == DEFAULT_TIMEOUT;
            seconds(if unset { Duration::ZERO } else { timeout })
        }),
        Scalar::new(4, "emailFrom", DISPLAY_STRING, |v| text_of(&settings(v).email_from)),
        Scalar::new(6, "smtpServerPort", INET_PORT_NUMBER, |v| {
            unsigned(settings(v).smtp_server.as_ref().map_or(0, |(_, port)| *port))
        }),
        Scalar::new(7, "smtpEmailFaults", INTEGER, |v| truth(!details(v).no_email_faults)),
        Scalar::new(8, "smtpEmailSmtpAlert", INTEGER, |v| tristate(details(v).smtp_alert)),
        Scalar::new(9, "smtpEmailSmtpAlertVrrp", INTEGER, |v| tristate(details(v).smtp_alert_vrrp)),
        Scalar::new(10, "smtpEmailSmtpAlertChecker", INTEGER, |v| tristate(details(v).smtp_alert_checker)),
    ],
};

/// The mail server as it is shown.
enum MailServer<'s> {
    Address(IpAddr),
    Name(&'s str),
    /// keepalived's way to say that there is none is four zeros of type ipv6(2).
    None,
}

impl<'s> MailServer<'s> {
    fn of(view: View<'s>) -> Self {
        match &settings(view).smtp_server {
            Some((host, _)) => host.parse().map_or(Self::Name(host), Self::Address),
            None => Self::None,
        }
    }
}

/// on(1), off(2), unset(3).
fn tristate(written: Option<bool>) -> Cell {
    written.map_or_else(|| integer(3), truth)
}

struct Email;

impl Rows for Email {
    type Source = Keepwatch;
    type Index = [u32; 1];
    type Row<'s> = &'s String;
}

const EMAIL: Table<Email> = Table {
    name: "emailEntry",
    entry: &[1, 3, 5, 1],
    index: &["emailIndex"],
    rows: |At(view), start| row(start, |number| listed(&view.world.settings.email_to, number)),
    columns: &[Column::new(2, "emailAddress", DISPLAY_STRING, |recipient| text(recipient))],
};
