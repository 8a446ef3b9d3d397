//! Basic authentication (RFC 7617) against bcrypt hashes.
//!
//! A hash takes tens of milliseconds of a processor, so that passwords can't be guessed: what was found out is remembered,
//! and only one is looked at at a time, so that a flood of guesses takes a part of one processor and no more.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::Web;

/// Pairs of name and password of which is remembered whether they fit.
const REMEMBERED: usize = 100;

/// Those who may ask.
pub(crate) struct Users {
    hashes: BTreeMap<String, String>,
    /// What is compared with for a name that nobody has, so that it takes as long as for one that somebody has.
    nobody: String,
    known: Mutex<HashMap<[u8; 32], bool>>,
    one_at_a_time: Semaphore,
}

impl Users {
    /// By name, the hash of each one's password.
    ///
    /// # Errors
    /// Whose hash is none.
    pub(crate) fn new(hashes: BTreeMap<String, String>) -> Result<Self, String> {
        for (name, hash) in &hashes {
            let parsed = hash.parse::<bcrypt::HashParts>();
            parsed.map_err(|_| {
                format!("basic_auth_users: `{name}`: not a bcrypt hash (`htpasswd -nBC 10 {name}` makes one)")
            })?;
        }
        let nobody = hashes.values().next().cloned().unwrap_or_default();
        let (known, one_at_a_time) = (Mutex::default(), Semaphore::new(1));
        Ok(Self { hashes, nobody, known, one_at_a_time })
    }

    /// Whether everybody may ask.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    async fn admit(self: Arc<Self>, name: String, password: String) -> bool {
        let hash = self.hashes.get(&name).cloned();
        let key = digest([name.as_bytes(), hash.as_deref().unwrap_or("").as_bytes(), password.as_bytes()]);
        if let Some(known) = self.known.lock().get(&key) {
            return *known;
        }
        let Ok(_turn) = self.one_at_a_time.acquire().await else { return false };
        let against = hash.clone().unwrap_or_else(|| self.nobody.clone());
        let compare = move || bcrypt::verify(password, &against).unwrap_or(false);
        let fits = tokio::task::spawn_blocking(compare).await.unwrap_or(false) && hash.is_some();
        let mut known = self.known.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, fits);
        fits
    }
}

fn digest(parts: [&[u8]; 3]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// Lets only those through who say who they are, where there are any users.
pub(crate) async fn authenticated(
    State(web): State<Arc<Web>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let users = web.current().users;
    if users.is_empty() {
        return next.run(request).await;
    }
    if let Some((name, password)) = credentials(request.headers())
        && users.admit(name, password).await
    {
        return next.run(request).await;
    }
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"keepwatch\", charset=\"UTF-8\"")];
    (StatusCode::UNAUTHORIZED, ask, "who are you? Name and password are needed\n").into_response()
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let text = String::from_utf8(STANDARD.decode(token.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Arc<Users> {
        let hash = bcrypt::hash("secret", 4).unwrap();
        Arc::new(Users::new([("prometheus".to_owned(), hash)].into()).unwrap())
    }

    #[tokio::test]
    async fn only_the_right_name_with_the_right_password_is_admitted() {
        let users = users();
        for (name, password, expected) in [
            ("prometheus", "secret", true),
            ("prometheus", "wrong", false),
            ("nobody", "secret", false),
            ("", "", false),
        ] {
            // The second time it is remembered.
            for _ in 0..2 {
                let admitted = users.clone().admit(name.into(), password.into()).await;
                assert_eq!(admitted, expected, "{name} {password}");
            }
        }
    }

    #[test]
    fn a_password_in_the_clear_is_refused() {
        let error = Users::new([("prometheus".to_owned(), "secret".to_owned())].into()).err().unwrap();
        assert!(error.contains("`prometheus`: not a bcrypt hash"), "{error}");
    }

    #[test]
    fn credentials_are_read_as_they_may_be_written() {
        let read = |value: &str| {
            credentials(&HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]))
        };
        let expected = Some(("a".to_owned(), "b:c".to_owned()));
        assert_eq!(read("Basic YTpiOmM="), expected);
        assert_eq!(read("bAsIc YTpiOmM="), expected);
        for wrong in ["Bearer YTpiOmM=", "Basic", "Basic !", "Basic YQ=="] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
