//! `regex` of a URL: what the body of a page must, or must not, hold.

use serde::{Deserialize, Serialize};

use crate::Name;

/// The pattern of a `url`, with the keywords that go with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRegex {
    /// `regex`: the pattern, in the language of PCRE2.
    pub pattern: Name,
    /// `regex_options`, each once, in the order of [`RegexOption::NAMES`].
    pub options: Vec<RegexOption>,
    /// `regex_no_match`: a match is a failure.
    pub no_match: bool,
    /// `regex_min_offset`: the first byte where a match may begin; 0 unless given.
    pub min_offset: u64,
    /// `regex_max_offset`: the last byte where a match may begin; anywhere unless given.
    pub max_offset: Option<u64>,
    /// `regex_stack`: the pattern uses the matcher's own stack, of the greatest sizes that any URL asks for.
    pub stack: Option<MatcherStack>,
}

/// Sizes of the stack of compiled patterns (PCRE2's JIT), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatcherStack {
    /// To begin with.
    pub start: u64,
    /// At most; never less than `start`.
    pub max: u64,
}

/// An option of PCRE2's `pcre2_compile`; the names are PCRE2's in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // Each is what pcre2api(3) says of its name.
pub enum RegexOption {
    AllowEmptyClass,
    AltBsux,
    AutoCallout,
    Caseless,
    DollarEndonly,
    Dotall,
    Dupnames,
    Extended,
    Firstline,
    MatchUnsetBackref,
    Multiline,
    NeverUcp,
    NeverUtf,
    NoAutoCapture,
    NoAutoPossess,
    NoDotstarAnchor,
    NoStartOptimize,
    Ucp,
    Ungreedy,
    Utf,
    NeverBackslashC,
    AltCircumflex,
    AltVerbnames,
    UseOffsetLimit,
}

impl RegexOption {
    /// Every option with its name.
    pub const NAMES: &[(&str, Self)] = &[
        ("allow_empty_class", Self::AllowEmptyClass),
        ("alt_bsux", Self::AltBsux),
        ("auto_callout", Self::AutoCallout),
        ("caseless", Self::Caseless),
        ("dollar_endonly", Self::DollarEndonly),
        ("dotall", Self::Dotall),
        ("dupnames", Self::Dupnames),
        ("extended", Self::Extended),
        ("firstline", Self::Firstline),
        ("match_unset_backref", Self::MatchUnsetBackref),
        ("multiline", Self::Multiline),
        ("never_ucp", Self::NeverUcp),
        ("never_utf", Self::NeverUtf),
        ("no_auto_capture", Self::NoAutoCapture),
        ("no_auto_possess", Self::NoAutoPossess),
        ("no_dotstar_anchor", Self::NoDotstarAnchor),
        ("no_start_optimize", Self::NoStartOptimize),
        ("ucp", Self::Ucp),
        ("ungreedy", Self::Ungreedy),
        ("utf", Self::Utf),
        ("never_backslash_c", Self::NeverBackslashC),
        ("alt_circumflex", Self::AltCircumflex),
        ("alt_verbnames", Self::AltVerbnames),
        ("use_offset_limit", Self::UseOffsetLimit),
    ];
}
