//! The numbers by which routers, interfaces and timers know each other, so that none of them has to know the others'
//! types.

/// The number of a virtual router in its [`Node`](crate::Node); never used again after the router is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterId(pub u32);

/// The number of something that routers follow, from [`Node::tracked_id`](crate::Node::tracked_id): stable for as long as
/// the machine lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackedId(pub u32);

/// An interface name, interned: stable for as long as the machine lives, though the interface may go and return with
/// another kernel index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

impl LinkId {
    /// No interface in particular: where unicast routers without one are heard, and from where they send.
    pub const ANYWHERE: Self = Self(0);
}
