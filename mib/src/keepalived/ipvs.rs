//! IPVS as a whole: the synchronisation daemon and the time-outs.

use std::time::Duration;

use keepwatch_model::{LvsSyncDaemon, LvsTimeouts};
use snmp_agentx::syntax::{DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_TYPE, INTEGER, INTEGER32};
use snmp_agentx::{Scalar, Scalars};

use super::Tables;
use crate::cells::{Cell, address, address_type, integer, text, text_of, truth};
use crate::source::{Keepwatch, View};

pub(super) const TABLES: Tables = &[&SYNC_DAEMON, &TIMEOUTS];

fn daemon<'s>(view: View<'s>) -> Option<&'s LvsSyncDaemon> {
    view.world.settings.global.lvs_sync_daemon.as_ref()
}

const SYNC_DAEMON: Scalars<Keepwatch> = Scalars {
    parent: &[3, 6],
    scalars: &[
        Scalar::new(1, "lvsSyncDaemonEnabled", INTEGER, |v| truth(daemon(v).is_some())),
        Scalar::new(2, "lvsSyncDaemonInterface", DISPLAY_STRING, |v| text(&daemon(v)?.interface)),
        Scalar::new(3, "lvsSyncDaemonVrrpInstance", DISPLAY_STRING, |v| text_of(&daemon(v)?.instance)),
        Scalar::new(4, "lvsSyncDaemonSyncId", INTEGER32, |v| integer(daemon(v)?.sync_id)),
        Scalar::new(5, "lvsSyncDaemonMaxLen", INTEGER32, |v| integer(daemon(v)?.max_len.unwrap_or(0))),
        Scalar::new(6, "lvsSyncDaemonPort", INTEGER32, |v| integer(daemon(v)?.port.unwrap_or(0))),
        Scalar::new(7, "lvsSyncDaemonTTL", INTEGER32, |v| integer(daemon(v)?.ttl.unwrap_or(0))),
        Scalar::new(8, "lvsSyncDaemonMcastGroupAddrType", INET_ADDRESS_TYPE, |v| {
            address_type(daemon(v)?.group.as_ref()?)
        }),
        Scalar::new(9, "lvsSyncDaemonMcastGroupAddrValue", INET_ADDRESS, |v| {
            address(daemon(v)?.group.as_ref()?)
        }),
    ],
};

/// One of them in whole seconds, where written.
fn timeout(view: View<'_>, which: fn(&LvsTimeouts) -> Option<Duration>) -> Cell {
    let written = which(&view.world.settings.global.lvs_timeouts)?;
    integer(i64::try_from(written.as_secs()).unwrap_or(i64::MAX))
}

const TIMEOUTS: Scalars<Keepwatch> = Scalars {
    parent: &[3, 7],
    scalars: &[
        Scalar::new(1, "lvsTimeoutTcp", INTEGER32, |v| timeout(v, |t| t.tcp)),
        Scalar::new(2, "lvsTimeoutTcpFin", INTEGER32, |v| timeout(v, |t| t.tcp_fin)),
        Scalar::new(3, "lvsTimeoutUdp", INTEGER32, |v| timeout(v, |t| t.udp)),
    ],
};
