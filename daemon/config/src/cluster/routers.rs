//! Which instances of the files are routers of one virtual router.
//!
//! Those that have the virtual router id, the family and an address in common. An instance that shares its addresses
//! with none is taken for a router of the one that has its name, or else its interface: then its addresses are wrong.
//! The names of interfaces tell little otherwise, as they differ from machine to machine.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::file::{File, Member};
use crate::model::{Family, Instance, Name, VirtualRouterId};

/// The instances that are one virtual router, in the order of the files; no two of one file.
pub(super) type Router<'a> = Vec<Member<'a>>;

/// Every virtual router of the files, also those that only one file has.
pub(super) fn routers<'a>(files: &'a [File<'a>]) -> Vec<Router<'a>> {
    let mut keys = Vec::new();
    let mut members: HashMap<(VirtualRouterId, Family), Vec<Member<'a>>> = HashMap::new();
    for file in files {
        for instance in &file.config.instances {
            let Some(block) = file.block("vrrp_instance", &instance.name) else { continue };
            let key = (instance.vrid, instance.family);
            let known = members.entry(key).or_insert_with(|| {
                keys.push(key);
                Vec::new()
            });
            known.push(Member { block, instance });
        }
    }
    keys.iter().filter_map(|key| members.remove(key)).flat_map(of_one_id).collect()
}

/// The addresses of an instance, advertised or not.
pub(super) fn addresses(instance: &Instance) -> BTreeSet<IpAddr> {
    let all = instance.addresses.iter().chain(&instance.excluded_addresses);
    all.map(|address| address.address).collect()
}

/// The virtual routers among instances of one id and family.
fn of_one_id(members: Vec<Member<'_>>) -> Vec<Router<'_>> {
    let mut routers: Vec<Router<'_>> = Vec::new();
    let mut by_address: HashMap<IpAddr, Vec<usize>> = HashMap::new();
    for member in members {
        let addresses = addresses(member.instance);
        let mut sharing = addresses.iter().filter_map(|address| by_address.get(address)).flatten();
        let number = match sharing.find(|number| routers.get(**number).is_some_and(|it| may_join(it, member)))
        {
            Some(number) => *number,
            None => routers.len(),
        };
        match routers.get_mut(number) {
            Some(router) => router.push(member),
            None => routers.push(vec![member]),
        }
        for address in addresses {
            by_address.entry(address).or_default().push(number);
        }
    }
    join_alone(&mut routers, |instance| Some(&instance.name));
    join_alone(&mut routers, |instance| instance.interface.as_ref());
    for router in &mut routers {
        router.sort_by_key(|member| member.file().number);
    }
    routers
}

/// One file has only one router of a virtual router.
fn may_join(router: &Router<'_>, member: Member<'_>) -> bool {
    router.iter().all(|known| known.file().number != member.file().number)
}

/// Lets each that is alone join the first one that has this in common with it.
fn join_alone(routers: &mut Vec<Router<'_>>, common: impl Fn(&Instance) -> Option<&Name>) {
    let mut having: HashMap<Name, Vec<usize>> = HashMap::new();
    for (number, router) in routers.iter().enumerate() {
        for name in router.iter().filter_map(|member| common(member.instance)) {
            having.entry(name.clone()).or_default().push(number);
        }
    }
    for number in 0..routers.len() {
        let Some([alone]) = routers.get(number).map(Vec::as_slice) else { continue };
        let alone = *alone;
        let alike = common(alone.instance).and_then(|name| having.get(name)).into_iter().flatten();
        let fits = |other: &&usize| {
            let router = routers.get(**other);
            router.is_some_and(|router| !router.is_empty() && may_join(router, alone))
        };
        let Some(joined) = alike.copied().find(|other| fits(&other)) else { continue };
        if let Some(router) = routers.get_mut(number) {
            router.clear();
        }
        if let Some(router) = routers.get_mut(joined) {
            router.push(alone);
        }
    }
    routers.retain(|router| !router.is_empty());
}
