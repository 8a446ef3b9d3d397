//! Virtual routers.

use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_bus::details::InstanceDetails;
use keepwatch_bus::settings::{AuthKind, InstanceSettings};
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::Instance;
use keepwatch_model::{LvsSyncDaemon, Script};
use snmp_agentx::syntax::{
    DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_TYPE, INTEGER, INTEGER32, TRUTH_VALUE, UNSIGNED32,
};
use snmp_agentx::{At, Column, Rows, Table};

use super::{Tables, VRRP_STATE};
use crate::cells::{Cell, address, address_type, integer, seconds, text, text_of, truth, unsigned};
use crate::source::{Keepwatch, placed, row};

pub(super) const TABLES: Tables = &[&INSTANCES];

pub(crate) struct Instances;

impl Rows for Instances {
    type Source = Keepwatch;
    type Index = [u32; 1];
    type Row<'s> = InstanceRow<'s>;
}

pub(crate) struct InstanceRow<'s> {
    pub(crate) world: &'s World,
    pub(crate) instance: &'s Instance,
}

impl<'s> InstanceRow<'s> {
    fn settings(&self) -> &'s InstanceSettings {
        &self.instance.settings
    }

    fn details(&self) -> &'s InstanceDetails {
        &self.settings().details
    }

    /// The synchronisation daemon, if it follows this virtual router.
    fn sync_daemon(&self) -> Option<&'s LvsSyncDaemon> {
        let sync = self.world.settings.details.sync_daemon.as_ref();
        sync.filter(|sync| sync.instance.as_ref() == Some(&self.instance.name))
    }

    /// The interval in the unit of the advertisements: whole seconds in version 2, centiseconds in version 3.
    fn advertised_interval(&self) -> u128 {
        let unit =
            if self.settings().version == 2 { Duration::from_secs(1) } else { Duration::from_millis(10) };
        self.settings().advert_interval.as_nanos() / unit.as_nanos()
    }

    fn auth_type(&self) -> i64 {
        match self.settings().auth {
            _ if self.settings().version != 2 => 0,
            AuthKind::None => 0,
            AuthKind::Pass => 1,
            AuthKind::Ah => 2,
        }
    }
}

/// A script with its arguments, where there is one.
pub(super) fn script(command: &Option<Script>) -> Cell {
    command.as_ref().and_then(|command| text(command.to_string()))
}

pub(crate) const NAME: Column<Instances> =
    Column::new(2, "vrrpInstanceName", DISPLAY_STRING, |r| text(&r.instance.name));
pub(crate) const STATE: Column<Instances> =
    Column::new(4, "vrrpInstanceState", VRRP_STATE, |r| integer(r.instance.state.number()));
pub(crate) const INITIAL_STATE: Column<Instances> =
    Column::new(5, "vrrpInstanceInitialState", VRRP_STATE, |r| integer(r.settings().initial_state.number()));

