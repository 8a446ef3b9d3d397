//! Basic authentication (RFC 7617) against bcrypt hashes.
//!
//! A hash takes tens of milliseconds of a processor, so that passwords can't be guessed: what was found out is remembered,
//! and only one is looked at at a time, so that a flood of guesses takes a part of one processor and no more. Who has been
//! admitted is remembered apart from what was guessed wrongly: guesses don't make anybody forgotten.

use std::collections::{BTreeMap, HashSet};
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

/// Pairs of name and password of which is remembered that they don't fit.
const REMEMBERED: usize = 100;

/// Those who may ask.
pub(crate) struct Users {
    hashes: BTreeMap<String, String>,
    /// What is compared with for a name that nobody has, so that it takes as long as for one that somebody has.
    nobody: String,
    known: Mutex<Known>,
    one_at_a_time: Arc<Semaphore>,
}

/// Digests of name, hash and password that were looked at.
#[derive(Default)]
struct Known {
    /// At most one for each user.
    right: HashSet<[u8; 32]>,
    wrong: HashSet<[u8; 32]>,
}

impl Known {
    fn fits(&self, key: &[u8; 32]) -> Option<bool> {
        self.right.contains(key).then_some(true).or_else(|| self.wrong.contains(key).then_some(false))
    }

    fn note(&mut self, key: [u8; 32], fits: bool) {
        if fits {
            self.right.insert(key);
            return;
        }
        if self.wrong.len() >= REMEMBERED {
            self.wrong.clear();
        }
        self.wrong.insert(key);
    }
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
        let (known, one_at_a_time) = (Mutex::default(), Arc::new(Semaphore::new(1)));
        Ok(Self { hashes, nobody, known, one_at_a_time })
    }

    /// Whether everybody may ask.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    async fn admit(self: Arc<Self>, name: String, password: String) -> bool {
        let hash = self.hashes.get(&name).cloned();
        let key = digest([name.as_bytes(), hash.as_deref().unwrap_or("").as_bytes(), password.as_bytes()]);
        if let Some(fits) = self.known.lock().fits(&key) {
            return fits;
        }
        let Ok(turn) = self.one_at_a_time.clone().acquire_owned().await else { return false };
        // Who was before may have asked for the same.
        if let Some(fits) = self.known.lock().fits(&key) {
            return fits;
        }
        // A client that hangs up does not end what has begun: it keeps its turn to the end.
        let compare = move || {
            let against = hash.as_deref().unwrap_or(&self.nobody);
            let fits = bcrypt::verify(password, against).unwrap_or(false) && hash.is_some();
            self.known.lock().note(key, fits);
            drop(turn);
            fits
        };
        tokio::task::spawn_blocking(compare).await.unwrap_or(false)
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
    use std::time::Duration;

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

    #[tokio::test(flavor = "multi_thread")]
    async fn who_hangs_up_keeps_his_turn_until_his_guess_is_looked_at() {
        // Strong enough to take a while.
        let hash = bcrypt::hash("secret", 10).unwrap();
        let users = Arc::new(Users::new([("prometheus".to_owned(), hash)].into()).unwrap());
        let guess = users.clone().admit("prometheus".into(), "wrong".into());
        assert!(tokio::time::timeout(Duration::from_millis(1), guess).await.is_err());
        assert_eq!(users.one_at_a_time.available_permits(), 0);
        // The same guess again finds what was found out then.
        assert!(!users.clone().admit("prometheus".into(), "wrong".into()).await);
        assert_eq!(users.known.lock().wrong.len(), 1);
    }

    #[tokio::test]
    async fn guesses_do_not_make_the_user_forgotten() {
        let users = users();
        assert!(users.clone().admit("prometheus".into(), "secret".into()).await);
        for guess in 0..=REMEMBERED {
            assert!(!users.clone().admit("prometheus".into(), guess.to_string()).await);
        }
        assert!(users.known.lock().wrong.len() <= REMEMBERED);
        // Nobody's turn is waited for.
        let _turn = users.one_at_a_time.clone().acquire_owned().await;
        assert!(users.clone().admit("prometheus".into(), "secret".into()).await);
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
