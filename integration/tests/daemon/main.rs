//! The daemon as an operator meets it: flags, pid files, signals, reload, a worker that dies or hangs, and what the
//! `keepwatch` command says about it all.

mod actions;
mod command_line;
mod dumps;
mod files;
mod flags;
mod in_force;
mod interfaces;
mod listeners;
mod operator;
mod reload;
mod reload_files;
mod rights;
mod scene;
mod several;
mod supervision;
mod watchers;
