//! Firewall marks: a map from destination address and port, ranges of both, to the mark that packets get. In: ranges. Out:
//! requests of a [`FilterBatch`]. The names of maps and chain are keepalived's.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NlasIterator};
use nix::errno::Errno;

use super::{
    Attributes, FIRST_REGISTER, FilterBatch, FilterFamily, FilterHook, FilterRule, FilterVerdict, NEWCHAIN,
    NEWSET, NEWSETELEM, NEWTABLE, SET_MAP, SUBSYSTEM, tables,
};
use crate::netlink::requests::Requests;

const GETTABLE: u16 = 1;
const GETCHAIN: u16 = 4;
const GETSET: u16 = 10;
const SET_INTERVAL: u32 = 4;
/// `NFT_SET_CONCAT` (Linux 5.6): each part of a key is a range of its own.
const SET_CONCAT: u32 = 0x80;
/// The 32-bit register behind the first four bytes (`NFT_REG32_01`), and behind the first 16.
const BEHIND_IPV4: u32 = 9;
const BEHIND_IPV6: u32 = 12;
/// Elements in one message: the longest takes 80 bytes, and all of them are in one attribute of 64 kB at most.
const PER_MESSAGE: usize = 500;
const CHAIN: &str = "in";

/// Packets that get a mark: those to a range of addresses of one family, and a range of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedPackets {
    /// First and last address.
    pub addresses: (IpAddr, IpAddr),
    /// First and last port.
    pub ports: (u16, u16),
    /// Number of the transport protocol, which must have its destination port where TCP has it.
    pub protocol: u8,
    /// The mark.
    pub mark: u32,
}

impl MarkedPackets {
    /// The family of its table.
    pub fn family(&self) -> FilterFamily {
        match self.addresses.0 {
            IpAddr::V4(_) => FilterFamily::Ip,
            IpAddr::V6(_) => FilterFamily::Ip6,
        }
    }
}

/// Makes the table of one family mark these packets, as they come in for this host, and none other: what there was of the
/// table is replaced at once. Without packets there is no table. `comment` is the table's, by which it is known again.
///
/// # Errors
/// What the kernel refused; then nothing was done.
pub fn mark_packets(
    requests: &mut Requests,
    (family, table): (FilterFamily, &str),
    (priority, counts, comment): (i32, bool, &str),
    packets: &[&MarkedPackets],
) -> Result<(), Errno> {
    let mut batch = FilterBatch::new(requests, family, table);
    batch.table(false);
    batch.remove_table();
    if !packets.is_empty() {
        batch.push(NEWTABLE, NLM_F_CREATE, |table| {
            table.bytes(tables::USERDATA, &tables::comment(comment));
        });
        batch.chain(CHAIN, Some((FilterHook::Input, priority)));
        for protocol in protocols(packets) {
            let map = map_name(protocol);
            batch.map_of_marks(&map);
            let of_protocol: Vec<_> = packets.iter().filter(|one| one.protocol == protocol).collect();
            for some in of_protocol.chunks(PER_MESSAGE) {
                batch.push(NEWSETELEM, NLM_F_CREATE, |body| {
                    body.text(2, &map).nest(3, |list| some.iter().for_each(|one| add(list, one)));
                });
            }
            let rule = FilterRule::new(family, counts).marked_by(protocol, &map);
            batch.rule(CHAIN, rule, FilterVerdict::Accept);
        }
    }
    batch.carry_out()
}

/// Whether the table that [`mark_packets`] made of these is there, with its chain, as many rules in it, and its maps.
///
/// # Errors
/// What the kernel said other than that it is not.
pub fn marks_packets(
    requests: &mut Requests,
    (family, table): (FilterFamily, &str),
    packets: &[&MarkedPackets],
) -> Result<bool, Errno> {
    let mut ask = |kind: u16, name: Option<(u16, &str)>| {
        let mut body = Attributes::after(&[family.number(), 0, 0, 0]);
        body.text(1, table);
        if let Some((attribute, name)) = name {
            body.text(attribute, name);
        }
        requests.push(SUBSYSTEM << 8 | kind, 0, &body);
    };
    ask(GETTABLE, None);
    ask(GETCHAIN, Some((3, CHAIN)));
    for protocol in protocols(packets) {
        ask(GETSET, Some((2, &map_name(protocol))));
    }
    let (mut all, mut rules) = (true, 0);
    let answers = requests.carry_out_and_hear(|kind, body| {
        if kind == SUBSYSTEM << 8 | NEWCHAIN {
            rules = rules_in(body).unwrap_or(0);
        }
    });
    for answer in answers {
        match answer {
            Ok(()) => {}
            Err(Errno::ENOENT) => all = false,
            Err(errno) => return Err(errno),
        }
    }
    Ok(all && rules == protocols(packets).len())
}

/// How many rules a chain has that no other leads to (`NFTA_CHAIN_USE`).
fn rules_in(chain: &[u8]) -> Option<usize> {
    const USE: u16 = 6;
    let mut attributes = NlasIterator::new(chain.get(4..)?).flatten();
    let count = attributes.find(|attribute| attribute.kind() == USE)?;
    usize::try_from(u32::from_be_bytes(*count.value().first_chunk()?)).ok()
}

