//! The packet socket: every frame of one interface, each with the kernel's time of arrival.
#![allow(unsafe_code)] // `sockaddr_ll` and `packet_mreq` have no safe wrapper in the crates we use.

use std::{
    io::IoSliceMut,
    mem::{size_of, zeroed},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    net::if_::if_nametoindex,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt},
        time::{TimeSpec, TimeVal, TimeValLike},
    },
};

/// Room for what arrives while the reader is not scheduled.
const BUFFER: usize = 32 << 20;
/// How often a quiet capture looks whether it should end.
const PACE_MS: i64 = 50;

/// Opens a packet socket on `interface` of the calling thread's network namespace.
pub(crate) fn listen_on(interface: &str) -> Result<OwnedFd> {
    let index = if_nametoindex(interface).with_context(|| format!("capture on {interface}"))?;
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: plain system calls; the structures are plain data, fully set, and live during the calls.
    let socket = unsafe {
        let raw = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, i32::from(protocol));
        if raw < 0 {
            return Err(std::io::Error::last_os_error()).context("open a packet socket");
        }
        let socket = OwnedFd::from_raw_fd(raw);
        let mut at: libc::sockaddr_ll = zeroed();
        at.sll_family = libc::AF_PACKET as u16;
        at.sll_protocol = protocol;
        at.sll_ifindex = index.cast_signed();
        let length = size_of::<libc::sockaddr_ll>() as u32;
        if libc::bind(raw, (&raw const at).cast(), length) < 0 {
            return Err(std::io::Error::last_os_error()).context("bind a packet socket");
        }
        let mut all: libc::packet_mreq = zeroed();
        all.mr_ifindex = index.cast_signed();
        all.mr_type = libc::PACKET_MR_PROMISC as u16;
        let length = size_of::<libc::packet_mreq>() as u32;
        let what = libc::PACKET_ADD_MEMBERSHIP;
        if libc::setsockopt(raw, libc::SOL_PACKET, what, (&raw const all).cast(), length) < 0 {
            return Err(std::io::Error::last_os_error()).context("make a packet socket promiscuous");
        }
        socket
    };
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(PACE_MS))?;
    // More than net.core.rmem_max needs a right that a user namespace does not give: then the default must do.
    if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER);
    }
    Ok(socket)
}

/// Waits a little for the next frame; `None` when there was none. The time is since the epoch.
pub(crate) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Option<(Duration, usize)> {
    let mut stamps = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let got = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut stamps), MsgFlags::empty()).ok()?;
    let stamp = got.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    })?;
    Some((stamp, got.bytes))
}
