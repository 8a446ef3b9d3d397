//! Messages of nf_tables (include/uapi/linux/netfilter/nf_tables.h): tables, chains, rules and sets of the packet filter,
//! as far as virtual routers need them. In: what shall be there. Out: requests that are carried out as a whole or not at
//! all. The program `nft` shows what they make as if it had made it.

mod marks;
mod tables;

use netlink_packet_core::NLM_F_CREATE;
use nix::errno::Errno;

use super::attributes::Attributes;
use super::requests::Requests;

pub use marks::{MarkedPackets, mark_packets, marks_packets};
pub use tables::{FilterTable, filter_tables};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEWTABLE: u16 = 0;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const NEWRULE: u16 = 6;
const NEWSET: u16 = 9;
const NEWSETELEM: u16 = 12;
const DELSETELEM: u16 = 14;
/// `NLM_F_APPEND`: a rule comes after those that are there.
const APPEND: u16 = 0x800;
/// `NFT_TABLE_F_OWNER` (Linux 5.12): the table is this socket's. Nobody else changes it, and it goes with the socket.
const TABLE_OWNER: u32 = 2;
const VERDICT_REGISTER: u32 = 0;
const FIRST_REGISTER: u32 = 1;
/// The 32-bit register behind the 16 bytes of the first one (`NFT_REG32_04`).
const BEHIND_ADDRESS: u32 = 12;
const NF_DROP: u32 = 0;
const NF_ACCEPT: u32 = 1;
/// `NFT_GOTO`, −4.
const GOTO: u32 = -4i32 as u32;
const SET_CONSTANT: u32 = 2;
const SET_MAP: u32 = 8;
/// What `nft` has to be told of a map from interfaces to interfaces: keys (0) and values (1) are in this host's order of
/// bytes (1), each four bytes of it.
const NUMBERS_OF_HOST: [u8; 12] = {
    let [a, b, c, d] = 1u32.to_ne_bytes();
    [0, 4, a, b, c, d, 1, 4, a, b, c, d]
};
/// Elements of a set in one message: they are in one attribute, which is 64 kB at most; the longest takes 52 bytes.
const PER_MESSAGE: usize = 1000;

/// A family of tables (`NFPROTO_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilterFamily {
    /// `ip`.
    Ip,
    /// `ip6`.
    Ip6,
}

impl FilterFamily {
    fn number(self) -> u8 {
        match self {
            Self::Ip => 2,
            Self::Ip6 => 10,
        }
    }
}

/// Where a chain looks at packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterHook {
    /// Those for this host (`NF_INET_LOCAL_IN`).
    Input,
    /// Those of this host (`NF_INET_LOCAL_OUT`).
    Output,
}

/// What the keys of a set, or the values of a map, are, by the numbers under which `nft` knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterType {
    /// `ipv4_addr`.
    Ipv4,
    /// `ipv6_addr`.
    Ipv6,
    /// `iface_index`.
    Interface,
    /// `icmpv6_type`.
    Icmpv6,
    /// `ipv6_addr . iface_index`.
    Ipv6Interface,
    /// `ipv6_addr . ifname`.
    Ipv6Name,
}

impl FilterType {
    /// Its number, and its length in bytes.
    fn numbers(self) -> (u32, u32) {
        const IPV6: u32 = 8;
        const INTERFACE: u32 = 20;
        const NAME: u32 = 41;
        match self {
            Self::Ipv4 => (7, 4),
            Self::Ipv6 => (IPV6, 16),
            Self::Interface => (INTERFACE, 4),
            Self::Icmpv6 => (29, 1),
            // Parts of a key stand one after the other, six bits each.
            Self::Ipv6Interface => (IPV6 << 6 | INTERFACE, 20),
            Self::Ipv6Name => (IPV6 << 6 | NAME, 32),
        }
    }
}

/// What a packet is compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterField {
    /// The address that it comes from.
    Source,
    /// The address that it goes to.
    Destination,
    /// Its type, of ICMPv6; other packets do not match.
    Icmpv6Type,
    /// The interface that it came in by.
    InputInterface,
    /// The interface that it leaves by.
    OutputInterface,
    /// Source, and the interface that it leaves by.
    SourceAndOutput,
    /// Destination, and the interface that it came in by.
    DestinationAndInput,
    /// Source, and the name of the interface that it leaves by.
    SourceAndOutputName,
}

/// What a rule does in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterVerdict<'a> {
    /// The packet is gone.
    Drop,
    /// It is let through.
    Accept,
    /// Another chain decides.
    Goto(&'a str),
}

/// One rule: conditions, and what is done with a packet that meets them.
#[derive(Clone, Debug, Default)]
pub struct FilterRule {
    family: Option<FilterFamily>,
    counts: bool,
    expressions: Attributes,
}

impl FilterRule {
    /// A rule of a table of this family; with `counts` it counts its packets.
    pub fn new(family: FilterFamily, counts: bool) -> Self {
        Self { family: Some(family), counts, expressions: Attributes::default() }
    }

