//! The files of several routers against each other.
//!
//! Goes in: what [`crate::load`] made of each, with [`crate::Options::for_cluster`]. Comes out: for each file what does
//! not fit the ones before it, said where it stands, with the place in the other file. What only one file has is said
//! there.
//!
//! [`routers`] finds which instances are routers of one virtual router. [`pair`], [`addresses`], [`tracking`] and
//! [`unicast`] compare two of those; files that have a virtual router in common are one cluster, in which [`groups`], [`hosts`] and
//! [`servers`] compare the rest.

mod addresses;
mod checks;
mod file;
mod groups;
mod hosts;
mod pair;
mod routers;
mod servers;
mod tracking;
mod unicast;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use self::file::{File, Member};
use self::pair::Pair;
use self::routers::{Router, routers};
use crate::diagnostics::{Diagnostic, Diagnostics, Outcome};
use crate::load::Loaded;
use crate::source::SourceMap;

/// Compares the files of a cluster; one [`Diagnostics`] for each file, in their order.
pub fn check_cluster(loaded: &[Loaded]) -> Vec<Diagnostics> {
    let mut sources = SourceMap::default();
    let mut findings = Findings(vec![Vec::new(); loaded.len()]);
    let mut files = Vec::new();
    for (number, one) in loaded.iter().enumerate() {
        let shift = sources.join(one.diagnostics.sources());
        let (Some(comparable), Some(path)) = (&one.comparable, one.files.first()) else { continue };
        let file = File::new(number, path, comparable, shift);
        match files.iter().any(|known: &File<'_>| plain(known.path) == plain(path)) {
            true => findings.add(&file, [given_twice(&file)]),
            false => files.push(file),
        }
    }
    if files.len() > 1 {
        compare(&files, &mut findings);
    }
    findings.into_diagnostics(sources)
}

/// A path as one would write it in this directory.
fn plain(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

/// A file that fits itself, which tells nothing.
fn given_twice(file: &File<'_>) -> Diagnostic {
    let message = format!("`{}` is given twice", file.path.display());
    let diagnostic = Diagnostic::warning("cluster-same-file", message);
    diagnostic.at(file.beginning(), "not compared with itself").help("each router has a file of its own")
}

/// What is to be said of each file.
struct Findings(Vec<Vec<Diagnostic>>);

impl Findings {
    fn add(&mut self, file: &File<'_>, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        if let Some(list) = self.0.get_mut(file.number) {
            list.extend(diagnostics);
        }
    }

    /// In the order of each file.
    fn into_diagnostics(self, sources: SourceMap) -> Vec<Diagnostics> {
        let sources = Arc::new(sources);
        let of_one = |mut list: Vec<Diagnostic>| {
            list.sort_by_key(|diagnostic| diagnostic.span.map(|span| sources.outermost(span).start));
            let mut diagnostics = Diagnostics::default();
            // Each file by itself runs as it is written.
            let said = list.into_iter().map(|diagnostic| Diagnostic { outcome: Outcome::Runs, ..diagnostic });
            said.for_each(|diagnostic| diagnostics.push(diagnostic));
            diagnostics.set_sources(sources.clone());
            diagnostics
        };
        self.0.into_iter().map(of_one).collect()
    }
}

fn compare<'a>(files: &'a [File<'a>], findings: &mut Findings) {
    let cluster = Cluster::of(files);
    for router in &cluster.routers {
        within(router, findings);
    }
    two_of_one_id(&cluster, findings);
    without_partner(&cluster, files, findings);
    for files in cluster.files_together(files) {
        let Some((first, others)) = files.split_first() else { continue };
        for (number, here) in others.iter().enumerate() {
            let earlier = files.iter().take(number + 1);
            findings.add(here, earlier.into_iter().find_map(|there| hosts::router_id(here, there)));
            findings.add(here, hosts::sync_daemon(here, first));
            findings.add(here, groups::compare(&cluster, here, first));
            findings.add(here, groups::crossed(&cluster, here, first));
            findings.add(first, groups::compare(&cluster, first, here));
        }
        servers::compare(&files, findings);
    }
}

