//! Digest of a web page, as keepalived's HTTP_GET and SSL_GET checks compute it.
//!
//! In goes a [`Request`] (server, path, virtual host, HTTP version, TLS or not, limits); out comes a [`Page`]: the
//! status code, the header and the body byte for byte as they came, and the [`Digest`] of the body. [`digest`] opens
//! the connection itself; [`digest_over`] speaks over a stream that the caller opened, with TLS added by
//! [`tls::connect`]; [`Exchange`] is what both stand on, and a checker, which keeps no body: it is handed on as it comes. [`dump`] renders a page as the `genhash`
//! command does; [`live`] lists what a running daemon knows of its pages.
//!
//! What is digested is what keepalived digests: the bytes after the header as the server sent them, no transfer
//! coding undone, and no more of them than a `Content-Length` announces. Certificates are not verified: the check
//! asks whether the page is the expected one, and the digest itself answers that.

mod algorithm;
mod chunks;
pub mod dump;
mod fetch;
pub mod live;
mod request;
mod response;
pub mod tls;

pub use algorithm::{Algorithm, Digest, UnknownAlgorithm};
pub use fetch::{Error, Exchange, Step, digest, digest_over};
pub use request::{HttpVersion, Limits, Request, Tls, UnknownVersion};
pub use response::{Answer, HeaderError, Page};