    fn expression(&mut self, name: &str, fill: impl FnOnce(&mut Attributes)) -> &mut Self {
        self.expressions.nest(1, |element| {
            element.text(1, name).nest(2, fill);
        });
        self
    }

    fn meta(&mut self, key: u32, register: u32) -> &mut Self {
        self.expression("meta", |meta| {
            meta.be32(2, key).be32(1, register);
        })
    }

    /// `base` is the header that the offset counts from: 1 of the network, 2 of the transport.
    fn payload(&mut self, base: u32, offset: u32, length: u32) -> &mut Self {
        self.expression("payload", |payload| {
            payload.be32(1, FIRST_REGISTER).be32(2, base).be32(3, offset).be32(4, length);
        })
    }

    fn equals(&mut self, value: &[u8]) -> &mut Self {
        self.expression("cmp", |compare| {
            compare.be32(1, FIRST_REGISTER).be32(2, 0).nest(3, |data| {
                data.bytes(1, value);
            });
        })
    }

    fn address(&mut self, source: bool) -> &mut Self {
        match (self.family, source) {
            (Some(FilterFamily::Ip6), true) => self.payload(1, 8, 16),
            (Some(FilterFamily::Ip6), false) => self.payload(1, 24, 16),
            (_, true) => self.payload(1, 12, 4),
            (_, false) => self.payload(1, 16, 4),
        }
    }

    fn load(&mut self, field: FilterField) -> &mut Self {
        const IIF: u32 = 4;
        const OIF: u32 = 5;
        const OIFNAME: u32 = 7;
        const L4PROTO: u32 = 16;
        const ICMPV6: u8 = 58;
        match field {
            FilterField::Source => self.address(true),
            FilterField::Destination => self.address(false),
            FilterField::Icmpv6Type => self.meta(L4PROTO, FIRST_REGISTER).equals(&[ICMPV6]).payload(2, 0, 1),
            FilterField::InputInterface => self.meta(IIF, FIRST_REGISTER),
            FilterField::OutputInterface => self.meta(OIF, FIRST_REGISTER),
            FilterField::SourceAndOutput => self.address(true).meta(OIF, BEHIND_ADDRESS),
            FilterField::DestinationAndInput => self.address(false).meta(IIF, BEHIND_ADDRESS),
            FilterField::SourceAndOutputName => self.address(true).meta(OIFNAME, BEHIND_ADDRESS),
        }
    }

    /// The field must be this.
    pub fn is(mut self, field: FilterField, value: &[u8]) -> Self {
        self.load(field).equals(value);
        self
    }

    /// The field must be in a set.
    pub fn is_in(mut self, field: FilterField, set: &str) -> Self {
        self.load(field).expression("lookup", |lookup| {
            lookup.text(1, set).be32(2, FIRST_REGISTER);
        });
        self
    }

    /// The packet is IGMP (of IPv4).
    pub fn is_igmp(mut self) -> Self {
        self.payload(1, 9, 1).equals(&[2]);
        self
    }

    /// It leaves by a macvlan.
    pub fn leaves_by_macvlan(mut self) -> Self {
        const OIFKIND: u32 = 27;
        let mut kind = [0; 16];
        kind[..7].copy_from_slice(b"macvlan");
        self.meta(OIFKIND, FIRST_REGISTER).equals(&kind);
        self
    }

    /// The address is link-local (of IPv6): `fe80::/10`.
    pub fn is_link_local(mut self, source: bool) -> Self {
        let mask = |first: [u8; 2]| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&first);
            bytes
        };
        self.address(source)
            .expression("bitwise", |bitwise| {
                bitwise
                    .be32(1, FIRST_REGISTER)
                    .be32(2, FIRST_REGISTER)
                    .be32(3, 16)
                    .nest(4, |data| {
                        data.bytes(1, &mask([0xff, 0xc0]));
                    })
                    .nest(5, |data| {
                        data.bytes(1, &mask([0, 0]));
                    });
            })
            .equals(&mask([0xfe, 0x80]));
        self
    }

    /// Sends a copy to where the packet goes, by the interface that a map names for the one that it leaves by.
    pub fn duplicated_by(mut self, map: &str) -> Self {
        // The address in the first register, the interface behind it.
        self.address(false)
            .meta(5, BEHIND_ADDRESS)
            .expression("lookup", |lookup| {
                lookup.text(1, map).be32(2, BEHIND_ADDRESS).be32(3, BEHIND_ADDRESS);
            })
            .expression("dup", |dup| {
                dup.be32(1, FIRST_REGISTER).be32(2, BEHIND_ADDRESS);
            });
        self
    }

    fn finish(mut self, verdict: FilterVerdict<'_>) -> Attributes {
        if self.counts {
            self.expression("counter", |_| {});
        }
        self.expression("immediate", |immediate| {
            immediate.be32(1, VERDICT_REGISTER).nest(2, |data| {
                data.nest(2, |verdict_data| match verdict {
                    FilterVerdict::Drop => {
                        verdict_data.be32(1, NF_DROP);
                    }
                    FilterVerdict::Accept => {
                        verdict_data.be32(1, NF_ACCEPT);
                    }
                    FilterVerdict::Goto(chain) => {
                        verdict_data.be32(1, GOTO).text(2, chain);
                    }
                });
            });
        });
        self.expressions
    }
}

