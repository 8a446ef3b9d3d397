//! What is tracked besides links: scripts. In: the `vrrp_script`s of a configuration ([`Scripts::apply`]). Out: a
//! [`Change`] for each change of a [`Level`], with the run that made it.
//!
//! [`script::Machine`] is pure: it says when to run a script and what its results mean. [`Scripts`] gives each script a
//! task that runs it by `keepwatch-process`; whoever is told the changes decides what they are worth.

mod runner;
pub mod script;

pub use runner::Scripts;
pub use script::{Change, Level, Run, Verdict};
