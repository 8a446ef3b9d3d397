//! The addresses of virtual routers, and static ones as part of row 0.

use std::net::IpAddr;

use keepwatch_bus::World;
use keepwatch_bus::fact::RoutingEntry;
use keepwatch_bus::subject::VirtualAddress;
use keepwatch_model::InterfaceAddress;
use snmp_agentx::syntax::{
    DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_PREFIX_LENGTH, INET_ADDRESS_TYPE, INET_SCOPE_TYPE, INTEGER,
    INTERFACE_INDEX,
};
use snmp_agentx::{At, Column, Rows, Table};

use super::Tables;
use crate::cells::{address, address_type, integer, text, text_of, truth, unsigned};
use crate::source::{Keepwatch, Owner, part};

pub(super) const TABLES: Tables = &[&ADDRESSES];

struct Addresses;

impl Rows for Addresses {
    type Source = Keepwatch;
    type Index = [u32; 2];
    type Row<'s> = AddressRow<'s>;
}

struct AddressRow<'s> {
    world: &'s World,
    owner: Owner<'s>,
    /// The row of the owner.
    place: u32,
    of: &'s InterfaceAddress,
    /// Whether it is in the advertisements.
    advertised: bool,
}

impl AddressRow<'_> {
    /// As facts name it: with the interface that it goes on. A static one names that itself.
    fn virtual_address(&self) -> VirtualAddress {
        match self.owner {
            Owner::Static(_) => self.of.beside(""),
            Owner::Instance(instance) => instance.settings.virtual_address(self.of),
        }
    }

    /// Whether it is there now.
    fn is_put(&self) -> bool {
        match self.owner {
            Owner::Static(_) => {
                self.owner.has_put(self.world, &RoutingEntry::Address(Box::new(self.of.clone())))
            }
            Owner::Instance(instance) => instance.addresses.contains(&self.virtual_address()),
        }
    }
}

fn count(owner: Owner<'_>) -> usize {
    match owner {
        Owner::Static(process) => process.static_addresses.len(),
        Owner::Instance(i) => i.settings.addresses.len() + i.settings.excluded_addresses.len(),
    }
}

const ADDRESSES: Table<Addresses> = Table {
    name: "vrrpAddressEntry",
    entry: &[2, 6, 1],
    index: &["vrrpInstanceIndex", "vrrpAddressIndex"],
    rows: |At(view), start| {
        let world = view.world;
        let (index, part) = part(start, |place| Owner::placed(world, place), count)?;
        let (of, advertised) = match part.of {
            Owner::Static(process) => (process.static_addresses.get(part.at)?, false),
            Owner::Instance(instance) => {
                let settings = &instance.settings;
                (settings.all_addresses().nth(part.at)?, part.at < settings.addresses.len())
            }
        };
        Some((index, AddressRow { world, owner: part.of, place: part.place, of, advertised }))
    },
    columns: &[
        Column::new(2, "vrrpAddressType", INET_ADDRESS_TYPE, |r| address_type(&r.of.address)),
        Column::new(3, "vrrpAddressValue", INET_ADDRESS, |r| address(&r.of.address)),
        Column::new(4, "vrrpAddressBroadcast", INET_ADDRESS, |r| match r.of.address {
            IpAddr::V4(_) => address(&r.of.broadcast.unwrap_or(IpAddr::from([0, 0, 0, 0]))),
            IpAddr::V6(_) => None,
        }),
        Column::new(5, "vrrpAddressMask", INET_ADDRESS_PREFIX_LENGTH, |r| unsigned(r.of.prefix_len)),
        Column::new(6, "vrrpAddressScope", INET_SCOPE_TYPE, |r| integer(scope(r.of.scope.number()))),
        Column::new(7, "vrrpAddressIfIndex", INTERFACE_INDEX, |r| {
            integer(r.world.interfaces.get(&r.virtual_address().interface).map_or(0, |i| i.index))
        }),
        Column::new(8, "vrrpAddressIfName", DISPLAY_STRING, |r| text(r.virtual_address().interface)),
        Column::new(9, "vrrpAddressIfAlias", DISPLAY_STRING, |r| text_of(&r.of.label)),
        Column::new(10, "vrrpAddressStatus", INTEGER, |r| truth(r.is_put())),
        // keepalived, 2.2 as 2.4, tells this of the first virtual router's addresses only, and 2 of all others. A
        // walk here and a walk there are to look the same.
        Column::new(11, "vrrpAddressAdvertising", INTEGER, |r| truth(r.advertised && r.place == 1)),
        Column::new(12, "vrrpAddressPeer", INET_ADDRESS, |r| address(&r.of.peer?.0)),
    ],
};

/// InetScopeType of RFC 4007 for a scope of the kernel.
pub(super) fn scope(kernel: u8) -> i32 {
    match kernel {
        0 => 14,
        200 => 5,
        253 => 2,
        254 => 1,
        _ => 0,
    }
}
