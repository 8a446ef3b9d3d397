//! The hash algorithms a page can be digested with: names in, running state, hexadecimal digest out.

use std::fmt;
use std::str::FromStr;

use md5::Digest as _;

/// Which hash is computed over the body. keepalived's configuration (`digest` in a `url` block) knows only MD5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// RFC 1321, 16 bytes; what `digest` in keepalived.conf holds.
    #[default]
    Md5,
    /// RFC 3174, 20 bytes.
    Sha1,
    /// FIPS 180-4, 32 bytes.
    Sha256,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        })
    }
}

/// The name given is none of the algorithms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown hash `{0}`: md5, sha1 or sha256")]
pub struct UnknownAlgorithm(String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads `md5`, `sha1` or `sha256`, in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_lowercase().as_str() {
            "md5" => Ok(Self::Md5),
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            _ => Err(UnknownAlgorithm(name.to_owned())),
        }
    }
}

/// A finished digest; `Display` writes it in lower-case hexadecimal, as keepalived.conf has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digest(Vec<u8>);

impl Digest {
    /// The digest of `bytes` that are already at hand.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The raw digest: 16, 20 or 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// A digest on the way: fed with the body as it arrives.
pub(crate) enum Hasher {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(md5::Md5::new()),
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(state) => state.update(bytes),
            Self::Sha1(state) => state.update(bytes),
            Self::Sha256(state) => state.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(match self {
            Self::Md5(state) => state.finalize().to_vec(),
            Self::Sha1(state) => state.finalize().to_vec(),
            Self::Sha256(state) => state.finalize().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        // RFC 1321 A.5, RFC 3174 7.3 and FIPS 180-4: the digest of "abc".
        let cases = [
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("SHA1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("Sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ];
        for (name, expected) in cases {
            let algorithm: Algorithm = name.parse().unwrap();
            assert_eq!(Digest::of(algorithm, b"abc").to_string(), expected, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_named_in_the_error() {
        let error = "crc32".parse::<Algorithm>().unwrap_err();
        assert_eq!(error.to_string(), "unknown hash `crc32`: md5, sha1 or sha256");
    }
}
