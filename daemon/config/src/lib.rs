//! The configuration language of keepalived.conf: source, tree, schema, model, diagnostics.
//!
//! Text goes through these in one direction:
//! 1. [`source`] keeps every file that was read, and where each byte of what follows came from.
//! 2. `preprocess` makes logical lines: comments, `@id` conditions, `$NAME`, `~SEQ`, `~LST`, `include`.
//! 3. `items` cuts them at braces, and `parse` builds the [`tree`] by the [`schema`], recovering from wrong braces.
//! 4. `values` checks what stands after each keyword; `lower` makes drafts of blocks and then the [`model`].
//! 5. [`diagnostics`] is what all of them have to say.
//!
//! [`load`] does all of it. It reads files and does no other I/O. Beside it stand [`check_cluster`] (the files of several
//! routers against each other), [`explain`] and [`reference()`] (the schema as text) and [`format()`] (canonical layout).

mod cluster;
pub mod diagnostics;
pub mod encoding;
mod explain;
mod format;
mod interfaces;
mod items;
mod line_values;
mod load;
mod lower;
pub mod model;
mod parse;
mod places;
mod preprocess;
mod regular_file;
pub mod schema;
pub mod source;
mod spelling;
pub mod tree;
mod values;
pub mod words;

pub use cluster::check_cluster;
pub use diagnostics::{Diagnostic, Diagnostics, Outcome, Severity};
pub use explain::{explain, overview, reference, similar};
pub use format::format;
pub use interfaces::check_interfaces;
pub use load::{Loaded, Options, load, load_text};
pub use model::Config;
