//! What keepwatch tells the outside: e-mail, as keepalived's `smtp_alert` sends it, notify scripts ([`scripts`]) and
//! FIFOs ([`fifos`]). Who of scripts and FIFOs is to be told what is decided in one place ([`occasions`]).
//!
//! Mail: [`run`] takes every event from a lossless queue of the bus. The pure part, [`Secretary`], knows which subjects want
//! mail and turns an event into a [`Letter`] with the subject line that keepalived would write and, below keepalived's
//! line, why it happened. The [`postman`] part hands letters to the mail server: one at a time, each within a time
//! limit, again and again with growing pauses while the server does not answer, never holding more than a bounded
//! number. What becomes of each letter is a fact of its own: `MailSent`, `MailDelayed`, `MailFailed`.
//!
//! What waits is on disk too ([`Spool`]), so that a restart loses no mail. [`webhook`] posts events to HTTP servers.
//!
//! It all happens in one task that nothing else waits for: a mail server that is down or black-holed delays mail, and
//! nothing but mail.

mod digest;
mod entries;
pub mod fifos;
mod letter;
mod mail;
mod news;
pub mod occasions;
pub mod postman;
pub mod scripts;
mod secretary;
mod settings;
mod spool;
pub mod webhook;

pub use letter::Letter;
pub use mail::SendError;
pub use postman::run;
pub use secretary::{Secretary, Wishes};
pub use settings::MailSettings;
pub use spool::{Left, Spool};
