//! The names that are always there: `${_PWD}`, `${_INSTANCE}`, `${_RANDOM MIN MAX}`, `${_ENV NAME}`, `${_HASH}` and
//! `${_BANG}`.

use std::collections::HashMap;

use super::define::{Definition, Use};
use super::{Context, Reader};
use crate::diagnostics::Diagnostic;
use crate::source::Span;

/// The largest number of `${_RANDOM}` unless one is given.
const MOST_RANDOM: u64 = 32767;

/// The names that are always there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Built {
    Pwd,
    Instance,
    Random,
    Env,
    Hash,
    Bang,
}

/// The names that are always there.
pub(super) fn predefined() -> HashMap<Box<str>, Definition> {
    [
        ("_PWD", Built::Pwd),
        ("_INSTANCE", Built::Instance),
        ("_RANDOM", Built::Random),
        ("_ENV", Built::Env),
        ("_HASH", Built::Hash),
        ("_BANG", Built::Bang),
    ]
    .into_iter()
    .map(|(name, built)| (name.into(), Definition::Built(built)))
    .collect()
}

/// A seed that differs from run to run.
pub(crate) fn random_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |elapsed| elapsed.as_nanos() as u64)
}

/// The numbers of `${_RANDOM}`: splitmix64, repeatable with `random_seed`.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn within(&mut self, least: u64, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        match (most - least).checked_add(1) {
            Some(size) => least + mixed % size,
            None => mixed,
        }
    }
}

impl Reader {
    /// What a name that is always there stands for in this place.
    pub(super) fn built(
        &mut self,
        built: Built,
        usage: &Use<'_>,
        span: Span,
        context: &mut Context,
    ) -> String {
        match (built, usage.parameters.as_slice()) {
            (Built::Hash, []) => "#".into(),
            (Built::Bang, []) => "!".into(),
            (Built::Instance, []) => self.settings.config_id.clone().unwrap_or_default(),
            (Built::Pwd, []) => self.directory().display().to_string(),
            (Built::Env, [name]) if self.settings.environment => {
                std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
            }
            (Built::Env, [_]) => String::new(),
            (Built::Env, []) => {
                bad_use(span, "`${_ENV}` needs the name of a variable", "no name here", context)
            }
            (Built::Random, bounds @ ([] | [_] | [_, _])) => {
                let bound = |index: usize, default: u64| match bounds.get(index) {
                    None => Some(default),
                    Some(text) => text.parse::<u64>().ok(),
                };
                match (bound(0, 0), bound(1, MOST_RANDOM)) {
                    (Some(least), Some(most)) if least <= most => self.random.within(least, most).to_string(),
                    (Some(least), Some(most)) => {
                        let message = format!("`${{_RANDOM}}`: {least} is above {most}");
                        bad_use(span, &message, &format!("{least} is taken"), context);
                        least.to_string()
                    }
                    _ => bad_use(
                        span,
                        "`${_RANDOM MIN MAX}` needs whole numbers",
                        "this is none that fits into 64 bits",
                        context,
                    ),
                }
            }
            (Built::Hash | Built::Bang | Built::Instance | Built::Pwd | Built::Env | Built::Random, _) => {
                let message = format!("too many parameters for `${{{}}}`", usage.name);
                bad_use(span, &message, "written with what it does not take", context)
            }
        }
    }
}

/// Says what is wrong with the use of a name; nothing stands in its place.
fn bad_use(span: Span, message: &str, label: &str, context: &mut Context) -> String {
    context.spoil(Diagnostic::error("bad-definition", message).at(span, label));
    String::new()
}
