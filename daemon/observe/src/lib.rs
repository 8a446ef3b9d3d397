//! Which virtual routers a LAN has, heard from their adverts alone: no configuration, nothing sent.
//!
//! | module | what |
//! |---|---|
//! | [`advert`] | what one packet says, and what is wrong with it |
//! | [`lan`] | all virtual routers that were heard: a machine without I/O, in bounded memory |
//! | [`router`] | one of them: who is master, who else sends, and why two do |
//! | [`event`] | what changed, in words and as data |
//!
//! ```text
//!  packet ──advert──► Advert ──heard──► Lan ──► Event (text, JSON)
//!   clock ────────────────────passed────►  └──► routers (table, JSON, metrics)
//! ```
//!
//! Passwords go over the wire in clear. They are compared by a fingerprint that begins anew with each process, and are
//! kept and told nowhere.

pub mod advert;
pub mod event;
pub mod lan;
pub mod router;

pub use advert::{Advert, Authentication, Decoder, Flaw};
pub use event::{Event, What};
pub use lan::{Lan, Place};
pub use router::{Difference, Router, Sender};
