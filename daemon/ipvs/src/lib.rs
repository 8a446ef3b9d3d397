//! IPVS: generic-netlink codec, desired table, reconciler, quorum and sorry servers.