/// The protocols that these packets are of, each once.
fn protocols(packets: &[&MarkedPackets]) -> Vec<u8> {
    let mut all: Vec<u8> = packets.iter().map(|one| one.protocol).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn map_name(protocol: u8) -> String {
    match protocol {
        6 => "tcp_map".into(),
        17 => "udp_map".into(),
        132 => "sctp_map".into(),
        other => format!("map_{other}"),
    }
}

fn add(list: &mut Attributes, packets: &MarkedPackets) {
    let (addresses, ports) = (packets.addresses, packets.ports);
    list.nest(1, |element| {
        // `NFTA_SET_ELEM_KEY` and `NFTA_SET_ELEM_KEY_END`, the value between them.
        for (attribute, address, port) in [(1, addresses.0, ports.0), (10, addresses.1, ports.1)] {
            element.nest(attribute, |data| {
                data.bytes(1, &key(address, port));
            });
        }
        element.nest(2, |data| {
            data.bytes(1, &packets.mark.to_ne_bytes());
        });
    });
}

/// `NFTNL_UDATA_SET_KEYBYTEORDER` and `NFTNL_UDATA_SET_DATABYTEORDER` of libnftnl, each with its length and `nft`'s number of
/// an order: 1 of this host, 2 of the network.
fn byte_orders() -> Vec<u8> {
    let mut data = Vec::new();
    for (kind, order) in [(0u8, 2u32), (1, 1)] {
        data.extend([kind, 4]);
        data.extend(order.to_ne_bytes());
    }
    data
}

/// Each part of a key begins at a multiple of four bytes.
fn key(address: IpAddr, port: u16) -> Vec<u8> {
    let mut key = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    key.extend(port.to_be_bytes());
    key.extend([0; 2]);
    key
}

impl FilterRule {
    /// A packet of this protocol gets the mark that a map has for its destination; others do not match.
    fn marked_by(mut self, protocol: u8, map: &str) -> Self {
        const L4PROTO: u32 = 16;
        const MARK: u32 = 3;
        const TRANSPORT: u32 = 2;
        let behind = match self.family {
            Some(FilterFamily::Ip6) => BEHIND_IPV6,
            Some(FilterFamily::Ip) | None => BEHIND_IPV4,
        };
        self.meta(L4PROTO, FIRST_REGISTER)
            .equals(&[protocol])
            .address(false)
            .expression("payload", |payload| {
                payload.be32(1, behind).be32(2, TRANSPORT).be32(3, 2).be32(4, 2);
            })
            .expression("lookup", |lookup| {
                lookup.text(1, map).be32(2, FIRST_REGISTER).be32(3, FIRST_REGISTER);
            })
            .expression("meta", |meta| {
                meta.be32(2, MARK).be32(3, FIRST_REGISTER);
            });
        self
    }
}

impl FilterBatch<'_> {
    /// A map from address and port, ranges of both, to marks.
    fn map_of_marks(&mut self, name: &str) {
        /// `inet_service` and `mark`, by the numbers under which `nft` knows them.
        const SERVICE: u32 = 13;
        const MARK: u32 = 19;
        self.sets += 1;
        let id = self.sets;
        let (address, length) = match self.family {
            FilterFamily::Ip => super::FilterType::Ipv4.numbers(),
            FilterFamily::Ip6 => super::FilterType::Ipv6.numbers(),
        };
        self.push(NEWSET, NLM_F_CREATE, |set| {
            set.text(2, name)
                .be32(3, SET_MAP | SET_INTERVAL | SET_CONCAT)
                .be32(4, address << 6 | SERVICE)
                .be32(5, length + 4)
                .be32(6, MARK)
                .be32(7, 4);
            set.nest(9, |description| {
                description.nest(2, |fields| {
                    for length in [length, 2] {
                        fields.nest(1, |field| {
                            field.be32(1, length);
                        });
                    }
                });
            });
            // What `nft` goes by to show them: keys in the order of the network, marks in that of this host.
            set.be32(10, id).bytes(13, &byte_orders());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_elements_as_go_in_a_message_fit_its_attribute() {
        let packets = MarkedPackets {
            addresses: (IpAddr::from([0xffu8; 16]), IpAddr::from([0xffu8; 16])),
            ports: (1, 2),
            protocol: 6,
            mark: 1,
        };
        let mut list = Attributes::default();
        list.nest(3, |list| (0..PER_MESSAGE).for_each(|_| add(list, &packets)));
        assert!(!list.is_too_long());
    }

    fn in_a_namespace_of_its_own(play: impl FnOnce(Requests) + Send) {
        std::thread::scope(|scope| {
            let played = scope.spawn(|| {
                // Whoever may not make one can't have packets marked either.
                if nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_ok() {
                    play(Requests::filter().unwrap());
                }
            });
            played.join().unwrap();
        });
    }

    #[test]
    fn a_table_is_known_by_its_comment_and_not_whole_without_its_rules() {
        in_a_namespace_of_its_own(|mut requests| {
            let of = |protocol| MarkedPackets {
                addresses: (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 9])),
                ports: (80, 80),
                protocol,
                mark: 7,
            };
            let (tcp, udp) = (of(6), of(17));
            let (packets, table) = ([&tcp, &udp], (FilterFamily::Ip, "marks"));
            assert_eq!(marks_packets(&mut requests, table, &packets), Ok(false));
            mark_packets(&mut requests, table, (0, true, "mine"), &packets).unwrap();
            assert_eq!(marks_packets(&mut requests, table, &packets), Ok(true));
            let (family, name, comment) = (FilterFamily::Ip, "marks".to_owned(), Some("mine".to_owned()));
            let there = super::super::filter_tables(&mut requests).unwrap();
            assert_eq!(there, [super::super::FilterTable { family, name, comment }]);
            // `NFT_MSG_DELRULE` without a handle: all of the chain.
            let mut batch = FilterBatch::new(&mut requests, table.0, table.1);
            batch.push(8, 0, |body| {
                body.text(2, CHAIN);
            });
            batch.carry_out().unwrap();
            assert_eq!(marks_packets(&mut requests, table, &packets), Ok(false));
            mark_packets(&mut requests, table, (0, true, "mine"), &[]).unwrap();
            assert_eq!(super::super::filter_tables(&mut requests).unwrap(), []);
        });
    }
}
