//! Receive buffers of the daemon's sockets.

use serde::{Deserialize, Serialize};

/// Buffers of sockets towards the kernel, and of those that hear adverts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveBuffers {
    /// `vrrp_netlink_cmd_rcv_bufs`: answers to the VRRP part's commands.
    pub vrrp_commands: KernelBuffer,
    /// `vrrp_netlink_monitor_rcv_bufs`: interfaces, addresses and routes that change.
    pub vrrp_monitor: KernelBuffer,
    /// `process_monitor_rcv_bufs`: processes that begin and end.
    pub process_monitor: KernelBuffer,
    /// `lvs_netlink_cmd_rcv_bufs`: answers to the checker part's commands.
    pub lvs_commands: KernelBuffer,
    /// `lvs_netlink_monitor_rcv_bufs`: addresses that change, for checkers.
    pub lvs_monitor: KernelBuffer,
    /// `vrrp_rx_bufs_policy`: how large the buffers of adverts are.
    pub adverts: AdvertBuffers,
    /// `vrrp_rx_bufs_multiplier`: for how many messages of each instance there is room; 3 unless given.
    pub adverts_multiplier: AdvertsMultiplier,
}

/// Receive buffer of a netlink socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KernelBuffer {
    /// Bytes; the system's default (`net.core.rmem_default`) unless given.
    pub bytes: Option<u32>,
    /// `…_force`: also beyond `net.core.rmem_max`.
    pub force: bool,
}

/// `vrrp_rx_bufs_policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvertBuffers {
    /// Not written: the system's default.
    #[default]
    System,
    /// `MTU`: the MTU of the interface, for each instance, times the multiplier.
    Mtu,
    /// `ADVERT`: the size of an advert, for each instance, times the multiplier.
    Advert,
    /// So many bytes.
    Bytes(u32),
}

/// `vrrp_rx_bufs_multiplier`; 3 unless given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AdvertsMultiplier(pub u32);

impl Default for AdvertsMultiplier {
    fn default() -> Self {
        Self(3)
    }
}