/// Requests about one table, to be carried out together.
pub struct FilterBatch<'a> {
    requests: &'a mut Requests,
    family: FilterFamily,
    table: &'a str,
    sets: u32,
}

impl<'a> FilterBatch<'a> {
    /// Begins one; `requests` is [`Requests::filter`]'s.
    pub fn new(requests: &'a mut Requests, family: FilterFamily, table: &'a str) -> Self {
        Self { requests, family, table, sets: 0 }
    }

    fn push(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Attributes)) {
        let mut body = Attributes::after(&[self.family.number(), 0, 0, 0]);
        body.text(1, self.table);
        fill(&mut body);
        self.requests.push(SUBSYSTEM << 8 | kind, flags, &body);
    }

    /// Makes the table anew, without anything in it: what there was of it goes at the same moment. Owned, it is nobody
    /// else's to change, and goes with the socket.
    pub fn table(&mut self, owned: bool) {
        let flags = if owned { TABLE_OWNER } else { 0 };
        self.push(NEWTABLE, NLM_F_CREATE, |table| {
            if owned {
                table.be32(2, flags);
            }
        });
    }

    /// Removes the table with all that is in it.
    pub fn remove_table(&mut self) {
        self.push(DELTABLE, 0, |_| {});
    }

    /// A chain; without a hook it is reached by [`FilterVerdict::Goto`] only.
    pub fn chain(&mut self, name: &str, hook: Option<(FilterHook, i32)>) {
        self.push(NEWCHAIN, NLM_F_CREATE, |chain| {
            chain.text(3, name);
            if let Some((hook, priority)) = hook {
                let number = match hook {
                    FilterHook::Input => 1,
                    FilterHook::Output => 3,
                };
                chain.nest(4, |inner| {
                    inner.be32(1, number).be32(2, priority as u32);
                });
                chain.be32(5, NF_ACCEPT).text(7, "filter");
            }
        });
    }

    /// A rule at the end of a chain.
    pub fn rule(&mut self, chain: &str, rule: FilterRule, verdict: FilterVerdict<'_>) {
        let expressions = rule.finish(verdict);
        self.push(NEWRULE, NLM_F_CREATE | APPEND, |body| {
            body.text(2, chain).nest(4, |list| *list = expressions);
        });
    }

    /// A set, or a map to interfaces; `constant` ones hold the same for ever.
    pub fn set(&mut self, name: &str, key: FilterType, map: bool, constant: bool) {
        self.sets += 1;
        let id = self.sets;
        let (kind, length) = key.numbers();
        self.push(NEWSET, NLM_F_CREATE, |set| {
            let flags = if map { SET_MAP } else { 0 } | if constant { SET_CONSTANT } else { 0 };
            set.text(2, name).be32(3, flags).be32(4, kind).be32(5, length);
            if map {
                let (kind, length) = FilterType::Interface.numbers();
                set.be32(6, kind).be32(7, length);
            }
            set.be32(10, id);
            if map && key == FilterType::Interface {
                set.bytes(13, &NUMBERS_OF_HOST);
            }
        });
    }

    /// Puts elements in a set: each its key, and of a map the interface that it leads to.
    pub fn elements(&mut self, set: &str, elements: &[(Vec<u8>, Option<u32>)]) {
        for some in elements.chunks(PER_MESSAGE) {
            self.push(NEWSETELEM, NLM_F_CREATE, |body| {
                body.text(2, set).nest(3, |list| {
                    some.iter().for_each(|(key, value)| add_element(list, key, *value));
                });
            });
        }
    }

    /// Takes everything out of a set.
    pub fn empty(&mut self, set: &str) {
        self.push(DELSETELEM, 0, |body| {
            body.text(2, set);
        });
    }

    /// Has all that done.
    ///
    /// # Errors
    /// The first thing that the kernel refused; then nothing was done.
    pub fn carry_out(self) -> std::result::Result<(), Errno> {
        // `struct nfgenmsg` with the subsystem as its resource.
        let edge = Attributes::after(&[0, 0, 0, SUBSYSTEM as u8]);
        self.requests.carry_out_whole((BATCH_BEGIN, &edge), (BATCH_END, &edge))
    }
}

fn add_element(list: &mut Attributes, key: &[u8], value: Option<u32>) {
    list.nest(1, |element| {
        element.nest(1, |data| {
            data.bytes(1, key);
        });
        if let Some(value) = value {
            element.nest(2, |data| {
                data.bytes(1, &value.to_ne_bytes());
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_elements_as_go_in_a_message_fit_its_attribute() {
        let mut list = Attributes::default();
        list.nest(3, |list| (0..PER_MESSAGE).for_each(|_| add_element(list, &[0; 32], Some(1))));
        assert!(!list.is_too_long());
    }
}
