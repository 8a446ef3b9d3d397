//! The schema: one table of every keyword, for each block where it may stand.
//!
//! Parser, value checks, "did you mean", `keepwatch explain`, the reference page and the coverage test all read this
//! table and nothing else. In blocks that say what their keywords do (`entry`), the reader is the table too. Every
//! keyword acts, or says that it has no effect (`replaced_by` nothing).

pub(crate) mod bfd;
mod blocks;
pub(crate) mod bounds;
pub(crate) mod checkers;
mod compose;
mod deliveries;
mod directives;
mod entry;
pub(crate) mod global;
pub(crate) mod groups;
pub(crate) mod instance;
pub(crate) mod lines;
mod notify;
pub(crate) mod observability;
mod root;
pub(crate) mod servers;
pub(crate) mod static_entries;
pub(crate) mod timing;
pub(crate) mod track;

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

pub use blocks::BlockId;
pub use directives::{DIRECTIVES, Directive, directive_of};
use entry::keywords_of;
pub use lines::LineOption;

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any word.
    Word,
    /// A word of at most so many bytes.
    Limited(usize),
    /// Name of a network interface: at most 15 bytes.
    Interface,
    /// A whole number within bounds, decimal.
    Int(i64, i64),
    /// Seconds with up to six decimals; bounds in microseconds.
    Seconds(u64, u64),
    /// Milliseconds with up to three decimals; bounds in microseconds.
    Millis(u64, u64),
    /// `on`, `off`, `true`, `false`, `yes`, `no`.
    Bool,
    /// An IPv4 or IPv6 address; what stands after a `/` or `-` is passed over, as keepalived does.
    Host,
    /// An IPv4 address.
    Address4,
    /// An IPv6 address.
    Address6,
    /// A multicast address, IPv4 or IPv6.
    Multicast,
    /// A multicast address of IPv4.
    Multicast4,
    /// A multicast address of IPv6.
    Multicast6,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, in upper or lower case.
    ChoiceNoCase(&'static [&'static str]),
    /// A command with arguments, then optionally user and group.
    Script,
    /// A pattern: one word, in quotes if need be, with escapes.
    Pattern,
    /// A number or, for IPv4, a netmask: of clients that count as one.
    Granularity,
    /// 32 hexadecimal digits.
    Digest,
    /// A status code of HTTP, or `FROM-TO`.
    Status,
    /// Bytes in hexadecimal; with `X` for any digit if so.
    Hex(bool),
    /// Options with values; checked where they are used.
    Options(&'static str),
}

/// How often a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Once.
    One,
    /// Once or not at all.
    Optional,
    /// Any number of times, also none.
    Any,
    /// Once or more.
    Some,
}

/// A value of a keyword.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arg {
    /// What it is called in help texts.
    pub name: &'static str,
    /// What it must look like.
    pub kind: Kind,
    /// How often.
    pub need: Need,
    /// Nobody may be shown it, whatever is wrong with it.
    pub secret: bool,
}

impl Arg {
    const fn new(name: &'static str, kind: Kind, need: Need) -> Self {
        Self { name, kind, need, secret: false }
    }

    /// Nobody may be shown it.
    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// What a keyword means that was given in this block before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The later one takes its place, of which keepalived says nothing: a warning, if it has a value. What is in the braces of
    /// several is as if it stood in one.
    Replaces,
    /// The later one takes its place, which is a mistake to keepalived too.
    LastCounts,
    /// The later one is left out, which is a mistake to keepalived too.
    FirstCounts,
    /// One more of its kind.
    Adds,
}

/// What follows a keyword's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    None,
    /// `{ … }` with keywords.
    Block(BlockId),
    /// `{ … }` with lines of this form.
    Lines(&'static str),
}

/// A keyword in one block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keyword {
    /// Its name.
    pub name: &'static str,
    /// Other names that are as good.
    pub aliases: &'static [&'static str],
    /// Old or misspelt names that are understood.
    pub old: &'static [&'static str],
    /// Its values.
    pub args: &'static [Arg],
    /// What follows them.
    pub body: Body,
    /// The options that its lines may have, for lines that iproute2 would read so.
    pub options: &'static [LineOption],
    /// What holds when it is not written.
    pub default: &'static str,
    /// Version of keepalived that brought it, when known.
    pub since: &'static str,
    /// What it does, in a sentence.
    pub help: &'static str,
    /// How it is written.
    pub example: &'static str,
    /// What a second one in a block means.
    pub again: Again,
    /// A word too many makes the line void; elsewhere it is only said to have no effect.
    pub exact: bool,
    /// Of a whole number out of range the nearest that is in it counts; elsewhere the line has no effect.
    pub nearest: bool,
    /// What to use in place of it; it is accepted without effect or with the effect of that.
    pub replaced_by: &'static str,
    /// It does what it always did, although something has replaced it.
    pub still_acts: bool,
}

