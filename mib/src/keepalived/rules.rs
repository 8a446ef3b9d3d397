//! Rules of policy routing: those of virtual routers, and static ones as part of row 0.

use keepwatch_bus::World;
use keepwatch_bus::fact::RoutingEntry;
use keepwatch_model::{Prefix, Rule, RuleAction};
use snmp_agentx::syntax::{
    Base, DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_PREFIX_LENGTH, INET_ADDRESS_TYPE, INTEGER, TRUTH_VALUE,
    UNSIGNED32,
};
use snmp_agentx::{At, Column, Rows, Syntax, Table};

use super::Tables;
use super::routes::{REALM, protocol};
use crate::cells::{Cell, address, address_type, integer, text, text_of, truth, unsigned};
use crate::source::{Keepwatch, Owner, part};

pub(super) const TABLES: Tables = &[&RULES];

const RULE_ACTION: Syntax = Syntax::new("RuleAction", Base::Integer);

struct Rules;

impl Rows for Rules {
    type Source = Keepwatch;
    type Index = [u32; 2];
    type Row<'s> = RuleRow<'s>;
}

struct RuleRow<'s> {
    world: &'s World,
    owner: Owner<'s>,
    rule: &'s Rule,
}

impl RuleRow<'_> {
    /// What the obsolete columns tell of: one address where there may be two.
    fn either(&self) -> Option<&Prefix> {
        self.rule.to.as_ref().or(self.rule.from.as_ref())
    }

    /// The table that packets are routed by; 0 where the VRF of their interface says which.
    fn table(&self) -> Cell {
        match self.rule.action {
            RuleAction::Table(table) => unsigned(table),
            RuleAction::L3mdev => unsigned(0u32),
            _ => None,
        }
    }
}

/// `FR_ACT_*` of rtnetlink.
fn action(action: RuleAction) -> i32 {
    match action {
        RuleAction::Table(_) | RuleAction::L3mdev => 1,
        RuleAction::Goto(_) => 2,
        RuleAction::Nop => 3,
        RuleAction::Blackhole => 6,
        RuleAction::Unreachable => 7,
        RuleAction::Prohibit => 8,
    }
}

