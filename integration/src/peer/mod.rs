//! The programs that a director meets: routers, an SNMP master agent, mail and web servers; and keepwatch itself.

pub mod aiosmtpd;
pub mod dbus;
pub mod frr;
pub mod keepalived;
pub mod keepwatchd;
pub mod nginx;
pub mod receiver;
pub mod snmpd;
pub mod snmptrapd;
pub mod udp;
pub mod web;
