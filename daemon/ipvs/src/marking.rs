//! Marks for the packets of virtual server groups (`nftables_ipvs`), so that the table needs one service for a whole group.
//! In: what the configuration says. Out: tables of nftables that mark those packets as they come in, before IPVS sees them.
//!
//! The tables belong to nobody's socket: a worker that dies leaves them in place, as it does the services. A comment says
//! which process has made them ([`Owner`]).

use std::{io, path::Path};

use keepwatch_model::{Config, MarkedRange};
use keepwatch_net::netlink::{
    FilterFamily, FilterTable, MarkedPackets, Requests, filter_tables, mark_packets, marks_packets,
};
use nix::errno::Errno;

use crate::{
    kernel::{Access, KernelError},
    owner::Owner,
};

const FAMILIES: [FilterFamily; 2] = [FilterFamily::Ip, FilterFamily::Ip6];

/// How the table is called that marks packets while another is replaced; the number of the process follows.
///
/// A transaction of nftables is not whole for what a map of ranges says: between the moment when the new rules are in force and
/// the one when their maps are filled packets find nothing. What is short for the kernel is a refused connection for a client.
const MEANWHILE: &str = "keepwatch_meanwhile_";

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

    /// Makes the tables of this, in place of those of `before`. A table that somebody else has made stays as it is, and
    /// nothing is done.
    pub(crate) fn carry_out(&self, before: &Self, access: &Access) -> Result<(), KernelError> {
        let mut requests = open(access)?;
        let there = filter_tables(&mut requests).map_err(refused)?;
        let old = before.table.as_deref().filter(|old| self.table.as_deref() != Some(*old));
        let none = Self::default();
        let mut work = Vec::new();
        for (table, marking) in
            old.map(|old| (old, &none)).into_iter().chain(self.table.as_deref().map(|t| (t, self)))
        {
            for family in FAMILIES {
                let packets = marking.of_family(family);
                let made = before.table.as_deref() == Some(table) && !before.of_family(family).is_empty();
                // A family that nobody uses may be one that this kernel does not have.
                if packets.is_empty() && !made {
                    continue;
                }
                let mut same = there.iter().filter(|there| there.family == family && there.name == table);
                let replaces = same.clone().next().is_some() && !packets.is_empty();
                same.try_for_each(|there| may_replace(there, made))?;
                work.push(((family, table), (marking.priority, marking.counts), packets, replaces));
            }
        }
        let owner = Owner::here().to_string();
        let meanwhile = format!("{MEANWHILE}{}", std::process::id());
        let mut make = |table, (priority, counts), packets: &[&MarkedPackets]| {
            mark_packets(&mut requests, table, (priority, counts, &owner), packets).map_err(refused)
        };
        work.into_iter().try_for_each(|((family, table), how, packets, replaces)| {
            if !replaces {
                return make((family, table), how, &packets);
            }
            make((family, &meanwhile), how, &packets)?;
            let made = make((family, table), how, &packets);
            made.and(make((family, &meanwhile), how, &[]))
        })
    }

    /// Removes the tables that a run of keepwatch which is no more has left, but for those that this will replace.
    pub(crate) fn clear(&self, access: &Access) -> Result<(), KernelError> {
        // To ask would load it.
        if !Path::new("/sys/module/nf_tables").exists() && Path::new("/proc/modules").exists() {
            return Ok(());
        }
        let mut requests = open(access)?;
        for there in filter_tables(&mut requests).map_err(refused)? {
            let owner = there.comment.as_deref().and_then(Owner::parse);
            let wanted = self.table.as_ref() == Some(&there.name) && !self.of_family(there.family).is_empty();
            // Kernels before Linux 5.10 keep no comment.
            let nobody_s = there.comment.is_none() && there.name.starts_with(MEANWHILE);
            if !wanted && (nobody_s || owner.is_some_and(|owner| owner.leaves_to_us())) {
                let table = (there.family, there.name.as_str());
                mark_packets(&mut requests, table, (0, false, ""), &[]).map_err(refused)?;
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

/// Whether a table is ours to replace; `made` says that this run has made one of its name. Kernels before Linux 5.10 keep no
/// comment.
fn may_replace(there: &FilterTable, made: bool) -> Result<(), KernelError> {
    let ours = match &there.comment {
        Some(comment) => Owner::parse(comment).is_some_and(|owner| owner.leaves_to_us()),
        None => made,
    };
    if ours {
        return Ok(());
    }
    let whose = there.comment.as_ref().map_or(String::new(), |comment| format!(" ({comment})"));
    let error = format!(
        "there is a table {} of nftables that is somebody else's{whose}: give nftables_ipvs another name, or delete it",
        there.name
    );
    Err(KernelError::Refused {
        request: "mark packets".to_owned(),
        error: io::Error::new(io::ErrorKind::AlreadyExists, error),
    })
}

fn refused(errno: Errno) -> KernelError {
    KernelError::Refused { request: "mark packets".to_owned(), error: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_somebody_else_is_not_replaced() {
        let may = |comment: Option<&str>, made| {
            let (name, comment) = ("filter".to_owned(), comment.map(str::to_owned));
            may_replace(&FilterTable { family: FilterFamily::Ip, name, comment }, made)
        };
        assert!(may(None, true).is_ok() && may(Some(&Owner::here().to_string()), false).is_ok());
        assert!(may(Some("keepwatch, process 1 since 999999999999999"), false).is_ok(), "it is no more");
        assert!(may(Some("mine"), true).is_err());
        let said = may(None, false).unwrap_err().reason();
        assert!(said.contains("table filter") && said.contains("nftables_ipvs"), "{said}");
    }

    #[test]
    fn what_a_run_has_left_goes_when_it_is_not_wanted_and_what_is_somebody_else_s_stays() {
        let play = || {
            let packets = MarkedPackets {
                addresses: ([10, 0, 0, 1].into(), [10, 0, 0, 9].into()),
                ports: (80, 80),
                protocol: 6,
                mark: 7,
            };
            let of = |table: &str| Marking {
                table: Some(table.to_owned()),
                packets: vec![packets.clone()],
                ..Marking::default()
            };
            let (access, mut requests) = (Access::default(), Requests::filter().unwrap());
            let left = |requests: &mut Requests| -> Vec<_> {
                filter_tables(requests).unwrap().into_iter().map(|table| table.name).collect()
            };
            mark_packets(&mut requests, (FilterFamily::Ip, "theirs"), (0, false, "x"), &[&packets]).unwrap();
            of("ours").carry_out(&Marking::default(), &access).unwrap();
            assert!(of("ours").is_there(&access).unwrap());
            assert!(of("theirs").carry_out(&of("ours"), &access).is_err());
            assert_eq!(left(&mut requests), ["theirs", "ours"], "nothing was done");
            of("ours").clear(&access).unwrap();
            assert_eq!(left(&mut requests), ["theirs", "ours"], "it is wanted");
            Marking::default().clear(&access).unwrap();
            assert_eq!(left(&mut requests), ["theirs"]);
        };
        let in_a_namespace = move || {
            // Whoever may not make one can't have packets marked either.
            if nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_ok() {
                play();
            }
        };
        std::thread::spawn(in_a_namespace).join().unwrap();
    }
}
