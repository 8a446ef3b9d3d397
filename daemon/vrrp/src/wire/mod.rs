//! What goes over the wire: VRRP versions 2 and 3, inside IPv4 (whole packets, header included) or IPv6 (messages).
//!
//! Nothing here reads a field before its place was checked: [`Datagram::from_ipv4`] and [`Message::new_checked`] do
//! that, and everything after is total. Nothing here allocates on receipt.
//!
//! ```text
//! VRRPv2 (RFC 3768 §5.1; authentication of RFC 2338 §5.1)     VRRPv3 (RFC 9568 §5.1)
//!
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  | Virtual Rtr ID|   Priority    | Count IP Addrs|  0
//! +-------+-------+---------------+---------------+---------------+
//! |   Auth Type   |   Adver Int   |          Checksum             |  4   version 2: seconds
//! | rsvd  |    Max Adver Int      |          Checksum             |      version 3: centiseconds, 12 bits
//! +---------------+---------------+-------------------------------+
//! |                       IPvX Address (1)                        |  8   4 or 16 bytes each
//! |                             ...                               |
//! |                       IPvX Address (n)                        |
//! +---------------------------------------------------------------+
//! |                     Authentication Data (1)                   |      version 2 over IPv4 only: always 8 bytes,
//! |                     Authentication Data (2)                   |      zero unless Auth Type is 1
//! +---------------------------------------------------------------+
//! ```
//!
//! With Auth Type 2 an IP authentication header stands before the message: see [`AuthHeader`]. With `auth_hmac` a signature
//! stands behind it: see [`Trailer`].
//!
//! The checksum of version 2 covers the message; that of version 3 also a pseudo-header of the IP addresses, unless
//! the virtual router is told to do as version 2 does (`version 3 checksum as version 2`).

mod ah;
pub(crate) mod checksum;
mod datagram;
mod encode;
mod error;
pub(crate) mod message;
mod trailer;

pub use ah::{AH_LEN, AuthHeader, IPPROTO_AH, Seal};
pub use datagram::{Datagram, IPV4_HEADER_LEN};
pub use encode::{AdvertBuffer, AdvertFields};
pub use error::DecodeError;
pub use message::{AUTH_DATA_LEN, AuthType, HEADER_LEN, Message, PacketType};
pub use trailer::{SigningKey, Stamp, TRAILER_LEN, Trailer};

/// The IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const IPPROTO_VRRP: u8 = 112;
/// The TTL or hop limit of every advertisement to a multicast group (RFC 9568 §5.1.1.3).
pub const VRRP_TTL: u8 = 255;
/// The IPv4 multicast group (RFC 9568 §5.1.1.2).
pub const GROUP_V4: std::net::Ipv4Addr = std::net::Ipv4Addr::new(224, 0, 0, 18);
/// The IPv6 multicast group (RFC 9568 §5.1.2.2).
pub const GROUP_V6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// The type of service that advertisements carry: DSCP CS6, internetwork control.
pub const VRRP_TOS: u8 = 0xc0;
