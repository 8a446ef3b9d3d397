//! Interfaces that virtual routers want to have made for them: which they are (from the configuration), and what their
//! names mean for the routers' definitions.

use std::collections::BTreeSet;

use keepwatch_bus::subject::{Family, Name};
use keepwatch_model::{
    Config, Follow, Instance, InterfaceAddress, LinkTarget, TrackedKind, VirtualRouterId, Vmac, VmacKind,
    virtual_hardware,
};

use super::RouterSpec;

const MARK: &str = "keepwatch ";
/// Between it and what else is written there; no name of a virtual router has a blank in it.
const MEMORY: &str = " [";
/// Characters: the kernel takes less than 256 bytes (`IFALIASZ`).
const LONGEST_MARK: usize = 60;

/// An interface that is to be made for a virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmacPlan {
    /// The virtual router.
    pub instance: Name,
    /// The interface below.
    pub base: Name,
    /// Its id.
    pub vrid: VirtualRouterId,
    /// Its family; of one for single addresses, theirs.
    pub family: Family,
    /// What its name begins with, unless it has one of its own.
    pub prefix: Name,
    /// What it is.
    pub settings: Vmac,
    /// What it is marked with in the kernel: that it is made by keepwatch, and for which virtual router.
    pub mark: Name,
    /// It is for these addresses of the router, and not for its advertisements; each as it stands in the definition.
    pub holds: Vec<InterfaceAddress>,
}

impl VmacPlan {
    /// All that a configuration wants: first those that advertisements leave by, as one for single addresses may be the
    /// same interface.
    pub(super) fn all(config: &Config) -> Vec<Self> {
        let own = config.instances.iter().filter_map(|instance| Self::own(instance, config));
        own.chain(config.instances.iter().flat_map(|instance| Self::of_addresses(instance, config))).collect()
    }

    /// That of `use_vmac` or `use_ipvlan`.
    fn own(instance: &Instance, config: &Config) -> Option<Self> {
        Some(Self {
            instance: instance.name.clone(),
            base: instance.interface.clone()?,
            vrid: instance.vrid,
            family: instance.family,
            prefix: config.global.vmac_prefixes.instances.clone(),
            settings: instance.vmac.as_deref()?.clone(),
            mark: mark(&instance.name, instance.family),
            holds: Vec::new(),
        })
    }

    /// Those of single addresses: one for each interface below and family.
    fn of_addresses(instance: &Instance, config: &Config) -> Vec<Self> {
        let on_own =
            |address: &InterfaceAddress| instance.is_at_home(address) && instance.below_macvlan().is_some();
        let place = |address: &InterfaceAddress| {
            let below = instance.below_macvlan_of(address).filter(|_| !on_own(address))?;
            Some((below.clone(), Family::of(address.address)))
        };
        // In the order of the addresses, by which they are named.
        let mut places: Vec<(Name, Family)> = Vec::new();
        for place in instance.all_addresses().filter_map(place) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let plan = |(base, family): (Name, Family)| Self {
            instance: instance.name.clone(),
            vrid: instance.vrid,
            prefix: config.global.vmac_prefixes.addresses.clone(),
            mark: mark(&instance.name, instance.family),
            settings: Vmac {
                interface: None,
                group: None,
                kind: VmacKind::Macvlan {
                    mac: Some(instance.virtual_hardware(family)),
                    netlink_notify: false,
                    xmit_base: true,
                },
            },
            holds: instance
                .all_addresses()
                .filter(|address| place(address).is_some_and(|(on, of)| on == base && of == family))
                .cloned()
                .collect(),
            base,
            family,
        };
        places.into_iter().map(plan).collect()
    }

    /// What a router could have had of the virtual hardware address, on each of its interfaces.
    pub(crate) fn none_of(spec: &RouterSpec) -> impl Iterator<Item = Self> {
        let named = spec.addresses.iter().filter_map(|address| spec.interface_of(address));
        let bases: BTreeSet<Name> = spec.interface.iter().chain(named).cloned().collect();
        let (instance, vrid, mark) = (spec.name.clone(), spec.vrid, mark(&spec.name, spec.family));
        let places = bases.into_iter().flat_map(|base| [(base.clone(), Family::Inet), (base, Family::Inet6)]);
        places.map(move |(base, family)| Self {
            instance: instance.clone(),
            base,
            vrid,
            family,
            prefix: "".into(),
            mark: mark.clone(),
            settings: Vmac {
                interface: None,
                group: None,
                kind: VmacKind::Macvlan { mac: None, netlink_notify: false, xmit_base: true },
            },
            holds: Vec::new(),
        })
    }

    /// `netlink_notify_msg`: whether the kernel is to tell others of the interface below.
    pub(crate) fn notifies(&self) -> bool {
        matches!(self.settings.kind, VmacKind::Macvlan { netlink_notify: true, .. })
    }

    /// Its hardware address, unless it has that of the interface below.
    fn hardware(&self) -> Option<[u8; 6]> {
        match self.settings.kind {
            VmacKind::Macvlan { mac, .. } => {
                Some(mac.unwrap_or_else(|| virtual_hardware(self.family, self.vrid)))
            }
            VmacKind::Ipvlan { .. } => None,
        }
    }

    /// Whether another is for the same interface, whichever addresses either is for.
    pub(crate) fn is_same_interface(&self, other: &Self) -> bool {
        let Self { instance, base, vrid, family, prefix, settings, mark: _, holds: _ } = self;
        (instance, base, vrid, family, prefix, settings)
            == (&other.instance, &other.base, &other.vrid, &other.family, &other.prefix, &other.settings)
    }

    /// What there can be only one interface of: a hardware address on an interface. One for single addresses shares it.
    pub(crate) fn seat(&self) -> Option<(Name, [u8; 6])> {
        Some((self.base.clone(), self.hardware()?))
    }

