//! Failover and health-check daemon that reads keepalived.conf and can always tell what happened and why.
//!
//! This crate wires the others into three programs; no protocol logic lives here.
//!
//! | module | what |
//! |---|---|
//! | [`supervisor`] | `keepwatchd`: the small process that keeps the worker alive |
//! | [`daemon`] | `keepwatch-worker`: from the command line to what it becomes |
//! | [`cli`], [`paths`], [`build_details`] | its flags; where its files are; what `-v` says |
//! | [`signals`], [`core_dump`], [`stage`], [`detach`], [`pidfile`], [`systemd`] | becoming a daemon |
//! | [`host_settings`], [`left`] | what is changed on the host, and taken back at the end |
//! | [`worker`] | the process that does the work: runtime, bus, publishers, consumers, reload |
//! | [`logging`] | events as lines, on sinks that delay nothing |
//! | [`control`] | the Unix socket of the `keepwatch` command, and what it answers |
//! | [`operator`] | `keepwatch`: status, events, why; check, explain, fmt, config |
//! | [`terminal`] | what both write for people to see |

pub mod build_details;
pub mod cli;
pub mod config_test;
pub mod control;
pub mod core_dump;
pub mod daemon;
pub mod detach;
pub mod host_settings;
pub mod kept;
pub mod left;
pub mod logging;
pub mod operator;
pub mod paths;
pub mod pidfile;
pub mod signals;
pub mod stage;
pub mod supervisor;
pub mod systemd;
pub mod terminal;
pub mod worker;
