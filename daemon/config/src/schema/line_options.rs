//! The options that lines of addresses, routes and rules may have, as iproute2 names them.

/// An option of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineOption {
    /// Its name.
    pub name: &'static str,
    /// The form of its value; empty when it has none.
    pub value: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
}

const fn option(name: &'static str, value: &'static str, help: &'static str) -> LineOption {
    LineOption { name, value, help }
}

/// Of an address.
pub(crate) const ADDRESS: &[LineOption] = &[
    option("dev", "INTERFACE", "The interface that it goes on."),
    option(
        "scope",
        "SCOPE",
        "Where it is valid: global, site, link, host, nowhere, a number or a name of rt_scopes; IPv4 only.",
    ),
    option("brd", "ADDRESS | + | -", "Broadcast address; `+` sets all bits of the host, `-` none."),
    option("broadcast", "ADDRESS | + | -", "The same as `brd`."),
    option("label", "LABEL", "Label of an IPv4 address, at most 15 bytes."),
    option("peer", "ADDRESS", "The other end of a point-to-point link."),
    option("preferred_lft", "SECONDS | forever", "How long it is preferred as source address."),
    option("track_group", "GROUP", "The `track_group` that a static one is tracked for."),
    option("home", "", "Home address (Mobile IPv6)."),
    option("-nodad", "", "IPv6: the kernel looks for duplicates of it."),
    option("mngtmpaddr", "", "IPv6: the kernel makes temporary addresses of it."),
    option("noprefixroute", "", "No route to its network is made."),
    option("autojoin", "", "A multicast group that the kernel joins."),
    option("no_track", "", "What becomes of it does not matter."),
    option("use_vmac", "", "A virtual one: it goes on the VMAC of the instance."),
];

/// Of a route.
pub(crate) const ROUTE: &[LineOption] = &[
    option("inet", "", "It is of IPv4."),
    option("inet6", "", "It is of IPv6."),
    option("to", "PREFIX", "Where it leads; the word may be left out."),
    option("src", "ADDRESS", "Source address to prefer."),
    option("as", "[to] ADDRESS", "Translation of addresses: nothing of the kernel any more."),
    option("gw", "ADDRESS", "Old for `via`."),
    option("or", "ADDRESS", "Old, after `gw`: a second next hop."),
    option("from", "PREFIX", "Only for packets from there; IPv6 only."),
    option("tos", "TOS", "Only for packets of this type of service."),
    option("dsfield", "TOS", "The same as `tos`."),
    option("table", "TABLE", "Routing table, by number or name."),
    option("vrf", "INTERFACE", "The routing table of this VRF."),
    option("protocol", "PROTOCOL", "Who made it; what is tracked has keepalived's."),
    option("scope", "SCOPE", "How far it leads."),
    option("metric", "NUMBER", "Of several to one destination the least counts."),
    option("priority", "NUMBER", "The same as `metric`."),
    option("preference", "NUMBER", "The same as `metric`."),
    option("oif", "INTERFACE", "The same as `dev`."),
    option("expires", "SECONDS", "How long it lives; IPv6 only."),
    option("pref", "low | medium | high", "Preference of a router; IPv6 only."),
    option("ttl-propagate", "enabled | disabled", "MPLS: the TTL of the label becomes that of the packet."),
    option("add", "", "Fails if there is one already."),
    option("prepend", "", "Before those that are there."),
    option("append", "", "After those that are there."),
    option(
        "nexthop",
        "[via ADDRESS] [dev INTERFACE] [weight NUMBER] …",
        "One of several ways; stands last, and again for each.",
    ),
    option("no_track", "", "What becomes of it does not matter."),
    option("track_group", "GROUP", "The `track_group` that a static one is tracked for."),
    option("via", "[inet | inet6] ADDRESS", "The next router."),
    option("dev", "INTERFACE", "Interface to go out of."),
    option("onlink", "", "The next router is on the link, whatever its address."),
    option("encap", "TYPE …", "How packets are wrapped: mpls, ip, ip6 and the like."),
    option("realms", "[FROM/]TO", "Realms of its packets; IPv4 only."),
    option("mtu", "[lock] BYTES", "Largest packet."),
    option("advmss", "[lock] BYTES", "Largest TCP segment that is advertised."),
    option("hoplimit", "NUMBER", "Hop limit of packets."),
    option("rtt", "[lock] TIME", "First guess at the round-trip time."),
    option("rttvar", "[lock] TIME", "First guess at its variance."),
    option("rto_min", "[lock] TIME", "Shortest time until TCP sends again."),
    option("reordering", "[lock] NUMBER", "How far packets may be out of order."),
    option("window", "BYTES", "Largest TCP window that is advertised."),
    option("cwnd", "[lock] PACKETS", "Bound of the congestion window."),
    option("ssthresh", "[lock] PACKETS", "First slow-start threshold."),
    option("initcwnd", "PACKETS", "First congestion window."),
    option("initrwnd", "PACKETS", "First receive window."),
    option("features", "ecn", "ECN is used."),
    option("quickack", "0 | 1", "TCP acknowledges at once."),
    option("fastopen_no_cookie", "0 | 1", "TCP Fast Open works without a cookie."),
    option("congctl", "[lock] NAME", "Congestion control of TCP."),
];

