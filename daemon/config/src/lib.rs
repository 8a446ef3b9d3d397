//! The configuration language of keepalived.conf: from a file to a typed model, and to what is wrong with it.
//!
//! [`load`] reads a file, [`load_text`] a text that is in memory; both always come back with a [`Loaded`]:
//!
//! ```
//! use std::path::Path;
//!
//! use keepwatch_config::{Options, load_text};
//!
//! let text = "vrrp_instance VI_1 {
//!     interface eth0
//!     virtual_router_id 51
//!     prioritty 150
//!     virtual_ipaddress {
//!         192.0.2.1/24
//!     }
//! }
//! ";
//! let loaded = load_text(Path::new("example.conf"), text.into(), &Options::default());
//!
//! // What is wrong, for people (`render_text`), for programs (`render_json`) and as the exit status of `-t`.
//! assert!(loaded.diagnostics.render_text(false).contains("did you mean `priority`?"));
//! assert_eq!(loaded.diagnostics.exit_status(), 5);
//!
//! // What it means, with every default filled in; `None` only if it cannot run at all.
//! let config = loaded.config.unwrap_or_default();
//! assert_eq!(config.instance("VI_1").map(|instance| instance.vrid.0), Some(51));
//! ```
//!
//! Beside it stand [`check_cluster`] (the files of several routers against each other), [`check_host`] (against the
//! interfaces and addresses of this machine), [`explain`], [`overview`], [`similar`] and [`reference()`] (the schema as text) and
//! [`format()`] (canonical layout). Files are read, and no other I/O is done.
//!
//! # How it goes
//! Text goes through these in one direction:
//! 1. [`source`] keeps every file that was read, and where each byte of what follows came from.
//! 2. `preprocess` makes logical lines (`words`): comments, `@id` conditions, `$NAME`, `~SEQ`, `~LST`, `include`.
//! 3. `items` cuts them at braces, and `parse` builds the `tree` by the [`schema`], recovering from wrong braces.
//! 4. `values` and `line_values` check what stands after each keyword and within lines; `lower` makes drafts of blocks,
//!    and of these, once everything is read, the [`model`].
//! 5. [`diagnostics`] is what all of them have to say.
//!
//! Bytes that are no UTF-8 stand in all of it as characters of their own: [`encoding`].

mod accounts;
mod cluster;
pub mod diagnostics;
mod explain;
mod format;
mod host;
mod iproute_names;
mod items;
mod kept;
mod known;
mod line_values;
mod link_local;
mod load;
mod lower;
mod parse;
mod pattern;
mod places;
mod preprocess;
mod regular_file;
pub mod schema;
mod secrets;
pub mod source;
mod spelling;
mod tree;
mod values;
mod words;

pub use cluster::check_cluster;
pub use diagnostics::{Diagnostic, Diagnostics, Outcome, Outcomes, Severity};
pub use explain::{explain, overview, reference, similar};
pub use format::format;
pub use host::{Host, HostAddress, check_host};
pub use keepwatch_model::{self as model, Config, encoding};
pub use kept::{changed_since, come_since, load_kept};
pub use load::{Loaded, Options, load, load_text};