const RULES: Table<Rules> = Table {
    name: "vrrpRuleEntry",
    entry: &[2, 8, 1],
    index: &["vrrpInstanceIndex", "vrrpRuleIndex"],
    rows: |At(view), start| {
        let world = view.world;
        let (index, part) = part(start, |place| Owner::placed(world, place), |owner| owner.rules().len())?;
        Some((index, RuleRow { world, owner: part.of, rule: part.of.rules().get(part.at)? }))
    },
    columns: &[
        Column::new(2, "vrrpRuleDirection", DISPLAY_STRING, |r| {
            text(match (&r.rule.from, &r.rule.to) {
                (Some(_), Some(_)) => "both",
                (Some(_), None) => "from",
                (None, Some(_)) => "to",
                (None, None) => "",
            })
        }),
        Column::new(3, "vrrpRuleAddressType", INET_ADDRESS_TYPE, |r| address_type(&r.either()?.address)),
        Column::new(4, "vrrpRuleAddress", INET_ADDRESS, |r| address(&r.either()?.address)),
        Column::new(5, "vrrpRuleAddressMask", INET_ADDRESS_PREFIX_LENGTH, |r| unsigned(r.either()?.length)),
        Column::new(6, "vrrpRuleRoutingTable", UNSIGNED32, |r| r.table()),
        Column::new(7, "vrrpRuleStatus", INTEGER, |r| {
            truth(r.owner.has_put(r.world, &RoutingEntry::Rule(Box::new(r.rule.clone()))))
        }),
        Column::new(8, "vrrpRuleInvert", TRUTH_VALUE, |r| truth(r.rule.inverted)),
        Column::new(9, "vrrpRuleDestinationAddressType", INET_ADDRESS_TYPE, |r| {
            address_type(&r.rule.to.as_ref()?.address)
        }),
        Column::new(10, "vrrpRuleDestinationAddress", INET_ADDRESS, |r| {
            address(&r.rule.to.as_ref()?.address)
        }),
        Column::new(11, "vrrpRuleDestinationAddressMask", INET_ADDRESS_PREFIX_LENGTH, |r| {
            unsigned(r.rule.to.as_ref()?.length)
        }),
        Column::new(12, "vrrpRuleSourceAddressType", INET_ADDRESS_TYPE, |r| {
            address_type(&r.rule.from.as_ref()?.address)
        }),
        Column::new(13, "vrrpRuleSourceAddress", INET_ADDRESS, |r| address(&r.rule.from.as_ref()?.address)),
        Column::new(14, "vrrpRuleSourceAddressMask", INET_ADDRESS_PREFIX_LENGTH, |r| {
            unsigned(r.rule.from.as_ref()?.length)
        }),
        Column::new(15, "vrrpRuleTos", UNSIGNED32, |r| unsigned(r.rule.tos)),
        Column::new(16, "vrrpRuleFwmark", UNSIGNED32, |r| unsigned(r.rule.mark?.mark.0)),
        Column::new(17, "vrrpRuleFwmask", UNSIGNED32, |r| unsigned(r.rule.mark?.mask?)),
        Column::new(18, "vrrpRuleRealmDst", REALM, |r| unsigned(r.rule.realms?.to)),
        Column::new(19, "vrrpRuleRealmSrc", REALM, |r| unsigned(r.rule.realms?.from?)),
        Column::new(20, "vrrpRuleInInterface", DISPLAY_STRING, |r| text_of(&r.rule.incoming_interface)),
        Column::new(21, "vrrpRuleOutInterface", DISPLAY_STRING, |r| text_of(&r.rule.outgoing_interface)),
        Column::new(22, "vrrpRuleTarget", UNSIGNED32, |r| match r.rule.action {
            RuleAction::Goto(preference) => unsigned(preference),
            _ => None,
        }),
        Column::new(23, "vrrpRuleAction", RULE_ACTION, |r| integer(action(r.rule.action))),
        Column::new(24, "vrrpRuleTableNo", UNSIGNED32, |r| r.table()),
        Column::new(25, "vrrpRulePreference", UNSIGNED32, |r| unsigned(r.rule.preference)),
        Column::new(26, "vrrpRuleSuppressPrefixLen", UNSIGNED32, |r| {
            unsigned(r.rule.suppress_prefix_length?)
        }),
        Column::new(27, "vrrpRuleSuppressGroup", DISPLAY_STRING, |r| {
            text(r.rule.suppress_interface_group?.to_string())
        }),
        Column::new(28, "vrrpRuleTunnelIdHigh", UNSIGNED32, |r| unsigned(r.rule.tunnel_id? >> 32)),
        Column::new(29, "vrrpRuleTunnelIdLow", UNSIGNED32, |r| {
            unsigned(r.rule.tunnel_id? & u64::from(u32::MAX))
        }),
        Column::new(30, "vrrpRuleUidRangeStart", UNSIGNED32, |r| unsigned(r.rule.users?.0)),
        Column::new(31, "vrrpRuleUidRangeEnd", UNSIGNED32, |r| unsigned(r.rule.users?.1)),
        Column::new(32, "vrrpRuleL3mdev", TRUTH_VALUE, |r| {
            (r.rule.action == RuleAction::L3mdev).then(|| truth(true)).flatten()
        }),
        // keepalived has these in its MIB and serves none of them.
        Column::new(33, "vrrpRuleProtocol", INTEGER, |r| protocol(r.rule.protocol?)),
        Column::new(34, "vrrpRuleIPProto", UNSIGNED32, |r| unsigned(r.rule.ip_protocol?)),
        Column::new(35, "vrrpRuleSrcPortStart", UNSIGNED32, |r| unsigned(r.rule.source_ports?.0)),
        Column::new(36, "vrrpRuleSrcPortEnd", UNSIGNED32, |r| unsigned(r.rule.source_ports?.1)),
        Column::new(37, "vrrpRuleDstPortStart", UNSIGNED32, |r| unsigned(r.rule.destination_ports?.0)),
        Column::new(38, "vrrpRuleDstPortEnd", UNSIGNED32, |r| unsigned(r.rule.destination_ports?.1)),
    ],
};
