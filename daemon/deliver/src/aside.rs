//! Clients are made on a thread where waiting is allowed.

use std::fmt::Display;

/// Makes something off the tasks: the system's certificates may have to be read for it.
///
/// # Errors
/// Why it can't be made, in words.
pub async fn made_aside<T, E>(make: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    E: Display + Send + 'static,
{
    match tokio::task::spawn_blocking(make).await {
        Ok(made) => made.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
