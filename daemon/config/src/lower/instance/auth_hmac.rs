//! `auth_hmac { … }` of an instance: what goes with it.

use std::time::Duration;

use crate::diagnostics::Diagnostic;
use crate::model::{AntiReplay, AuthHmac, Authentication, ConfigFault, HmacMode};
use crate::preprocess::Context;
use crate::schema::instance::auth::HmacDraft;

/// Bounds of the time window that comes of the `advert_int`, in seconds.
const WINDOW: (u64, u64) = (5, 300);

/// What is known when an instance is settled: the block goes with nothing else, and must have its key.
pub(super) fn resolve(
    draft: Option<Box<HmacDraft>>,
    authentication: &mut Authentication,
    (advert_int, strict): (Duration, bool),
    context: &mut Context,
) -> Result<Option<Box<AuthHmac>>, ConfigFault> {
    let Some(draft) = draft else { return Ok(None) };
    let HmacDraft { at, keys, active_key, time_window, monotonic, mode } = *draft;
    if *authentication != Authentication::None {
        let message = "`auth_hmac` does not go with `authentication`";
        context.report(Diagnostic::error("conflict", message).at(at, "only `auth_hmac` counts"));
        *authentication = Authentication::None;
    }
    let Some((active_key, _)) = active_key.filter(|(id, _)| keys.iter().any(|key| key.id == *id)) else {
        let message = match active_key {
            Some((id, _)) => format!("the `active_key` {id} is no `key` of `auth_hmac`"),
            None => "`auth_hmac` has no `active_key`".to_owned(),
        };
        let at = active_key.map_or(at, |(_, at)| at);
        let diagnostic = Diagnostic::error("missing-part", message);
        context.report(diagnostic.at(at, "this instance stays in FAULT: its adverts could not be signed"));
        return Err(ConfigFault::HmacWithoutKey);
    };
    let mode = match mode {
        Some((mode, at)) if strict && mode != HmacMode::Enforce => {
            let message = "strict mode wants `mode enforce`";
            context.report(Diagnostic::error("strict", message).at(at, "enforce is used"));
            HmacMode::Enforce
        }
        mode => mode.map_or(HmacMode::default(), |(mode, _)| mode),
    };
    let anti_replay = if monotonic {
        AntiReplay::Monotonic
    } else {
        let usual = Duration::from_secs((3 * advert_int.as_secs()).clamp(WINDOW.0, WINDOW.1));
        AntiReplay::Time(time_window.unwrap_or(usual))
    };
    Ok(Some(Box::new(AuthHmac { keys, active_key, anti_replay, mode })))
}
