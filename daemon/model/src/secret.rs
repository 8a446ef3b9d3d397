//! What nobody may see: passwords and keys.
//!
//! [`Secret`] has neither `Serialize` nor `Display`, and its debug form hides it, so that none can reach a fact, a log,
//! a page or a dump by mistake: whoever wants the value says [`Secret::reveal`]. Fields that hold one are written as
//! `…` ([`hidden`]), and what is read back holds nothing ([`absent`]).

use std::fmt;

use serde::{Deserialize, Deserializer, Serializer};

/// A value that can only be had by asking for it by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides it.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for what has to use it.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Writes that there is a secret, whatever it is; for `#[serde(serialize_with)]`.
pub(crate) fn hidden<T, S: Serializer>(_: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("…")
}

/// Reads such a field back, as a secret of nothing; for `#[serde(deserialize_with)]`.
pub(crate) fn absent<'de, T: Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| T::default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{AntiReplay, AuthHmac, Authentication, HmacKey, HmacMode, Secret, Ssl};

    /// Everything of the model that holds a secret, each with the same one.
    fn all_with(secret: &str) -> [(String, String); 4] {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&secret.as_bytes()[..8]);
        let hmac = AuthHmac {
            keys: vec![HmacKey { id: 1, secret: Secret::new(secret.as_bytes().into()) }],
            active_key: 1,
            anti_replay: AntiReplay::Time(Duration::from_secs(5)),
            mode: HmacMode::Enforce,
        };
        let ssl = Ssl { password: Some(Secret::new(secret.into())), ..Ssl::default() };
        let pass = Authentication::Pass(Secret::new(bytes));
        let ah = Authentication::Ah(Secret::new(bytes));
        [
            (format!("{hmac:?}"), serde_json::to_string(&hmac).unwrap_or_default()),
            (format!("{ssl:?}"), serde_json::to_string(&ssl).unwrap_or_default()),
            (format!("{pass:?}"), serde_json::to_string(&pass).unwrap_or_default()),
            (format!("{ah:?}"), serde_json::to_string(&ah).unwrap_or_default()),
        ]
    }

    #[test]
    fn no_secret_is_seen_in_the_debug_form_or_in_json() {
        let (one, other) = (all_with("correct horse"), all_with("battery staple"));
        assert_eq!(one, other, "whatever the secret is, what is shown is the same");
        for (debug, json) in one {
            assert!(debug.contains('…'), "{debug}");
            assert!(!json.is_empty());
        }
    }

    #[test]
    fn a_secret_reads_back_as_nothing() -> serde_json::Result<()> {
        let pass = Authentication::Pass(Secret::new(*b"12345678"));
        assert_eq!(serde_json::to_string(&pass)?, "\"PASS\"");
        assert_eq!(
            serde_json::from_str::<Authentication>("\"PASS\"")?,
            Authentication::Pass(Secret::default())
        );
        let key = HmacKey { id: 1, secret: Secret::new(b"12345678".as_slice().into()) };
        let again: HmacKey = serde_json::from_str(&serde_json::to_string(&key)?)?;
        assert_eq!(again, HmacKey { id: 1, secret: Secret::default() });
        let ssl = Ssl { password: Some(Secret::new("x".into())), ..Ssl::default() };
        let again: Ssl = serde_json::from_str(&serde_json::to_string(&ssl)?)?;
        assert_eq!(again, Ssl { password: Some(Secret::new("".into())), ..Ssl::default() });
        Ok(())
    }
}