/// A keyword with values.
pub(crate) const fn kw(name: &'static str, args: &'static [Arg], help: &'static str) -> Keyword {
    Keyword {
        name,
        aliases: &[],
        old: &[],
        args,
        body: Body::None,
        options: &[],
        default: "",
        since: "",
        help,
        example: "",
        again: Again::Replaces,
        exact: false,
        nearest: false,
        replaced_by: "",
        still_acts: false,
    }
}

/// A keyword that stands alone.
pub(crate) const fn flag(name: &'static str, help: &'static str) -> Keyword {
    kw(name, &[], help)
}

/// A keyword that stands alone or with a boolean.
pub(crate) const fn switch(name: &'static str, help: &'static str) -> Keyword {
    const ARGS: &[Arg] = &[opt("BOOL", Kind::Bool)];
    kw(name, ARGS, help)
}

/// A keyword with a command.
pub(crate) const fn script(name: &'static str, help: &'static str) -> Keyword {
    const ARGS: &[Arg] = &[one("COMMAND [USER [GROUP]]", Kind::Script)];
    kw(name, ARGS, help)
}

impl Keyword {
    pub(crate) const EMPTY: Self = flag("", "");

    pub(crate) const fn block(mut self, id: BlockId) -> Self {
        self.body = Body::Block(id);
        self
    }
    pub(crate) const fn lines(mut self, form: &'static str) -> Self {
        self.body = Body::Lines(form);
        self
    }
    pub(crate) const fn options(mut self, options: &'static [LineOption]) -> Self {
        self.options = options;
        self
    }
    pub(crate) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
    pub(crate) const fn old(mut self, old: &'static [&'static str]) -> Self {
        self.old = old;
        self
    }
    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }
    pub(crate) const fn since(mut self, since: &'static str) -> Self {
        self.since = since;
        self
    }
    pub(crate) const fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }
    pub(crate) const fn repeats(mut self) -> Self {
        self.again = Again::Adds;
        self
    }
    pub(crate) const fn first_counts(mut self) -> Self {
        self.again = Again::FirstCounts;
        self
    }
    pub(crate) const fn exact(mut self) -> Self {
        self.exact = true;
        self
    }
    pub(crate) const fn nearest(mut self) -> Self {
        self.nearest = true;
        self
    }
    pub(crate) const fn last_counts(mut self) -> Self {
        self.again = Again::LastCounts;
        self
    }
    pub(crate) const fn superseded_by(mut self, by: &'static str) -> Self {
        self.still_acts = true;
        self.replaced_by(by)
    }
    pub(crate) const fn replaced_by(mut self, by: &'static str) -> Self {
        self.replaced_by = by;
        self
    }

    /// Is its value read with quotes and escapes?
    pub fn is_quoted(&self) -> bool {
        matches!(self.args.first(), Some(Arg { kind: Kind::Script | Kind::Pattern, .. }))
    }

    /// Is one of its values a secret?
    pub(crate) fn has_secret(&self) -> bool {
        self.args.iter().any(|arg| arg.secret)
    }

    /// How many values it takes at most.
    pub(crate) fn most_values(&self) -> usize {
        let of = |arg: &Arg| match (arg.kind, arg.need) {
            (Kind::Script | Kind::Options(_), _) | (_, Need::Any | Need::Some) => usize::MAX,
            (_, Need::One | Need::Optional) => 1,
        };
        self.args.iter().map(of).fold(0, usize::saturating_add)
    }

    /// Every name that it is known by, its own first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied()).chain(self.old.iter().copied())
    }

    /// How it is written, e.g. `priority PRIORITY`.
    pub fn syntax(&self) -> String {
        let mut text = self.name.to_owned();
        for arg in self.args {
            let name = arg.name;
            text.push_str(&match arg.need {
                Need::One => format!(" {name}"),
                Need::Optional => format!(" [{name}]"),
                Need::Any => format!(" [{name} …]"),
                Need::Some => format!(" {name} …"),
            });
        }
        match self.body {
            Body::None => {}
            Body::Block(_) => text.push_str(" { … }"),
            Body::Lines(form) => {
                text.push_str(" { ");
                text.push_str(form);
                text.push_str(" }");
            }
        }
        text
    }
}