pub(crate) const INSTANCES: Table<Instances> = Table {
    name: "vrrpInstanceEntry",
    entry: &[2, 3, 1],
    index: &["vrrpInstanceIndex"],
    rows: |At(view), start| {
        let (index, instance) = row(start, |place| placed(&view.world.instances, place))?;
        Some((index, InstanceRow { world: view.world, instance }))
    },
    columns: &[
        NAME,
        Column::new(3, "vrrpInstanceVirtualRouterId", UNSIGNED32, |r| unsigned(r.settings().vrid)),
        STATE,
        INITIAL_STATE,
        Column::new(6, "vrrpInstanceWantedState", VRRP_STATE, |r| integer(r.instance.wanted.number())),
        Column::new(7, "vrrpInstanceBasePriority", INTEGER32, |r| integer(r.settings().priority)),
        Column::new(8, "vrrpInstanceEffectivePriority", INTEGER32, |r| integer(r.instance.priority)),
        Column::new(9, "vrrpInstanceVipsStatus", INTEGER, |r| truth(r.instance.state == VrrpState::Master)),
        Column::new(10, "vrrpInstancePrimaryInterface", DISPLAY_STRING, |r| text(&r.settings().interface)),
        Column::new(11, "vrrpInstanceTrackPrimaryIf", INTEGER, |r| {
            truth(!r.details().tracked.interfaces.is_empty())
        }),
        Column::new(12, "vrrpInstanceAdvertisementsInt", UNSIGNED32, |r| unsigned(r.advertised_interval())),
        Column::new(13, "vrrpInstancePreempt", INTEGER, |r| truth(r.settings().preempt)),
        Column::new(14, "vrrpInstancePreemptDelay", UNSIGNED32, |r| seconds(r.settings().preempt_delay)),
        Column::new(15, "vrrpInstanceAuthType", INTEGER, |r| integer(r.auth_type())),
        Column::new(16, "vrrpInstanceLvsSyncDaemon", INTEGER, |r| truth(r.sync_daemon().is_some())),
        Column::new(17, "vrrpInstanceLvsSyncInterface", DISPLAY_STRING, |r| {
            text(&r.sync_daemon()?.interface)
        }),
        Column::new(18, "vrrpInstanceSyncGroup", DISPLAY_STRING, |r| text_of(&r.settings().group)),
        Column::new(19, "vrrpInstanceGarpDelay", UNSIGNED32, |r| seconds(r.settings().garp_master_delay)),
        Column::new(20, "vrrpInstanceSmtpAlert", INTEGER, |r| truth(r.settings().smtp_alert)),
        Column::new(21, "vrrpInstanceNotifyExec", INTEGER, |r| truth(!r.details().scripts.is_empty())),
        Column::new(22, "vrrpInstanceScriptMaster", DISPLAY_STRING, |r| script(&r.details().scripts.master)),
        Column::new(23, "vrrpInstanceScriptBackup", DISPLAY_STRING, |r| script(&r.details().scripts.backup)),
        Column::new(24, "vrrpInstanceScriptFault", DISPLAY_STRING, |r| script(&r.details().scripts.fault)),
        Column::new(25, "vrrpInstanceScriptStop", DISPLAY_STRING, |r| script(&r.details().scripts.stop)),
        Column::new(26, "vrrpInstanceScript", DISPLAY_STRING, |r| script(&r.details().scripts.any)),
        // Version 2 has no accept mode, which the MIB has no value for: keepalived says 0.
        Column::new(27, "vrrpInstanceAccept", INTEGER, |r| match r.settings().version {
            3 => truth(r.settings().accept),
            _ => integer(0),
        }),
        Column::new(28, "vrrpInstancePromoteSecondaries", INTEGER, |r| {
            truth(r.details().promote_secondaries)
        }),
        // Links are never polled.
        Column::new(29, "vrrpInstanceUseLinkbeat", INTEGER, |_| truth(false)),
        Column::new(30, "vrrpInstanceVrrpVersion", INTEGER, |r| integer(r.settings().version)),
        Column::new(31, "vrrpInstanceScriptMstrRxLowerPri", DISPLAY_STRING, |r| {
            script(&r.details().scripts.master_rx_lower_priority)
        }),
        Column::new(32, "vrrpInstanceScriptDeleted", DISPLAY_STRING, |r| {
            script(&r.details().scripts.deleted)
        }),
        Column::new(33, "vrrpInstanceNotifyDeleted", INTEGER, |r| truth(r.details().scripts.tell_deleted)),
        Column::new(34, "vrrpInstanceMulticastAddressType", INET_ADDRESS_TYPE, |r| {
            address_type(r.details().multicast.as_ref()?)
        }),
        Column::new(35, "vrrpInstanceMulticastAddress", INET_ADDRESS, |r| {
            address(r.details().multicast.as_ref()?)
        }),
        Column::new(36, "vrrpInstanceV3ChecksumAsV2", TRUTH_VALUE, |r| truth(r.details().v3_checksum_as_v2)),
    ],
};
