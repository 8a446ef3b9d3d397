//! Virtual routers.

use std::borrow::Borrow;
use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_bus::fact::ManagerSet;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::Instance;
use keepwatch_model::{Authentication, LvsSyncDaemon, Script, VrrpVersion};
use snmp_agentx::syntax::{
    DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_TYPE, INTEGER, INTEGER32, TRUTH_VALUE, UNSIGNED32,
};
use snmp_agentx::{At, Column, ErrorStatus, Rows, Table, value};

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
    fn settings(&self) -> &'s keepwatch_model::Instance {
        &self.instance.settings
    }

    /// Where its adverts go, unless to peers.
    fn multicast_group(&self) -> Option<&'s IpAddr> {
        self.settings().unicast_peers.is_empty().then_some(&self.settings().multicast_group)
    }

    /// The synchronisation daemon, if it follows this virtual router.
    fn sync_daemon(&self) -> Option<&'s LvsSyncDaemon> {
        let sync = self.world.settings.global.lvs_sync_daemon.as_ref();
        sync.filter(|sync| sync.instance.as_ref() == Some(&self.instance.name))
    }

    /// The interval in the unit of the advertisements: whole seconds in version 2, centiseconds in version 3.
    fn advertised_interval(&self) -> u128 {
        let unit = match self.settings().version {
            VrrpVersion::V2 => Duration::from_secs(1),
            VrrpVersion::V3 => Duration::from_millis(10),
        };
        self.settings().advert_int.as_nanos() / unit.as_nanos()
    }

    fn auth_type(&self) -> i64 {
        match self.settings().authentication {
            _ if self.settings().version != VrrpVersion::V2 => 0,
            Authentication::None => 0,
            Authentication::Pass(_) => 1,
            Authentication::Ah(_) => 2,
        }
    }
}

/// A script with its arguments, where there is one.
pub(super) fn script(command: &Option<impl Borrow<Script>>) -> Cell {
    command.as_ref().and_then(|command| text(command.borrow().to_string()))
}

pub(crate) const NAME: Column<Instances> =
    Column::new(2, "vrrpInstanceName", DISPLAY_STRING, |r| text(&r.instance.name));
pub(crate) const STATE: Column<Instances> =
    Column::new(4, "vrrpInstanceState", VRRP_STATE, |r| integer(r.instance.state.number()));