/// The virtual routers of all files.
struct Cluster<'a> {
    routers: Vec<Router<'a>>,
    /// Which of them an instance is a router of, by the number of its file and its name.
    of_instance: HashMap<(usize, &'a str), usize>,
}

impl<'a> Cluster<'a> {
    fn of(files: &'a [File<'a>]) -> Self {
        let routers = routers(files);
        let each = routers.iter().enumerate().flat_map(|(number, router)| {
            router.iter().map(move |member| ((member.file().number, &*member.instance.name), number))
        });
        Self { of_instance: each.collect(), routers }
    }

    fn router(&self, file: &File<'_>, instance: &str) -> Option<&Router<'a>> {
        self.routers.get(*self.of_instance.get(&(file.number, instance))?)
    }

    /// The instance of another file that is a router of the same virtual router.
    fn partner(&self, file: &File<'_>, instance: &str, other: &File<'_>) -> Option<Member<'a>> {
        let router = self.router(file, instance)?;
        router.iter().copied().find(|member| member.file().number == other.number)
    }

    /// An instance of a file, and its partner of another.
    fn pair(&self, file: &File<'_>, instance: &str, other: &File<'_>) -> Option<(Member<'a>, Member<'a>)> {
        let router = self.router(file, instance)?;
        let here = router.iter().copied().find(|member| member.file().number == file.number)?;
        Some((here, self.partner(file, instance, other)?))
    }

    /// The files that have virtual routers in common, together.
    fn files_together(&self, files: &'a [File<'a>]) -> Vec<Vec<&'a File<'a>>> {
        let mut together: Vec<Vec<&'a File<'a>>> = files.iter().map(|file| vec![file]).collect();
        for router in self.routers.iter().filter(|router| router.len() > 1) {
            let of_router = |files: &Vec<&File<'_>>| {
                router.iter().any(|member| files.iter().any(|file| file.number == member.file().number))
            };
            if together.iter().filter(|files| of_router(files)).count() > 1 {
                let (joined, apart): (Vec<_>, Vec<_>) = together.into_iter().partition(of_router);
                together = apart;
                let mut joined: Vec<&File<'_>> = joined.into_iter().flatten().collect();
                joined.sort_by_key(|file| file.number);
                together.push(joined);
            }
        }
        together
    }
}

/// Compares the routers of one virtual router.
fn within(router: &Router<'_>, findings: &mut Findings) {
    let Some((first, others)) = router.split_first() else { return };
    for (number, here) in others.iter().copied().enumerate() {
        let pair = Pair { here, there: *first };
        let said = |finding: file::Finding| finding.said_of(here.block, first.block);
        findings.add(here.file(), pair::disagreements(pair).filter_map(said));
        findings.add(here.file(), addresses::compare(pair));
        let earlier = router.iter().take(number + 1).copied().map(|there| Pair { here, there });
        let mut codes = Vec::new();
        for pair in earlier {
            let alike = pair::alike(pair).filter_map(|finding| finding.said_of(here.block, pair.there.block));
            // With whom else it has that in common does not matter.
            let fresh: Vec<Diagnostic> =
                alike.filter(|diagnostic| !codes.contains(&diagnostic.code)).collect();
            codes.extend(fresh.iter().map(|diagnostic| diagnostic.code));
            findings.add(here.file(), fresh);
            findings.add(here.file(), unicast::compare(pair));
        }
        if number == 0 {
            findings.add(here.file(), pair::preemption(pair));
        }
        // With a third one the role may move to that.
        if router.len() == 2 {
            let (here, there) = (tracking::block(here), tracking::block(*first));
            let said = |finding: file::Finding| finding.said_of(here, there);
            findings.add(pair.here.file(), tracking::in_vain(pair).and_then(said));
        }
    }
}

