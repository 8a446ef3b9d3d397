//! `SSL`: what `SSL_GET` checkers have to show and whom they trust.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Name;

/// An `SSL` block: one for all `SSL_GET` checkers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ssl {
    /// `password` of the key.
    pub password: Option<Secret>,
    /// `ca`: file with the certificates to trust (PEM).
    pub ca: Option<Name>,
    /// `certificate`: file with our own certificate and its chain (PEM).
    pub certificate: Option<Name>,
    /// `key`: file with the key of our certificate (PEM).
    pub key: Option<Name>,
}

/// A text that neither the debug form nor `keepwatch config --json` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Name);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("…")
    }
}
