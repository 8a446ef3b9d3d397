//! Running the commands of a configuration: notify scripts, tracked scripts, MISC_CHECK, start-up scripts, readers of
//! FIFOs. Stands on the model alone, and on no runtime: [`Running`] is a future that any can wait for.
//!
//! [`Command::of_script`] makes a command of what a configuration says. [`run`] takes a [`Command`] and gives a [`Running`]. The command gets a thread of its own, which looks up the user,
//! looks at the files ([`security`]), starts it, listens to what it writes and collects it; so a directory service, a
//! disk or a program that hangs holds up nobody else. The future's value says how it ended ([`Finished`]), or why it
//! was not run ([`NotRun`]).
//!
//! Whatever was true of the daemon, a command begins with:
//! - the user and groups that are asked for, in a process group of its own;
//! - no signal blocked and none ignored, the ordinary scheduler, niceness 0 and the limit of files from before the daemon
//!   raised its own ([`keep_file_limit`]);
//! - `/dev/null` as input, output and errors kept here up to a bound ([`Output`]), no other descriptor open;
//! - the daemon's environment without what is the daemon's own affair, such as `NOTIFY_SOCKET`;
//! - SIGTERM when the daemon dies. What the command itself has started by then lives on.
//!
//! A command that is to end ([`Command::limit`], [`Running::stop`], or the [`Running`] is dropped) is asked to by
//! SIGTERM to its process group, and killed with all of that group when it takes too long. The same goes for nobody who
//! ends by himself: a service that a script leaves behind is left alone, and may go on writing to the output that it
//! inherited.

mod command;
mod environment;
mod identity;
mod limits;
mod manner;
mod output;
mod run;
pub mod security;

pub use command::{Command, DEFAULT_UMASK, Output, User};
pub use environment::search_path;
pub use identity::{DEFAULT_USER, user_numbers};
pub use limits::keep_file_limit;
pub use manner::Manner;
pub use run::{End, Finished, NotRun, Running, Stopper, run, under_way};
