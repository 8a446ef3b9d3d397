//! The file's words. In: YAML. Out: what it says, or what is wrong with it and where. A word of Prometheus's that does
//! nothing here is an error: nobody should think that it protects him.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    #[serde(rename = "tls_server_config")]
    pub(super) tls: Option<Tls>,
    #[serde(rename = "basic_auth_users", default)]
    pub(super) users: BTreeMap<String, String>,
    #[serde(default, rename = "http_server_config")]
    http: Http,
}

/// `http_server_config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    #[serde(default)]
    http2: bool,
}

/// `tls_server_config`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) cert_file: PathBuf,
    pub(super) key_file: PathBuf,
    #[serde(default)]
    pub(super) client_auth_type: ClientAuth,
    pub(super) client_ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) min_version: Version,
    pub(super) max_version: Option<Version>,
}

/// `client_auth_type`: which clients must show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum ClientAuth {
    /// None.
    #[default]
    #[serde(alias = "")]
    NoClientCert,
    /// Who shows one shows a good one.
    VerifyClientCertIfGiven,
    /// All.
    RequireAndVerifyClientCert,
}

/// A version of TLS; older ones are not spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum Version {
    /// 1.2.
    #[default]
    #[serde(rename = "TLS12")]
    Tls12,
    /// 1.3.
    #[serde(rename = "TLS13")]
    Tls13,
}

impl Settings {
    /// Reads and checks the file.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
        let settings = Self::parse(&text).map_err(|error| told(&error))?;
        Ok(settings)
    }

    fn parse(text: &str) -> Result<Self, String> {
        // One that holds nothing but comments asks for nothing, as with Prometheus.
        let settings: Option<Self> = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
        let settings = settings.unwrap_or_default();
        if settings.http.http2 {
            return Err(
                "http_server_config.http2: only HTTP/1.1 is spoken here: say `false`, or leave it out".into(),
            );
        }
        if let Some(tls) = &settings.tls {
            tls.check()?;
        }
        Ok(settings)
    }
}

impl Tls {
    /// Whether nobody is served who does not show a certificate.
    pub(super) fn requires_certificates(&self) -> bool {
        self.client_auth_type == ClientAuth::RequireAndVerifyClientCert
    }

    fn check(&self) -> Result<(), String> {
        match (self.client_auth_type, &self.client_ca_file) {
            (ClientAuth::NoClientCert, Some(_)) => {
                Err("tls_server_config: a client_ca_file needs a client_auth_type: \
                     RequireAndVerifyClientCert or VerifyClientCertIfGiven"
                    .into())
            }
            (ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert, None) => {
                Err("tls_server_config: this client_auth_type needs a client_ca_file".into())
            }
            _ if self.max_version.is_some_and(|most| most < self.min_version) => {
                Err("tls_server_config: max_version is below min_version".into())
            }
            _ => Ok(()),
        }
    }
}

/// A file that is named in another one stands beside it, unless its whole path is given.
pub(super) fn beside(path: &Path, named: &Path) -> PathBuf {
    path.parent().map_or_else(|| named.to_owned(), |directory| directory.join(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_understood() {
        let text = "tls_server_config:\n  cert_file: a.pem\n  key_file: /k.pem\n  min_version: TLS13\n\
                    basic_auth_users:\n  prometheus: $2y$05$abc\nhttp_server_config:\n  http2: false\n";
        let settings = Settings::parse(text).unwrap();
        let tls = settings.tls.unwrap();
        assert_eq!((tls.min_version, tls.client_auth_type), (Version::Tls13, ClientAuth::NoClientCert));
        assert_eq!(beside(Path::new("/etc/web.yml"), &tls.cert_file), Path::new("/etc/a.pem"));
        assert_eq!(beside(Path::new("/etc/web.yml"), &tls.key_file), Path::new("/k.pem"));
        assert_eq!(settings.users["prometheus"], "$2y$05$abc");
        for nothing in ["", "# later\n", "{}\n"] {
            let settings = Settings::parse(nothing).unwrap();
            assert!(settings.tls.is_none() && settings.users.is_empty());
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("tls_server_confg: {}\n", "unknown field `tls_server_confg`"),
            ("tls_server_config:\n  cert_file: a\n", "missing field `key_file`"),
            (
                "tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}\n",
                "needs a client_auth_type",
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert}\n",
                "needs a client_ca_file",
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequestClientCert}\n",
                "unknown variant",
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, min_version: TLS10}\n",
                "expected `TLS12` or `TLS13`",
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, min_version: TLS13, max_version: TLS12}\n",
                "below",
            ),
            ("http_server_config: {http2: true}\n", "HTTP/1.1"),
            ("basic_auth_users: [a]\n", "line 1 column"),
        ] {
            let error = Settings::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
