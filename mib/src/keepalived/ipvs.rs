//! IPVS as a whole: the synchronisation daemon and the time-outs.

use keepwatch_bus::details::SyncDaemon;
use snmp_agentx::syntax::{DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_TYPE, INTEGER, INTEGER32};
use snmp_agentx::{Scalar, Scalars};

use super::Tables;
use crate::cells::{Cell, address, address_type, integer, text, text_of, truth};
use crate::source::{Keepwatch, View};

pub(super) const TABLES: Tables = &[&SYNC_DAEMON, &TIMEOUTS];

fn daemon<'s>(view: View<'s>) -> Option<&'s SyncDaemon> {
    view.world.settings.details.sync_daemon.as_ref()
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

/// One of TCP, TCP after FIN, UDP, in whole seconds; where written.
fn timeout(view: View<'_>, which: usize) -> Cell {
    let [tcp, tcp_fin, udp] = view.world.settings.details.lvs_timeouts;
    let written = [tcp, tcp_fin, udp].get(which).copied().flatten()?;
    integer(i64::try_from(written.as_secs()).unwrap_or(i64::MAX))
}

const TIMEOUTS: Scalars<Keepwatch> = Scalars {
    parent: &[3, 7],
    scalars: &[
        Scalar::new(1, "lvsTimeoutTcp", INTEGER32, |v| timeout(v, 0)),
        Scalar::new(2, "lvsTimeoutTcpFin", INTEGER32, |v| timeout(v, 1)),
        Scalar::new(3, "lvsTimeoutUdp", INTEGER32, |v| timeout(v, 2)),
    ],
};
