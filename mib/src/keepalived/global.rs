//! The part `global`: the process, `global_defs` and mail.

use std::time::Duration;

use keepwatch_model::{DynamicInterfaces, Global, LvsFlushOnStop, MailServer, Name};
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

fn global<'s>(view: View<'s>) -> &'s Global {
    &view.world.settings.global
}

pub(crate) const ROUTER_ID: Scalar<Keepwatch> =
    Scalar::new(2, "routerId", DISPLAY_STRING, |v| text(&global(v).router_id));

pub(crate) const GLOBAL: Scalars<Keepwatch> = Scalars {
    parent: &[1],
    scalars: &[
        Scalar::new(1, "version", DISPLAY_STRING, |v| {
            text(format!("Keepwatch v{}", v.world.settings.version))
        }),
        ROUTER_ID,
        Scalar::new(4, "trapEnable", INTEGER, |v| truth(global(v).snmp.traps)),
        // Links are always followed through netlink(1).
        Scalar::new(5, "linkBeat", INTEGER, |_| integer(1)),
        Scalar::new(6, "lvsFlush", INTEGER, |v| truth(global(v).lvs_flush)),
        Scalar::new(7, "ipvs64BitStats", TRUTH_VALUE, |_| truth(true)),
        Scalar::new(8, "netNamespace", DISPLAY_STRING, |v| {
            text(global(v).net_namespace.as_deref().unwrap_or_default())
        }),
        // There is no such interface.
        Scalar::new(9, "dbus", TRUTH_VALUE, |_| truth(false)),
        Scalar::new(10, "dynamicInterfaces", TRUTH_VALUE, |v| {
            truth(global(v).dynamic_interfaces != DynamicInterfaces::No)
        }),
        Scalar::new(11, "lvsFlushOnStop", INTEGER, |v| {
            integer(match global(v).lvs_flush_on_stop {
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
        Scalar::new(1, "smtpServerAddressType", INET_ADDRESS_TYPE, |v| match &global(v).smtp_server {
            Some(MailServer::Address(at)) => address_type(&at.ip()),
            // dns(16): the name is looked up when a mail is sent.
            Some(MailServer::Host(..)) => integer(16),
            // keepalived's way to say that there is none: four zeros of type ipv6(2).
            None => integer(2),
        }),
        Scalar::new(2, "smtpServerAddress", INET_ADDRESS, |v| match &global(v).smtp_server {
            Some(MailServer::Address(at)) => address(&at.ip()),
            Some(MailServer::Host(host, _)) => text(host),
            None => Some(value::octets(&[0; 4])),
        }),
        Scalar::new(3, "smtpServerTimeout", UNSIGNED32, |v| {
            let timeout = global(v).smtp_connect_timeout;
            // Without a mail server, keepalived does not set the default.
            let unset = global(v).smtp_server.is_none() && timeout == DEFAULT_TIMEOUT;
            seconds(if unset { Duration::ZERO } else { timeout })
        }),
        Scalar::new(4, "emailFrom", DISPLAY_STRING, |v| text_of(&global(v).notification_email_from)),
        Scalar::new(6, "smtpServerPort", INET_PORT_NUMBER, |v| {
            unsigned(global(v).smtp_server.as_ref().map_or(0, MailServer::port))
        }),
        Scalar::new(7, "smtpEmailFaults", INTEGER, |v| truth(!global(v).no_email_faults)),
        Scalar::new(8, "smtpEmailSmtpAlert", INTEGER, |v| tristate(global(v).smtp_alert)),
        Scalar::new(9, "smtpEmailSmtpAlertVrrp", INTEGER, |v| tristate(global(v).smtp_alert_vrrp)),
        Scalar::new(10, "smtpEmailSmtpAlertChecker", INTEGER, |v| tristate(global(v).smtp_alert_checker)),
    ],
};

/// on(1), off(2), unset(3).
fn tristate(written: Option<bool>) -> Cell {
    written.map_or_else(|| integer(3), truth)
}

struct Email;

impl Rows for Email {
    type Source = Keepwatch;
    type Index = [u32; 1];
    type Row<'s> = &'s Name;
}

const EMAIL: Table<Email> = Table {
    name: "emailEntry",
    entry: &[1, 3, 5, 1],
    index: &["emailIndex"],
    rows: |At(view), start| {
        row(start, |number| listed(&view.world.settings.global.notification_email, number))
    },
    columns: &[Column::new(2, "emailAddress", DISPLAY_STRING, |recipient| text(recipient))],
};
