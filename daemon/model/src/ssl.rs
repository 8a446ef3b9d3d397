//! `SSL`: what `SSL_GET` checkers have to show and whom they trust.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Name, Secret, secret};

/// An `SSL` block: one for all `SSL_GET` checkers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssl {
    /// `password` of the key.
    #[serde(serialize_with = "hidden_if_any", deserialize_with = "absent_if_any")]
    pub password: Option<Secret<Name>>,
    /// `ca`: file with the certificates to trust (PEM).
    pub ca: Option<Name>,
    /// `certificate`: file with our own certificate and its chain (PEM).
    pub certificate: Option<Name>,
    /// `key`: file with the key of our certificate (PEM).
    pub key: Option<Name>,
}

fn hidden_if_any<S: Serializer>(password: &Option<Secret<Name>>, serializer: S) -> Result<S::Ok, S::Error> {
    match password {
        Some(password) => secret::hidden(password, serializer),
        None => serializer.serialize_none(),
    }
}

fn absent_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<Name>>, D::Error> {
    let written = Option::<IgnoredAny>::deserialize(deserializer)?;
    Ok(written.map(|_| Secret::new(Name::from(""))))
}
