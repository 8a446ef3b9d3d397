//! Rules of policy routing: lines of `static_rules` and `virtual_rules`, with everything that `ip rule add` takes.

use serde::{Deserialize, Serialize};

use super::{Family, FwMark, Name, Prefix, Realms, RoutingProtocol};

/// A rule: which packets, and which table (or what else) they are routed by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `inet`, `inet6`, or what its addresses are of.
    pub family: Family,
    /// `preference`, `order` or `priority`: the lowest is asked first. Without one, from 16384 downwards in the order of
    /// the file, for each family.
    pub preference: u32,
    /// `not`: the packets that do not match.
    pub inverted: bool,
    /// `from`: source of the packet.
    pub from: Option<Prefix>,
    /// `to`: destination of the packet.
    pub to: Option<Prefix>,
    /// `tos` or `dsfield`; any when 0.
    pub tos: u8,
    /// `fwmark MARK[/MASK]`.
    pub mark: Option<MaskedMark>,
    /// `iif` or `dev`: where the packet came in.
    pub incoming_interface: Option<Name>,
    /// `oif`: where it is to go out (of sockets that are bound).
    pub outgoing_interface: Option<Name>,
    /// `tunnel-id` of the tunnel that it came through.
    pub tunnel_id: Option<u64>,
    /// `uidrange FIRST-LAST`: the user that sends it.
    pub users: Option<(u32, u32)>,
    /// `ipproto`.
    pub ip_protocol: Option<u8>,
    /// `sport FIRST-LAST`.
    pub source_ports: Option<(u16, u16)>,
    /// `dport FIRST-LAST`.
    pub destination_ports: Option<(u16, u16)>,
    /// What is done with the packet.
    pub action: RuleAction,
    /// `realms` that it is counted under (IPv4 only).
    pub realms: Option<Realms>,
    /// `suppress_prefixlength`: routes with a prefix of this length or shorter are not taken.
    pub suppress_prefix_length: Option<u32>,
    /// `suppress_ifgroup`: routes out of interfaces of this group are not taken.
    pub suppress_interface_group: Option<u32>,
    /// `protocol`: keepalived's (18) unless `no_track` lets another stand; the kernel's default when `None`.
    pub protocol: Option<RoutingProtocol>,
    /// `no_track`: whether the rule is there does not matter to the instance.
    pub no_track: bool,
    /// `track_group`: instances that are in fault while the interface is down (static rules only).
    pub track_group: Option<Name>,
}

/// A firewall mark, and the bits of it that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskedMark {
    /// The mark.
    pub mark: FwMark,
    /// Which bits; all when `None`.
    pub mask: Option<u32>,
}

/// What a rule does with its packets (`FR_ACT_*` of rtnetlink).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// `table` or `lookup`: routed by this table.
    Table(u32),
    /// `l3mdev`: routed by the table of the VRF of the interface.
    L3mdev,
    /// `goto`: on with the rule of this preference.
    Goto(u32),
    /// `nop`: on with the next rule.
    Nop,
    /// `blackhole`: dropped.
    Blackhole,
    /// `unreachable`: refused, network unreachable.
    Unreachable,
    /// `prohibit`: refused, administratively prohibited.
    Prohibit,
}
