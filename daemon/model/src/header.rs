//! A header of HTTP that whoever receives events wants to see: mostly a password.

use serde::{Deserialize, Serialize};

use crate::secret::{self, Secret};

/// `header NAME VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub name: Box<str>,
    /// What it holds.
    #[serde(serialize_with = "secret::hidden", deserialize_with = "secret::absent")]
    pub value: Secret<Box<str>>,
}
