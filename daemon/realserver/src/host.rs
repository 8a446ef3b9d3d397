//! What is there, asked of the kernel; and one step of what is to be done.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use keepwatch_net::address::{AddressOperation, AddressSpec, kernel_keeps_marks};
use keepwatch_net::link::{LinkIndex, LinkTable};
use keepwatch_net::netlink::{Attributes, Monitor, Requests};
use keepwatch_net::sysctl;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;

use crate::change::{Found, Present, Step};
use crate::plan::Device;
use crate::record::{Put, Record};

/// `NLM_F_CREATE | NLM_F_EXCL`.
const NEW: u16 = 0x600;
/// The settings that matter here.
const SETTINGS: [&str; 3] = ["arp_ignore", "arp_announce", "rp_filter"];
/// Notifications that are taken at once; what they say is asked for anyway.
const BATCH: usize = 64;

/// This host's network.
pub struct Host {
    monitor: Monitor,
    requests: Requests,
    links: LinkTable,
}

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The kernel refused to tell, or a setting.
    #[error(transparent)]
    Net(#[from] keepwatch_net::Error),
    /// The kernel refused an interface or an address.
    #[error("{step}: {}{}", errno.desc(), hint(*errno))]
    Refused {
        /// What was to be done.
        step: String,
        /// What it said.
        errno: Errno,
    },
    /// The addresses of the host can't be listed.
    #[error("list the addresses of this host: {0}")]
    Addresses(#[source] io::Error),
}

fn hint(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM => " (this needs root, or CAP_NET_ADMIN)",
        Errno::EOPNOTSUPP => " (the kernel has no module for it)",
        _ => "",
    }
}

impl Host {
    /// Asks for the kernel's ear.
    ///
    /// # Errors
    /// When it gives none.
    pub fn open() -> Result<Self, HostError> {
        Ok(Self { monitor: Monitor::open()?, requests: Requests::routing()?, links: LinkTable::default() })
    }

    /// What is there; of settings those that matter here and those of a record.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn look(&mut self, record: &Record) -> Result<Present, HostError> {
        // Only that it was readable mattered.
        while matches!(self.monitor.poll(BATCH, |_| {}), Ok(true)) {}
        let mut dump = Vec::new();
        self.monitor.dump(|notification| dump.push(notification))?;
        self.links.replace(dump, |_| {});
        let labels = labels()?;
        let mut present = Present { keeps_marks: kernel_keeps_marks(), ..Present::default() };
        for link in self.links.iter() {
            let name = link.report.name.to_string();
            for address in &link.addresses {
                let label = labels.iter().find(|(label, labelled)| {
                    let of_link = label
                        .strip_prefix(&*name)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
                    *labelled == address.address && of_link
                });
                present.addresses.push(Found {
                    link: name.clone(),
                    address: address.address,
                    prefix: address.prefix,
                    mark: address.protocol,
                    label: label.map(|(label, _)| label.clone()),
                });
            }
            if link.report.up && !link.report.loopback && !link.report.no_arp {
                present.lan.insert(name.clone());
            }
            present.links.insert(name, link.report.up);
        }
        let scopes = ["all", "default"].into_iter().chain(present.links.keys().map(String::as_str));
        let conf = scopes.flat_map(|scope| SETTINGS.map(|name| format!("ipv4/conf/{scope}/{name}")));
        let recorded = record.settings.iter().map(|changed| changed.setting.clone());
        let settings: Vec<String> = conf.chain(recorded).collect();
        present.settings.extend(settings.into_iter().filter_map(|name| {
            // Its interface may have gone meanwhile.
            let value = sysctl::get(&name).ok()?;
            Some((name, value))
        }));
        Ok(present)
    }

    /// Does one step. What is so already is no error.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn carry_out(&mut self, step: &Step) -> Result<(), HostError> {
        let result = match step {
            Step::Set { setting, to, .. } => return Ok(sysctl::set(setting, to)?),
            Step::Make(device) => self.make(*device),
            Step::Raise(device) => self.raise(*device, true),
            Step::Lower(device) => self.raise(*device, false),
            Step::Put(put) => self.address(AddressOperation::Add, put),
            Step::Take(put) => self.address(AddressOperation::Remove, put),
        };
        result.map_err(|errno| HostError::Refused { step: step.to_string(), errno })
    }

    fn index(&mut self, device: Device) -> Result<LinkIndex, Errno> {
        if self.links.by_name(device.name()).is_none() {
            let mut dump = Vec::new();
            self.monitor.dump(|notification| dump.push(notification)).map_err(|_| Errno::EIO)?;
            self.links.replace(dump, |_| {});
        }
        self.links.by_name(device.name()).map(|link| link.report.index).ok_or(Errno::ENODEV)
    }

    /// Asking for an interface of that kind has the kernel load its module, which brings the one of this name.
    fn make(&mut self, device: Device) -> Result<(), Errno> {
        let Some(kind) = device.tunnel() else { return Err(Errno::ENODEV) };
        let mut body = Attributes::after(&header(LinkIndex(0), 0, 0));
        body.text(libc::IFLA_IFNAME, device.name()).nest(libc::IFLA_LINKINFO, |info| {
            info.text(1, kind);
        });
        self.requests.push(libc::RTM_NEWLINK, NEW, &body);
        match self.one() {
            Ok(()) | Err(Errno::EEXIST) => self.index(device).map(drop),
            refused => refused,
        }
    }

    fn raise(&mut self, device: Device, up: bool) -> Result<(), Errno> {
        let index = self.index(device)?;
        let flag = libc::IFF_UP as u32;
        let body = Attributes::after(&header(index, if up { flag } else { 0 }, flag));
        self.requests.push(libc::RTM_NEWLINK, 0, &body);
        self.one()
    }

    fn address(&mut self, operation: AddressOperation, put: &Put) -> Result<(), Errno> {
        let index = match (self.index(put.device), operation) {
            (Err(Errno::ENODEV), AddressOperation::Remove) => return Ok(()),
            (index, _) => index?,
        };
        let mut spec = AddressSpec::new(put.address, put.prefix());
        match put.address {
            IpAddr::V4(address) => {
                spec.broadcast = Some(address);
                spec.label = put.label.as_deref().map(Into::into);
            }
            // Nothing that this host begins may have it as its source.
            IpAddr::V6(_) => spec.preferred_lifetime = Some(0),
        }
        self.requests.push_address(operation, index, &spec);
        match (self.one(), operation) {
            (Err(Errno::EEXIST), AddressOperation::Add) => Ok(()),
            (Err(Errno::EADDRNOTAVAIL | Errno::ENODEV), AddressOperation::Remove) => Ok(()),
            (result, _) => result,
        }
    }

    fn one(&mut self) -> Result<(), Errno> {
        self.requests.carry_out().pop().unwrap_or(Err(Errno::EIO))
    }
}

/// Readable when an interface or address has changed.
impl AsFd for Host {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}

/// Every address with its label, as the C library tells them.
fn labels() -> Result<Vec<(String, IpAddr)>, HostError> {
    let all = getifaddrs().map_err(|errno| HostError::Addresses(errno.into()))?;
    let named = all.filter_map(|one| {
        let address = one.address?;
        let address = address.as_sockaddr_in()?.ip();
        Some((one.interface_name, IpAddr::V4(address)))
    });
    Ok(named.collect())
}

/// `struct ifinfomsg`: these flags, of those of the mask.
fn header(index: LinkIndex, flags: u32, mask: u32) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(index.0.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(mask.to_ne_bytes());
    bytes
}