    /// Whether it is for single addresses.
    pub(crate) fn is_for_addresses(&self) -> bool {
        !self.holds.is_empty()
    }

    /// Tells the definition of its router what it is called.
    pub(crate) fn tell(&self, spec: &mut RouterSpec, name: &Name) {
        let at_home = spec.interface.as_ref() == Some(&self.base) && spec.family == self.family;
        if at_home && matches!(self.settings.kind, VmacKind::Macvlan { .. }) {
            spec.heard_beside = Some(name.clone());
        }
        let tracked = self.holds.is_empty() || self.holds.iter().any(|address| !address.no_track);
        match &self.settings.kind {
            VmacKind::Macvlan { .. } if !self.holds.is_empty() => self.place(spec, name),
            VmacKind::Macvlan { xmit_base, .. } => {
                spec.addresses_on = Some(name.clone());
                spec.transmit_on = (!xmit_base).then(|| name.clone());
            }
            VmacKind::Ipvlan { .. } => spec.transmit_on = Some(name.clone()),
        }
        let follow = Follow { kind: TrackedKind::Link, name: name.clone(), weight: 0, reverse: false };
        if tracked && !spec.follows.contains(&follow) {
            spec.follows = spec.follows.iter().cloned().chain([follow]).collect();
        }
    }

    /// Its addresses go on the interface of this name.
    fn place(&self, spec: &mut RouterSpec, name: &Name) {
        let placed = |address: &InterfaceAddress| match self.holds.contains(address) {
            true => InterfaceAddress { link: LinkTarget::Named(name.clone()), ..address.clone() },
            false => address.clone(),
        };
        spec.addresses = spec.addresses.iter().map(placed).collect();
        if !spec.address_vmacs.contains(name) {
            spec.address_vmacs.push(name.clone());
        }
    }
}

/// The mark of the interfaces of a virtual router, whose adverts are of this family. Another daemon on the same host may
/// have one of the same name.
fn mark(instance: &str, family: Family) -> Name {
    let family = match family {
        Family::Inet => "IPv4",
        Family::Inet6 => "IPv6",
    };
    let all = format!("{MARK}{family} {instance}");
    all.chars().take(LONGEST_MARK).collect::<String>().into()
}

/// What is written beside an interface: its mark, and what a later run has to know of it.
pub(crate) fn with_memory(mark: &str, memory: &str) -> Name {
    if memory.is_empty() { mark.into() } else { format!("{mark}{MEMORY}{memory}]").into() }
}

/// How much there may be to know: the kernel takes 255 bytes.
pub(crate) fn room_for_memory(mark: &str) -> usize {
    255usize.saturating_sub(mark.len() + MEMORY.len() + 1)
}

/// A mark and what is to be known, from what is written beside an interface.
pub(crate) fn mark_and_memory(alias: &str) -> (&str, &str) {
    match alias.split_once(MEMORY) {
        Some((mark, memory)) => (mark, memory.trim_end_matches(']')),
        None => (alias, ""),
    }
}

/// Whether what is written beside an interface says that keepwatch has made it.
pub fn is_mark(alias: &str) -> bool {
    alias.starts_with(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(base: &str, family: Family, address: &str) -> Result<VmacPlan, Box<dyn std::error::Error>> {
        Ok(VmacPlan {
            instance: "VI_1".into(),
            base: base.into(),
            vrid: VirtualRouterId(51),
            family,
            prefix: "vrrp".into(),
            mark: mark("VI_1", family),
            settings: Vmac {
                interface: None,
                group: None,
                kind: VmacKind::Macvlan { mac: None, netlink_notify: false, xmit_base: true },
            },
            holds: vec![InterfaceAddress::host(address.parse()?)],
        })
    }

    #[test]
    fn one_that_holds_other_addresses_is_the_same_interface() -> Result<(), Box<dyn std::error::Error>> {
        let one = plan("eth0", Family::Inet, "10.0.0.1")?;
        assert!(one.is_same_interface(&plan("eth0", Family::Inet, "10.0.0.2")?));
        assert!(!one.is_same_interface(&plan("eth1", Family::Inet, "10.0.0.1")?));
        assert!(!one.is_same_interface(&VmacPlan { prefix: "vip".into(), ..one.clone() }));
        Ok(())
    }

    #[test]
    fn adverts_are_heard_on_one_for_single_addresses_at_home_too() -> Result<(), Box<dyn std::error::Error>> {
        for (base, family, address, heard) in [
            ("eth0", Family::Inet, "10.0.0.1", true),
            ("eth1", Family::Inet, "10.0.0.1", false),
            ("eth0", Family::Inet6, "fd78::1", false),
        ] {
            let plan = plan(base, family, address)?;
            let addresses = plan.holds.clone().into();
            let mut spec = RouterSpec::new("VI_1".into(), "eth0".into(), VirtualRouterId(51), addresses);
            plan.tell(&mut spec, &"vrrp.51".into());
            assert_eq!(spec.heard_beside.is_some(), heard, "{base} {address}");
            assert_eq!(spec.address_vmacs, ["vrrp.51".into()]);
        }
        Ok(())
    }

    #[test]
    fn a_mark_tells_virtual_routers_of_one_name_apart_and_is_no_longer_than_the_kernel_takes() {
        assert_eq!(&*mark("VI_1", Family::Inet6), "keepwatch IPv6 VI_1");
        assert!(mark("VI_1", Family::Inet) != mark("VI_1", Family::Inet6));
        let long = mark(&"\u{10348}".repeat(300), Family::Inet);
        assert!(long.len() < 256 && is_mark(&long));
        assert!(!is_mark("uplink"));
    }
}
