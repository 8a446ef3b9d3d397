//! Marks for the packets of virtual server groups (`nftables_ipvs`), so that the table needs one service for a whole group.
//! In: what the configuration says. Out: tables of nftables that mark those packets as they come in, before IPVS sees them.
//!
//! The tables belong to nobody's socket: a worker that dies leaves them in place, as it does the services.

use keepwatch_model::{Config, MarkedRange};
use keepwatch_net::netlink::{FilterFamily, MarkedPackets, Requests, mark_packets, marks_packets};
use nix::errno::Errno;

use crate::kernel::{Access, KernelError};

const FAMILIES: [FilterFamily; 2] = [FilterFamily::Ip, FilterFamily::Ip6];

/// Which packets get which mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marking {
    /// Name of the table; none where no packets are marked.
    table: Option<String>,
    priority: i32,
    /// Rules count their packets.
    counts: bool,
    packets: Vec<MarkedPackets>,
}

impl Marking {
    /// What a configuration says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let firewall = &config.global.firewall;
        let ranges = config.marked_ranges();
        Self {
            table: firewall.ipvs.table.as_deref().map(str::to_owned),
            priority: firewall.ipvs.priority,
            counts: firewall.counters,
            packets: ranges.into_iter().map(packets).collect(),
        }
    }

    /// Whether there is a table.
    pub(crate) fn is_on(&self) -> bool {
        self.table.is_some()
    }

    /// The marks, each once.
    pub(crate) fn marks(&self) -> std::collections::BTreeSet<u32> {
        self.packets.iter().map(|packets| packets.mark).collect()
    }

    /// Makes the tables of this, in place of those of `before`.
    pub(crate) fn carry_out(&self, before: &Self, access: &Access) -> Result<(), KernelError> {
        let mut requests = open(access)?;
        let old = before.table.as_deref().filter(|old| self.table.as_deref() != Some(*old));
        let none = Self::default();
        for (table, marking) in
            old.map(|old| (old, &none)).into_iter().chain(self.table.as_deref().map(|t| (t, self)))
        {
            for family in FAMILIES {
                let packets = marking.of_family(family);
                // A family that nobody uses may be one that this kernel does not have.
                if packets.is_empty() && before.of_family(family).is_empty() {
                    continue;
                }
                mark_packets(&mut requests, (family, table), (marking.priority, marking.counts), &packets)
                    .map_err(refused)?;
            }
        }
        Ok(())
    }

    /// Whether its tables are there.
    pub(crate) fn is_there(&self, access: &Access) -> Result<bool, KernelError> {
        let Some(table) = &self.table else { return Ok(true) };
        let mut requests = open(access)?;
        for family in FAMILIES {
            let packets = self.of_family(family);
            if !packets.is_empty()
                && !marks_packets(&mut requests, (family, table), &packets).map_err(refused)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn of_family(&self, family: FilterFamily) -> Vec<&MarkedPackets> {
        self.packets.iter().filter(|packets| packets.family() == family).collect()
    }
}

fn packets(range: MarkedRange) -> MarkedPackets {
    MarkedPackets {
        addresses: (range.range.first, range.range.last()),
        ports: range.ports,
        protocol: range.protocol.number(),
        mark: range.mark.0,
    }
}

fn open(access: &Access) -> Result<Requests, KernelError> {
    access.within(Requests::filter)?.map_err(KernelError::Network)
}

fn refused(errno: Errno) -> KernelError {
    KernelError::Refused { request: "mark packets".to_owned(), error: errno.into() }
}