/// Of a rule.
pub(crate) const RULE: &[LineOption] = &[
    option("inet", "", "It is of IPv4."),
    option("inet6", "", "It is of IPv6."),
    option("from", "PREFIX", "Packets from there."),
    option("to", "PREFIX", "Packets to there."),
    option("table", "TABLE", "They are routed by this table."),
    option("lookup", "TABLE", "The same as `table`."),
    option("not", "", "All packets but those that the rest says."),
    option("preference", "NUMBER", "Its place among the rules: lower ones come first."),
    option("order", "NUMBER", "The same as `preference`."),
    option("priority", "NUMBER", "The same as `preference`."),
    option("tos", "TOS", "Packets of this type of service."),
    option("dsfield", "TOS", "The same as `tos`."),
    option("fwmark", "MARK[/MASK]", "Packets with this firewall mark."),
    option("realms", "[FROM/]TO", "Realms of its packets; IPv4 only."),
    option("suppress_prefixlength", "NUMBER", "Not by a route with a prefix of this length or less."),
    option("sup_pl", "NUMBER", "The same as `suppress_prefixlength`."),
    option("suppress_ifgroup", "GROUP", "Not by a route out of an interface of this group."),
    option("sup_group", "GROUP", "The same as `suppress_ifgroup`."),
    option("dev", "INTERFACE", "The same as `iif`."),
    option("iif", "INTERFACE", "Packets that came in here."),
    option("oif", "INTERFACE", "Packets of sockets that are bound to this interface."),
    option("tunnel-id", "NUMBER", "Packets of this tunnel."),
    option("uidrange", "FIRST-LAST", "Packets of these users."),
    option("l3mdev", "", "They are routed by the table of their VRF."),
    option("protocol", "PROTOCOL", "Who made it; what is tracked has keepalived's."),
    option("ipproto", "PROTOCOL", "Packets of this protocol, by number or name."),
    option("sport", "PORT | FIRST-LAST", "Packets from these ports."),
    option("dport", "PORT | FIRST-LAST", "Packets to these ports."),
    option("no_track", "", "What becomes of it does not matter."),
    option("track_group", "GROUP", "The `track_group` that a static one is tracked for."),
    option("type", "ACTION", "What is done with them: blackhole, prohibit, unreachable."),
    option("goto", "PREFERENCE", "The rule with this preference is next."),
    option("nop", "", "Nothing is done with them."),
    option("blackhole", "", "They are thrown away."),
    option("prohibit", "", "They are refused as forbidden."),
    option("unreachable", "", "They are refused as unreachable."),
];
