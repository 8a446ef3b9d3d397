//! What stands outside of keywords: lines that the preprocessor takes, and what it puts in. For people; the preprocessor
//! itself says how each is read.

/// A piece of the language that is no keyword of a block.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// How it is written.
    pub syntax: &'static str,
    /// What one may ask for it by; a name that ends with `…` stands for everything that begins so.
    pub names: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
    /// How it is written.
    pub example: &'static str,
}

const fn directive(
    syntax: &'static str,
    names: &'static [&'static str],
    help: &'static str,
    example: &'static str,
) -> Directive {
    Directive { syntax, names, help, example }
}

/// All of them.
pub const DIRECTIVES: &[Directive] = &[
    directive(
        "# TEXT, ! TEXT",
        &["#", "!"],
        "A comment, to the end of the line.",
        "priority 100 # the better router",
    ),
    directive(
        "include PATTERN",
        &["include"],
        "Reads other files in its place; the pattern may have `*`, `?`, `[…]` and `{A,B}`, and is relative to the file that it stands in. What is missing is said and skipped, unless `include_check` says otherwise.",
        "include conf.d/*.conf",
    ),
    directive(
        "includer PATTERN",
        &["includer"],
        "`include` of files that must be readable.",
        "includer conf.d/*.conf",
    ),
    directive(
        "includem PATTERN",
        &["includem"],
        "`include` of files that must be readable and, where named without wildcards, be there.",
        "includem virtual-routers.conf",
    ),
    directive(
        "includew PATTERN",
        &["includew"],
        "`include` of files that must be readable, where wildcards must match something.",
        "includew conf.d/*.conf",
    ),
    directive(
        "includeb PATTERN",
        &["includeb"],
        "`include` of files that must be readable, where each alternative in braces must match something.",
        "includeb {routers,servers}.conf",
    ),
    directive(
        "includea PATTERN",
        &["includea"],
        "`include` with all of these conditions.",
        "includea {routers,servers}.conf",
    ),
    directive(
        "@ID LINE",
        &["@…"],
        "The line counts only for the configuration id ID: that of `-i`, else the host's name without its domain. `@^ID` counts for every other one.",
        "@director1 priority 150",
    ),
    directive(
        "${_NAME}",
        &["${_…", "$_…", "_PWD", "_INSTANCE", "_RANDOM", "_ENV", "_HASH", "_BANG"],
        "A definition that is built in: `${_PWD}` the directory of the file, `${_INSTANCE}` the configuration id, `${_RANDOM MIN MAX}` a number, `${_ENV NAME}` a variable of the environment, `${_HASH}` and `${_BANG}` the characters `#` and `!`.",
        "router_id ${_INSTANCE}",
    ),
    directive(
        "$NAME=TEXT",
        &["$…"],
        "Defines a name; `$NAME` or `${NAME}` stands for the text from there on. A `\\` at the end of the line goes on with the next.",
        "$LAN=eth0\nvrrp_instance VI_1 {\n    interface $LAN",
    ),
    directive(
        "~SEQ(NAME, [FIRST,] [STEP,] LAST) LINE",
        &["~SEQ", "~SEQx", "~SEQ…"],
        "The line once for each number, which `$NAME` stands for; `~SEQx` counts in hexadecimal. Several on a line are combined.",
        "~SEQ(N, 1, 9) 10.1.0.$N",
    ),
    directive(
        "~LST(NAME, VALUE, …) LINE",
        &["~LST", "~LST…"],
        "The line once for each value, which `$NAME` stands for; `~LST({A, B}, {1, 2}, {3, 4})` sets several names at once.",
        "~LST(IF, eth0, eth1) $IF weight 5",
    ),
];

/// The piece of the language that this names.
pub fn directive_of(name: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|directive| {
        directive.names.iter().any(|known| match known.strip_suffix('…') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *known,
        })
    })
}