pub(crate) const INITIAL_STATE: Column<Instances> =
    Column::new(5, "vrrpInstanceInitialState", VRRP_STATE, |r| {
        integer(VrrpState::from(r.settings().state).number())
    });

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
        Column::new(3, "vrrpInstanceVirtualRouterId", UNSIGNED32, |r| unsigned(r.settings().vrid.0)),
        STATE,
        INITIAL_STATE,
        Column::new(6, "vrrpInstanceWantedState", VRRP_STATE, |r| integer(r.instance.wanted.number())),
        Column::<Instances>::new(7, "vrrpInstanceBasePriority", INTEGER32, |r| {
            integer(r.settings().priority.0)
        })
        .settable(|r, value| match value::as_integer(value).map(u8::try_from) {
            Some(Ok(to @ 1..)) => {
                let instance = r.instance.name.clone();
                Ok(ManagerSet::Priority { instance, from: r.settings().priority.0, to })
            }
            Some(Ok(0) | Err(_)) => Err(ErrorStatus::WRONG_VALUE),
            None => Err(ErrorStatus::WRONG_TYPE),
        }),
        Column::new(8, "vrrpInstanceEffectivePriority", INTEGER32, |r| integer(r.instance.priority)),
        Column::new(9, "vrrpInstanceVipsStatus", INTEGER, |r| truth(r.instance.state == VrrpState::Master)),
        Column::new(10, "vrrpInstancePrimaryInterface", DISPLAY_STRING, |r| {
            text(r.settings().interface.as_ref()?)
        }),
        Column::new(11, "vrrpInstanceTrackPrimaryIf", INTEGER, |r| {
            truth(!r.settings().tracking.interfaces.is_empty())
        }),
        Column::new(12, "vrrpInstanceAdvertisementsInt", UNSIGNED32, |r| unsigned(r.advertised_interval())),
        Column::<Instances>::new(13, "vrrpInstancePreempt", INTEGER, |r| truth(!r.settings().nopreempt))
            .settable(|r, value| match value::as_integer(value) {
                Some(number @ 1..=2) => {
                    Ok(ManagerSet::Preempt { instance: r.instance.name.clone(), to: number == 1 })
                }
                Some(_) => Err(ErrorStatus::WRONG_VALUE),
                None => Err(ErrorStatus::WRONG_TYPE),
            }),
        Column::new(14, "vrrpInstancePreemptDelay", UNSIGNED32, |r| seconds(r.settings().preempt_delay)),
        Column::new(15, "vrrpInstanceAuthType", INTEGER, |r| integer(r.auth_type())),
        Column::new(16, "vrrpInstanceLvsSyncDaemon", INTEGER, |r| truth(r.sync_daemon().is_some())),
        Column::new(17, "vrrpInstanceLvsSyncInterface", DISPLAY_STRING, |r| {
            text(&r.sync_daemon()?.interface)
        }),
        Column::new(18, "vrrpInstanceSyncGroup", DISPLAY_STRING, |r| text_of(&r.settings().group)),
        Column::new(19, "vrrpInstanceGarpDelay", UNSIGNED32, |r| seconds(r.settings().garp.master_delay)),
        Column::new(20, "vrrpInstanceSmtpAlert", INTEGER, |r| truth(r.settings().smtp_alert)),
        Column::new(21, "vrrpInstanceNotifyExec", INTEGER, |r| truth(!r.settings().notify.is_empty())),
        Column::new(22, "vrrpInstanceScriptMaster", DISPLAY_STRING, |r| script(&r.settings().notify.master)),
        Column::new(23, "vrrpInstanceScriptBackup", DISPLAY_STRING, |r| script(&r.settings().notify.backup)),
        Column::new(24, "vrrpInstanceScriptFault", DISPLAY_STRING, |r| script(&r.settings().notify.fault)),
        Column::new(25, "vrrpInstanceScriptStop", DISPLAY_STRING, |r| script(&r.settings().notify.stop)),
        Column::new(26, "vrrpInstanceScript", DISPLAY_STRING, |r| script(&r.settings().notify.any)),
        // Version 2 has no accept mode, which the MIB has no value for: keepalived says 0.
        Column::new(27, "vrrpInstanceAccept", INTEGER, |r| match r.settings().version {
            VrrpVersion::V3 => truth(r.settings().accept),
            VrrpVersion::V2 => integer(0),
        }),
        Column::new(28, "vrrpInstancePromoteSecondaries", INTEGER, |r| {
            truth(r.settings().promote_secondaries)
        }),
        // Links are never polled.
        Column::new(29, "vrrpInstanceUseLinkbeat", INTEGER, |_| truth(false)),
        Column::new(30, "vrrpInstanceVrrpVersion", INTEGER, |r| integer(r.settings().version.number())),
        Column::new(31, "vrrpInstanceScriptMstrRxLowerPri", DISPLAY_STRING, |r| {
            script(&r.settings().notify.master_rx_lower_priority)
        }),
        Column::new(32, "vrrpInstanceScriptDeleted", DISPLAY_STRING, |r| {
            script(&r.settings().notify.deleted)
        }),
        Column::new(33, "vrrpInstanceNotifyDeleted", INTEGER, |r| truth(r.settings().notify.tell_deleted)),
        Column::new(34, "vrrpInstanceMulticastAddressType", INET_ADDRESS_TYPE, |r| {
            address_type(r.multicast_group()?)
        }),
        Column::new(35, "vrrpInstanceMulticastAddress", INET_ADDRESS, |r| address(r.multicast_group()?)),
        Column::new(36, "vrrpInstanceV3ChecksumAsV2", TRUTH_VALUE, |r| truth(r.settings().v3_checksum_as_v2)),
    ],
};
