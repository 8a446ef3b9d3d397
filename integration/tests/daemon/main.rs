//! The daemon as an operator meets it: flags, pid files, signals, reload, a worker that dies or hangs, and what the
//! `keepwatch` command says about it all.

mod command_line;
mod dumps;
mod files;
mod interfaces;
mod listeners;
mod operator;
mod reload;
mod rights;
mod scene;
mod supervision;
mod watchers;
