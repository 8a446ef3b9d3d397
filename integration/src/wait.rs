//! Waiting for things to come true, with a limit and a message that says what did not.

use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// A limit for what should be quick, on a machine that is busy.
pub const SHORT: Duration = Duration::from_secs(10);
/// A limit for what takes a start of daemons or some protocol rounds, on a machine that is busy.
pub const LONG: Duration = Duration::from_secs(30);
/// How many times as long as its limit a wait may take, in the environment: for tests that run in a virtual machine.
pub(crate) const PATIENCE: &str = "KEEPWATCH_TEST_PATIENCE";
/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(10);

/// Waits until `true`.
///
/// # Errors
/// When `limit` has passed; the message has `what` in it, a sentence.
pub fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
    value(what, limit, || holds().then_some(()))
}

/// Waits until there is a value, and returns it.
///
/// # Errors
/// When `limit` has passed; the message has `what` in it, a sentence.
pub fn value<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let patience = env::var(PATIENCE).ok().and_then(|given| given.parse().ok()).unwrap_or(1_u32);
    let (began, limit) = (Instant::now(), limit * patience);
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if began.elapsed() > limit {
            bail!("waited {} s in vain until {what}", limit.as_secs_f64());
        }
        sleep(PACE);
    }
}

/// Watches for `span` that `holds` stays true.
///
/// # Errors
/// At once when it is false; the message has `what` in it, a sentence.
pub fn throughout(what: &str, span: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < span {
        if !holds() {
            bail!("{:.3} s after the start it was no longer so that {what}", began.elapsed().as_secs_f64());
        }
        sleep(PACE);
    }
    Ok(())
}
