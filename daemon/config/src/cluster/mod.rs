//! The files of several routers against each other.
//!
//! Goes in: what [`crate::load`] made of each. Comes out: for each file what does not fit the ones before it, said where
//! it stands in the later file. Two instances belong together when they have the same virtual router id and family, and
//! the same interface or the same name.

mod pair;
mod servers;

use std::collections::{BTreeSet, HashMap};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::load::Loaded;
use crate::model::{Config, Family, Instance, VirtualRouterId};
use crate::places::{Place, find};

/// An instance and the file it is in, with the number of that.
type Entry<'a> = (usize, &'a Loaded, &'a Instance);

/// The instances of all files, by what they could belong together by.
#[derive(Default)]
struct Index<'a> {
    by_id: HashMap<(VirtualRouterId, Family), Vec<Entry<'a>>>,
    by_address: HashMap<String, Vec<Entry<'a>>>,
}

/// Compares the files of a cluster; one [`Diagnostics`] for each file, in their order.
pub fn check_cluster(files: &[Loaded]) -> Vec<Diagnostics> {
    let index = Index::of(files);
    let mut found = Vec::with_capacity(files.len());
    for (number, file) in files.iter().enumerate() {
        let mut diagnostics = Diagnostics::default();
        if let Some(config) = &file.config {
            compare(&index, number, file, config, &mut diagnostics);
            without_partner(&index, number, file, config, &mut diagnostics);
        }
        diagnostics.set_sources(file.diagnostics.shared_sources());
        found.push(diagnostics);
    }
    found
}

impl<'a> Index<'a> {
    fn of(files: &'a [Loaded]) -> Self {
        let mut index = Self::default();
        for (number, file) in files.iter().enumerate() {
            for instance in file.config.iter().flat_map(|config| &config.instances) {
                let entry = (number, file, instance);
                index.by_id.entry((instance.vrid, instance.family)).or_default().push(entry);
                for address in addresses(instance) {
                    index.by_address.entry(address).or_default().push(entry);
                }
            }
        }
        index
    }

    /// The other router of an instance, in the files of these numbers: one with an address in common if there is one,
    /// else the first.
    fn partner(
        &self,
        theirs: &Instance,
        files: impl Fn(usize) -> bool,
    ) -> Option<(&'a Loaded, &'a Instance)> {
        let wanted = addresses(theirs);
        let candidates = || {
            self.by_id
                .get(&(theirs.vrid, theirs.family))
                .into_iter()
                .flatten()
                .filter(|(number, _, ours)| files(*number) && belong_together(ours, theirs))
                .map(|(_, file, ours)| (*file, *ours))
        };
        candidates().find(|(_, ours)| !addresses(ours).is_disjoint(&wanted)).or_else(|| candidates().next())
    }

    /// An instance with an address in common, in the files of these numbers.
    fn sharing(
        &self,
        theirs: &Instance,
        files: impl Fn(usize) -> bool,
    ) -> Option<(&'a Loaded, &'a Instance)> {
        let entries = addresses(theirs).into_iter().filter_map(|address| self.by_address.get(&address));
        let mut others = entries.flatten().filter(|(number, _, _)| files(*number));
        others.next().map(|(_, file, ours)| (*file, *ours))
    }
}

/// Compares a file with those before it.
fn compare(index: &Index<'_>, number: usize, file: &Loaded, config: &Config, diagnostics: &mut Diagnostics) {
    let mut clusters: Vec<(&Loaded, &Config)> = Vec::new();
    for theirs in &config.instances {
        let Some((other, ours)) = index.partner(theirs, |other| other < number) else {
            if let Some(shared) = index.sharing(theirs, |other| other < number) {
                one_address_two_routers(shared, file, theirs, diagnostics);
            }
            continue;
        };
        let share_addresses = !addresses(ours).is_disjoint(&addresses(theirs));
        if let (true, Some(known)) = (share_addresses, &other.config)
            && !clusters.iter().any(|(cluster, _)| std::ptr::eq(*cluster, other))
        {
            clusters.push((other, known));
        }
        for finding in pair::compare(ours, theirs) {
            diagnostics
                .push(finding.said_of(Place::of_instance(file, theirs), Place::of_instance(other, ours)));
        }
    }
    for (other, ours) in clusters {
        router_ids((other, ours), (file, config), diagnostics);
        servers::compare((other, ours), (file, config), diagnostics);
    }
}

fn belong_together(ours: &Instance, theirs: &Instance) -> bool {
    ours.vrid == theirs.vrid
        && ours.family == theirs.family
        && (ours.interface == theirs.interface || ours.name == theirs.name)
}

fn addresses(instance: &Instance) -> BTreeSet<String> {
    instance.addresses.iter().map(|address| address.address.to_string()).collect()
}

/// An instance that no other file knows, but whose addresses another one there has: the ids differ.
fn one_address_two_routers(
    (other, ours): (&Loaded, &Instance),
    file: &Loaded,
    theirs: &Instance,
    diagnostics: &mut Diagnostics,
) {
    if ours.vrid == theirs.vrid {
        return;
    }
    let message =
        format!("`{}` has virtual router id {} here and {} there", theirs.name, theirs.vrid, ours.vrid);
    let diagnostic = Diagnostic::error("cluster-vrid", message)
        .help("they carry the same address but do not hear each other: both become master");
    let finding = pair::Finding { diagnostic, keyword: "virtual_router_id" };
    diagnostics.push(finding.said_of(Place::of_instance(file, theirs), Place::of_instance(other, ours)));
}

/// An instance that no other file has, in a file that has other instances in common with one.
fn without_partner(
    index: &Index<'_>,
    number: usize,
    file: &Loaded,
    config: &Config,
    diagnostics: &mut Diagnostics,
) {
    let has_partner = |instance: &Instance| index.partner(instance, |other| other != number).is_some();
    let (known, alone): (Vec<&Instance>, Vec<&Instance>) =
        config.instances.iter().partition(|instance| has_partner(instance));
    if known.is_empty() {
        return;
    }
    // If another one has its addresses under another id, that is what is said.
    for alone in alone.into_iter().filter(|alone| index.sharing(alone, |other| other != number).is_none()) {
        let message = format!("`{}` is in no other file", alone.name);
        let diagnostic = Diagnostic::warning("cluster-alone", message)
            .help("nobody takes over its addresses when this router fails");
        diagnostics.push(match Place::of_instance(file, alone).span {
            Some(span) => diagnostic.at(span, "only here"),
            None => diagnostic,
        });
    }
}

/// Two hosts with one name.
fn router_ids(
    (other, ours): (&Loaded, &Config),
    (file, theirs): (&Loaded, &Config),
    diagnostics: &mut Diagnostics,
) {
    let written = |file: &Loaded| find(file, "router_id").or_else(|| find(file, "lvs_id"));
    let (Some(here), Some(there)) = (written(file), written(other)) else { return };
    if ours.global.router_id != theirs.global.router_id {
        return;
    }
    let place = other.diagnostics.sources().place(there);
    diagnostics.push(
        Diagnostic::warning(
            "cluster-router-id",
            format!("both routers have `router_id` {}", theirs.global.router_id),
        )
        .at(here, "the same in the other file")
        .help("mails and SNMP tell the hosts apart by it")
        .help(format!("the other one is at {}:{}", place.path.display(), place.line)),
    );
}
