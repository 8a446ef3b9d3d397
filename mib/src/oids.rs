//! Where things are in KEEPALIVED-MIB.

/// `keepalived`: { enterprises debian(9586) project(100) 5 }.
pub(crate) const KEEPALIVED: [u32; 9] = [1, 3, 6, 1, 4, 1, 9586, 100, 5];

/// `global`, the first part of the tree.
pub(crate) const GLOBAL: u32 = 1;
/// `vrrp`, the second.
pub(crate) const VRRP: u32 = 2;
/// `check`, the third.
pub(crate) const CHECK: u32 = 3;

/// The name of something below `keepalived`.
pub(crate) fn below(tail: &[u32]) -> Vec<u32> {
    [KEEPALIVED.as_slice(), tail].concat()
}