pub(crate) const fn one(name: &'static str, kind: Kind) -> Arg {
    Arg::new(name, kind, Need::One)
}
pub(crate) const fn opt(name: &'static str, kind: Kind) -> Arg {
    Arg::new(name, kind, Need::Optional)
}
pub(crate) const fn any(name: &'static str, kind: Kind) -> Arg {
    Arg::new(name, kind, Need::Any)
}
pub(crate) const fn some(name: &'static str, kind: Kind) -> Arg {
    Arg::new(name, kind, Need::Some)
}

/// The keywords of a block.
pub fn keywords(block: BlockId) -> &'static [Keyword] {
    match block {
        BlockId::Root => root::ROOT,
        BlockId::Global => global::GLOBAL,
        BlockId::Observability => keywords_of!(observability::OBSERVABILITY),
        BlockId::History => keywords_of!(observability::HISTORY),
        BlockId::Otlp => keywords_of!(deliveries::OTLP),
        BlockId::Webhook => keywords_of!(deliveries::WEBHOOK),
        BlockId::Mail => keywords_of!(deliveries::MAIL),
        BlockId::StaticTrackGroup => keywords_of!(groups::STATIC_TRACK_GROUP),
        BlockId::GarpGroup => keywords_of!(groups::GARP_GROUP),
        BlockId::SyncGroup => groups::SYNC_GROUP,
        BlockId::Instance => instance::INSTANCE,
        BlockId::Authentication => keywords_of!(instance::auth::AUTHENTICATION),
        BlockId::AuthHmac => keywords_of!(instance::auth::AUTH_HMAC),
        BlockId::VrrpScript => keywords_of!(track::script::VRRP_SCRIPT),
        BlockId::TrackFile => keywords_of!(track::file::TRACK_FILE),
        BlockId::TrackProcess => keywords_of!(track::process::TRACK_PROCESS),
        BlockId::Bfd => keywords_of!(bfd::BFD),
        BlockId::Ssl => keywords_of!(servers::SSL),
        BlockId::VirtualServer => servers::VIRTUAL_SERVER,
        BlockId::RealServer => servers::REAL_SERVER,
        BlockId::TcpCheck => checkers::TCP_CHECK,
        BlockId::HttpGet => checkers::http::HTTP_GET,
        BlockId::Url => checkers::url::HTTP_URL,
        BlockId::SslGet => checkers::http::SSL_GET,
        BlockId::SslUrl => checkers::url::SSL_URL,
        BlockId::SmtpCheck => checkers::SMTP_CHECK,
        BlockId::SmtpHost => checkers::SMTP_HOST,
        BlockId::DnsCheck => checkers::DNS_CHECK,
        BlockId::MiscCheck => checkers::MISC_CHECK,
        BlockId::PingCheck => checkers::PING_CHECK,
        BlockId::UdpCheck => checkers::UDP_CHECK,
        BlockId::FileCheck => keywords_of!(checkers::FILE_CHECK),
        BlockId::BfdCheck => keywords_of!(checkers::BFD_CHECK),
    }
}

/// What a name found in a block is.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The keyword.
    pub keyword: &'static Keyword,
    /// It was written in an old spelling.
    pub old_spelling: bool,
}

/// The keyword of this name in a block.
pub fn find(block: BlockId, name: &str) -> Option<Found> {
    static INDEX: OnceLock<HashMap<(BlockId, &'static str), Found>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let mut index = HashMap::new();
        for block in BlockId::ALL {
            for keyword in keywords(*block) {
                for name in keyword.names() {
                    let old_spelling = keyword.old.contains(&name);
                    index.insert((*block, name), Found { keyword, old_spelling });
                }
            }
        }
        index
    });
    index.get(&(block, name)).copied()
}

/// Is this, in lower case, a part of the name of some keyword, as `lb` is of `lb_algo`?
pub(crate) fn is_part(text: &str) -> bool {
    static PARTS: OnceLock<HashSet<String>> = OnceLock::new();
    let parts = PARTS.get_or_init(|| {
        let names = BlockId::ALL.iter().flat_map(|block| keywords(*block)).flat_map(Keyword::names);
        names.flat_map(|name| name.split('_')).map(str::to_ascii_lowercase).collect()
    });
    parts.contains(text)
}

/// Every block in which this name is a keyword.
pub fn blocks_with(name: &str) -> &'static [BlockId] {
    static INDEX: OnceLock<HashMap<&'static str, Vec<BlockId>>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let mut index: HashMap<&'static str, Vec<BlockId>> = HashMap::new();
        for block in BlockId::ALL {
            for name in keywords(*block).iter().flat_map(Keyword::names) {
                index.entry(name).or_default().push(*block);
            }
        }
        index
    });
    index.get(name).map_or(&[], Vec::as_slice)
}
