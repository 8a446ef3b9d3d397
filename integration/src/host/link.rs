//! What a host's network is made of, through rtnetlink. Every function works in the network namespace of the
//! calling thread, on a runtime of its own: the lab is in no hurry.

use std::{
    net::IpAddr,
    os::fd::{AsRawFd, OwnedFd},
};

use anyhow::{Context, Result, anyhow};
use futures::TryStreamExt;
use rtnetlink::{
    Handle, LinkBridge, LinkUnspec, LinkVeth, new_connection,
    packet_route::{
        address::{AddressAttribute, AddressHeaderFlags},
        link::{LinkAttribute, State},
    },
};

/// Runs one conversation with the kernel.
fn talk<T>(work: impl AsyncFnOnce(Handle) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = new_connection().context("open rtnetlink")?;
        tokio::spawn(connection);
        work(handle).await
    })
}

async fn index_of(handle: &Handle, name: &str) -> Result<u32> {
    let found = handle.link().get().match_name(name.to_owned()).execute().try_next().await;
    match found {
        Ok(Some(link)) => Ok(link.header.index),
        Ok(None) => Err(anyhow!("there is no interface {name}")),
        Err(error) => Err(error).with_context(|| format!("look for interface {name}")),
    }
}

/// Adds a bridge that floods multicast, and takes it up.
pub(crate) fn add_bridge(name: &str) -> Result<()> {
    talk(async |handle| {
        let bridge = LinkBridge::new(name).mcast_snooping(false).up().build();
        handle.link().add(bridge).execute().await.with_context(|| format!("add bridge {name}"))
    })
}

/// Adds a veth pair: `outer` stays here as a port of `bridge`, the other end goes to namespace `host` as `inner`.
pub(crate) fn add_cable(outer: &str, bridge: &str, inner: &str, host: &OwnedFd) -> Result<()> {
    talk(async |handle| {
        let far = format!("{outer}p");
        handle.link().add(LinkVeth::new(outer, &far).build()).execute().await.context("add a veth pair")?;
        let index = index_of(&handle, &far).await?;
        let moved = LinkUnspec::new_with_index(index).setns_by_fd(host.as_raw_fd()).name(inner).build();
        handle.link().set(moved).execute().await.with_context(|| format!("move {inner} into the host"))?;
        let bridge = index_of(&handle, bridge).await?;
        let port = LinkUnspec::new_with_name(outer).controller(bridge).up().build();
        handle.link().set(port).execute().await.with_context(|| format!("plug {inner} into the bridge"))
    })
}

/// The index of the other end of a veth pair, in the namespace where that is.
pub(crate) fn other_end(name: &str) -> Result<u32> {
    talk(async |handle| {
        let found = handle.link().get().match_name(name.to_owned()).execute().try_next().await;
        let link = found.with_context(|| format!("look at interface {name}"))?;
        let attributes = link.into_iter().flat_map(|link| link.attributes);
        let mut other = attributes.filter_map(|attribute| match attribute {
            LinkAttribute::Link(index) => Some(index),
            _ => None,
        });
        other.next().ok_or_else(|| anyhow!("{name} is no end of a veth pair"))
    })
}

/// Makes an interface a port of another bridge.
pub(crate) fn move_port(index: u32, bridge: &str) -> Result<()> {
    talk(async |handle| {
        let controller = index_of(&handle, bridge).await?;
        let port = LinkUnspec::new_with_index(index).controller(controller).up().build();
        handle.link().set(port).execute().await.with_context(|| format!("plug {index} into {bridge}"))
    })
}

/// Takes an interface up or down.
pub(crate) fn set_up(name: &str, up: bool) -> Result<()> {
    talk(async |handle| {
        let index = index_of(&handle, name).await?;
        let link = LinkUnspec::new_with_index(index);
        let link = if up { link.up() } else { link.down() };
        handle.link().set(link.build()).execute().await.with_context(|| format!("set {name} up={up}"))
    })
}

/// Whether the kernel has noticed that the interface has its carrier: until then it drops what is sent, silently.
pub(crate) fn is_operational(name: &str) -> Result<bool> {
    talk(async |handle| {
        let found = handle.link().get().match_name(name.to_owned()).execute().try_next().await;
        let link = found.with_context(|| format!("look at interface {name}"))?;
        Ok(link.is_some_and(|link| link.attributes.contains(&LinkAttribute::OperState(State::Up))))
    })
}

/// Removes an interface.
pub(crate) fn remove(name: &str) -> Result<()> {
    talk(async |handle| {
        let index = index_of(&handle, name).await?;
        handle.link().del(index).execute().await.with_context(|| format!("remove {name}"))
    })
}

/// Adds an address, without duplicate address detection.
pub(crate) fn add_address(name: &str, address: IpAddr, prefix: u8) -> Result<()> {
    talk(async |handle| {
        let index = index_of(&handle, name).await?;
        let mut request = handle.address().add(index, address, prefix);
        if address.is_ipv6() {
            request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
        }
        request.execute().await.with_context(|| format!("add {address}/{prefix} to {name}"))
    })
}

/// Removes an address wherever it is. Says whether there was one.
pub(crate) fn remove_address(address: IpAddr) -> Result<bool> {
    talk(async |handle| {
        let mut found = handle.address().get().set_address_filter(address).execute();
        let mut removed = false;
        while let Some(message) = found.try_next().await.context("list addresses")? {
            handle.address().del(message).execute().await.with_context(|| format!("remove {address}"))?;
            removed = true;
        }
        Ok(removed)
    })
}

/// All addresses of an interface.
pub(crate) fn addresses(name: &str) -> Result<Vec<IpAddr>> {
    talk(async |handle| {
        let index = index_of(&handle, name).await?;
        let mut found = handle.address().get().set_link_index_filter(index).execute();
        let mut addresses = Vec::new();
        while let Some(message) = found.try_next().await.context("list addresses")? {
            // IFA_LOCAL is the host's own address; IFA_ADDRESS is the peer's on a point-to-point link (IPv4 only).
            let mut local = None;
            let mut any = None;
            for attribute in message.attributes {
                match attribute {
                    AddressAttribute::Local(address) => local = Some(address),
                    AddressAttribute::Address(address) => any = Some(address),
                    _ => {}
                }
            }
            addresses.extend(local.or(any));
        }
        Ok(addresses)
    })
}