/// Different virtual routers with one id on one interface: they refuse each other's adverts.
fn two_of_one_id(cluster: &Cluster<'_>, findings: &mut Findings) {
    let mut on_interface: HashMap<_, Vec<&Router<'_>>> = HashMap::new();
    for router in &cluster.routers {
        let mut clash = None;
        for member in router {
            let Some(interface) = &member.instance.interface else { continue };
            let key = (member.instance.vrid, member.instance.family, interface);
            let known = on_interface.entry(key).or_default();
            clash = clash.or_else(|| known.iter().find_map(|other| on_one_link(router, other)));
            known.push(router);
        }
        let Some((here, there)) = clash else { continue };
        let message = format!(
            "virtual router id {} of `{}` is also that of `{}` in {}, with other addresses",
            here.instance.vrid,
            here.instance.name,
            there.instance.name,
            there.file().path.display()
        );
        let diagnostic = Diagnostic::error("cluster-vrid", message)
            .help("if they are on one link they refuse each other's adverts: give one of them another id");
        let finding = file::Finding { diagnostic, keywords: &["virtual_router_id"] };
        findings.add(here.file(), finding.said_of(here.block, there.block));
    }
}

/// Routers of two virtual routers that are on one interface. Where a file has both, the interfaces tell nothing of
/// those in the other file: they may have other names there.
fn on_one_link<'a>(router: &Router<'a>, other: &Router<'a>) -> Option<(Member<'a>, Member<'a>)> {
    let numbers = |router: &Router<'a>| router.iter().map(|member| member.file().number).collect::<Vec<_>>();
    let known = numbers(other);
    if numbers(router).iter().any(|number| known.contains(number)) {
        return None;
    }
    router.iter().find_map(|here| {
        let interface = here.instance.interface.as_ref()?;
        let there = other.iter().find(|there| there.instance.interface.as_ref() == Some(interface))?;
        Some((*here, *there))
    })
}

/// Instances that no other file has, in files that have others in common with one.
fn without_partner<'a>(cluster: &Cluster<'a>, files: &'a [File<'a>], findings: &mut Findings) {
    let mut with_partner = vec![false; files.last().map_or(0, |file| file.number + 1)];
    for member in cluster.routers.iter().filter(|router| router.len() > 1).flatten() {
        if let Some(known) = with_partner.get_mut(member.file().number) {
            *known = true;
        }
    }
    let mut by_address: HashMap<_, Vec<Member<'_>>> = HashMap::new();
    for member in cluster.routers.iter().flatten() {
        for address in routers::addresses(member.instance) {
            by_address.entry(address).or_default().push(*member);
        }
    }
    for router in &cluster.routers {
        let [alone] = router.as_slice() else { continue };
        let addresses = routers::addresses(alone.instance);
        let mut others = addresses.iter().filter_map(|address| by_address.get(address)).flatten();
        let number = alone.file().number;
        if let Some(other) = others.find(|other| other.file().number != number) {
            let said_there = other.file().number > number
                && cluster.router(other.file(), &other.instance.name).is_some_and(|router| router.len() == 1);
            if !said_there {
                findings.add(alone.file(), one_address_two_ids(*alone, *other));
            }
        } else if with_partner.get(number) == Some(&true) {
            let message = format!("`{}` is in no other file", alone.instance.name);
            let diagnostic = Diagnostic::warning("cluster-alone", message)
                .help("nobody takes over its addresses when this router fails");
            findings.add(alone.file(), [diagnostic.at(alone.block.head(), "only here")]);
        }
    }
}

/// An instance that no other file knows, but whose addresses another one there has.
fn one_address_two_ids(here: Member<'_>, there: Member<'_>) -> Option<Diagnostic> {
    if here.instance.vrid == there.instance.vrid {
        return None;
    }
    let message = format!(
        "`{}` has virtual router id {} here and {} in {}",
        here.instance.name,
        here.instance.vrid,
        there.instance.vrid,
        there.file().path.display()
    );
    let diagnostic = Diagnostic::error("cluster-vrid", message)
        .help("they carry the same address but do not hear each other: both become master");
    file::Finding { diagnostic, keywords: &["virtual_router_id"] }.said_of(here.block, there.block)
}
