//! The schema as text for people: one keyword explained, and the reference page of the whole language.

use std::fmt::Write;

use crate::schema::{self, BlockId, Body, DIRECTIVES, Directive, Kind, LineOption, Need, directive_of};
use crate::spelling::slips;

/// What a keyword, or another piece of the language, is, wherever it may stand; `None` when there is no such thing.
pub fn explain(name: &str) -> Option<String> {
    let mut text = String::new();
    let mut done: Vec<(&str, &str, &str)> = Vec::new();
    for block in schema::blocks_with(name).iter().copied() {
        let Some(found) = schema::find(block, name) else { continue };
        let keyword = found.keyword;
        let identity = (keyword.name, keyword.help, keyword.default);
        if done.contains(&identity) {
            continue;
        }
        done.push(identity);
        let same = schema::blocks_with(name).iter().copied().filter(|other| {
            schema::find(*other, name).is_some_and(|found| {
                (found.keyword.name, found.keyword.help, found.keyword.default) == identity
            })
        });
        let places: Vec<BlockId> = same.collect();
        if !text.is_empty() {
            text.push('\n');
        }
        one(&mut text, keyword, name, &places);
    }
    if text.is_empty() {
        text = directive_of(name).map(directive).unwrap_or_default();
    }
    options(&mut text, name);
    (!text.is_empty()).then_some(text)
}

/// What there is to ask for.
pub fn overview() -> String {
    let mut text = String::from(
        "keepwatch explain KEYWORD says what a keyword means, what it takes, its default and where it stands.\n\n\
         At the top level:\n",
    );
    let entries = schema::keywords(BlockId::Root).iter();
    list(&mut text, entries.map(|keyword| (keyword.name, keyword.help)));
    text.push_str("\nAnywhere:\n");
    list(&mut text, DIRECTIVES.iter().map(|directive| (directive.syntax, directive.help)));
    text
}

/// Names with what each is, one below the other.
fn list<'a>(text: &mut String, entries: impl Iterator<Item = (&'a str, &'a str)> + Clone) {
    const WIDEST: usize = 26;
    let width = entries.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(WIDEST);
    for (name, help) in entries {
        // Of long help the first sentence is enough here.
        let first = help.split_once(". ").map_or(help, |(first, _)| first);
        let _ = writeln!(text, "    {name:width$}  {}", first.trim_end_matches('.'));
    }
}

fn directive(directive: &Directive) -> String {
    let mut text = format!("{}\n    {}\n    Stands in: any place\n", directive.syntax, directive.help);
    example(&mut text, directive.example);
    text
}

fn example(text: &mut String, example: &str) {
    if !example.is_empty() {
        text.push_str("    Example:\n");
        for line in example.lines() {
            let _ = writeln!(text, "        {line}");
        }
    }
}

/// Says of a word that stands in lines of some blocks, or after some keywords, where it does.
fn options(text: &mut String, name: &str) {
    let is_option = |form: &str| {
        let mut words = form.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
        // What is written in capitals stands for something else.
        name.bytes().any(|byte| byte.is_ascii_lowercase()) && words.any(|word| word == name)
    };
    let mut places: Vec<String> = Vec::new();
    for block in BlockId::ALL {
        for keyword in schema::keywords(*block) {
            let explained =
                |option: &'static LineOption| option.explained().map(move |(n, h)| (option, n, h));
            let mut all = keyword.options.iter().flat_map(explained);
            if let Some((option, _, help)) = all.find(|(_, known, _)| *known == name) {
                let written = option.written_as(name);
                places.push(format!("`{}` of {block}: {written}\n            {help}", keyword.name));
                continue;
            }
            let lines = matches!(keyword.body, Body::Lines(form) if is_option(form));
            if lines || keyword.args.iter().any(|arg| is_option(arg.name)) {
                let place = format!("`{}` of {block}: {}", keyword.name, keyword.syntax());
                places.push(place);
            }
        }
    }
    if places.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{name}\n    A word that may stand in");
    for place in places {
        let _ = writeln!(text, "        {place}");
    }
}

/// Keywords that a name may have been meant for, the nearest first.
pub fn similar(name: &str) -> Vec<&'static str> {
    /// What has the name as a part is further away than a slip of the pen.
    const PART: usize = 100;
    let lower = name.to_lowercase();
    let mut names: Vec<(usize, &'static str)> = BlockId::ALL
        .iter()
        .flat_map(|block| schema::keywords(*block))
        .flat_map(schema::Keyword::names)
        .chain(DIRECTIVES.iter().flat_map(|directive| directive.names).copied())
        .filter_map(|known| {
            let same = (known.to_lowercase() == lower).then_some(0);
            // Of those that have it as a part, short names come first.
            let is_part = !lower.is_empty() && known.to_lowercase().contains(&lower);
            let part = || is_part.then_some(PART + known.len());
            Some((same.or_else(|| slips(name, known).map(|slips| slips + 1)).or_else(part)?, known))
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    // The same in capitals is what was meant; and after a slip nobody means a part.
    let worst = match names.first() {
        Some((0, _)) => 0,
        Some((near, _)) if *near < PART => PART - 1,
        _ => usize::MAX,
    };
    names.into_iter().filter(|(far, _)| *far <= worst).map(|(_, known)| known).take(5).collect()
}

fn one(text: &mut String, keyword: &schema::Keyword, asked: &str, places: &[BlockId]) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", keyword.syntax());
    let _ = writeln!(text, "    {}", keyword.help);
    if keyword.name != asked {
        let old = if keyword.old.contains(&asked) { "an old" } else { "another" };
        let _ = writeln!(text, "    `{asked}` is {old} spelling of `{}`.", keyword.name);
    }
    let _ = writeln!(text, "    Type: {}", kind_of(keyword));
    let _ = writeln!(text, "    Default: {}", default_of(keyword));
    let titles: Vec<String> = places.iter().map(BlockId::to_string).collect();
    let _ = writeln!(text, "    Stands in: {}", titles.join(", "));
    let others: Vec<&str> = keyword.names().filter(|name| *name != keyword.name && *name != asked).collect();
    if !others.is_empty() {
        let _ = writeln!(text, "    Also spelt: {}", others.join(", "));
    }
    if !keyword.replaced_by.is_empty() {
        let _ = writeln!(text, "    Old; replaced by: {}", keyword.replaced_by);
    }
    if !keyword.since.is_empty() {
        let _ = writeln!(text, "    Since keepalived {}", keyword.since);
    }
    example(text, keyword.example);
    if !keyword.options.is_empty() {
        let _ = writeln!(text, "    Options of its lines:");
        let mut inside = String::new();
        let options: Vec<_> = keyword.options.iter().flat_map(LineOption::explained).collect();
        list(&mut inside, options.iter().map(|(name, help)| (*name, &**help)));
        inside.lines().for_each(|line| {
            let _ = writeln!(text, "    {line}");
        });
    }
    if let Body::Block(inner) = keyword.body {
        let _ = writeln!(text, "    In its braces:");
        let mut inside = String::new();
        list(&mut inside, schema::keywords(inner).iter().map(|keyword| (keyword.name, keyword.help)));
        for line in inside.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
}

/// What follows a keyword, in words.
fn kind_of(keyword: &schema::Keyword) -> String {
    let mut parts: Vec<String> = keyword
        .args
        .iter()
        .map(|arg| {
            let need = match arg.need {
                Need::One => "",
                Need::Optional => ", may be left out",
                Need::Any => ", any number of them",
                Need::Some => ", one or more",
            };
            let form = match arg.kind {
                Kind::Options(_) => "written so".into(),
                kind => form(kind).unwrap_or_else(|| "a word".into()),
            };
            format!("{} ({form}{need})", arg.name)
        })
        .collect();
    match keyword.body {
        Body::None if parts.is_empty() => parts.push("stands alone".into()),
        Body::None => {}
        Body::Block(_) => parts.push("a block of keywords".into()),
        Body::Lines(form) => parts.push(format!("a block of lines, each {form}")),
    }
    parts.join("; ")
}

/// What holds without a keyword, in words.
fn default_of(keyword: &schema::Keyword) -> &'static str {
    let switch = matches!(keyword.args, [schema::Arg { kind: Kind::Bool, need: Need::Optional, .. }]);
    match keyword.body {
        _ if !keyword.default.is_empty() => keyword.default,
        Body::None if keyword.args.is_empty() || switch => "off",
        Body::None | Body::Block(_) | Body::Lines(_) => "none",
    }
}

/// What a value looks like, in words.
fn form(kind: Kind) -> Option<String> {
    let seconds = |micros: u64, unit: f64| micros as f64 / unit;
    Some(match kind {
        Kind::Word | Kind::Options(_) => return None,
        Kind::Digest => "32 hexadecimal digits".into(),
        Kind::Status => "status code or range, 100 to 599".into(),
        Kind::Hex(false) => "bytes in hexadecimal".into(),
        Kind::Hex(true) => "bytes in hexadecimal, `X` for any digit".into(),
        Kind::Limited(most) => format!("at most {most} bytes"),
        Kind::Interface => "name of an interface, at most 15 bytes".into(),
        Kind::Int(least, most) => format!("whole number from {least} to {most}"),
        Kind::Seconds(least, most) => {
            format!("seconds from {} to {}, up to six decimals", seconds(least, 1e6), seconds(most, 1e6))
        }
        Kind::Millis(least, most) => {
            format!(
                "milliseconds from {} to {}, up to three decimals",
                seconds(least, 1e3),
                seconds(most, 1e3)
            )
        }
        Kind::Bool => "on, off, true, false, yes or no".into(),
        Kind::Host => "IPv4 or IPv6 address".into(),
        Kind::Address4 => "IPv4 address".into(),
        Kind::Address6 => "IPv6 address".into(),
        Kind::Multicast => "multicast address".into(),
        Kind::Multicast4 => "IPv4 multicast address".into(),
        Kind::Multicast6 => "IPv6 multicast address".into(),
        Kind::Choice(choices) | Kind::ChoiceNoCase(choices) => choices.join(", "),
        Kind::Script => "command with arguments in quotes, then user and group if need be".into(),
        Kind::Pattern => "one word, in quotes if it has blanks".into(),
        Kind::Granularity => "netmask, or a prefix length for IPv6".into(),
    })
}

/// The reference page of the language, in Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# keepalived.conf, as keepwatch understands it\n\n\
         This page is made from the schema; `cargo run -p keepwatch-config --bin keepwatch-reference` makes it again.\n\
         `keepwatch explain KEYWORD` says the same of one keyword.\n",
    );
    page.push_str("\n## Anywhere\n\n| written | meaning |\n|---|---|\n");
    for directive in DIRECTIVES {
        let _ = writeln!(page, "| `{}` | {} |", directive.syntax, directive.help);
    }
    for block in BlockId::ALL {
        let title = block.title();
        let heading = match block {
            BlockId::Root => "Top level".to_owned(),
            _ => format!("`{title}`"),
        };
        let _ = write!(page, "\n## {heading}\n\n");
        if *block != BlockId::Root {
            let parents: Vec<String> = BlockId::ALL
                .iter()
                .filter(|outer| schema::keywords(**outer).iter().any(|kw| kw.body == Body::Block(*block)))
                .map(BlockId::to_string)
                .collect();
            let _ = write!(page, "Stands in {}.\n\n", parents.join(", "));
        }
        page.push_str("| keyword | meaning | default |\n|---|---|---|\n");
        for keyword in schema::keywords(*block) {
            row(&mut page, keyword);
        }
    }
    lines(&mut page);
    page
}

/// What lines may say, each kind of them once.
fn lines(page: &mut String) {
    let all = || BlockId::ALL.iter().flat_map(|block| schema::keywords(*block));
    let mut done: Vec<&[LineOption]> = vec![&[]];
    for keyword in all() {
        if done.contains(&keyword.options) {
            continue;
        }
        done.push(keyword.options);
        let mut names: Vec<String> = Vec::new();
        for same in all().filter(|other| other.options == keyword.options) {
            let name = format!("`{}`", same.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let _ = write!(page, "\n## Lines of {}\n\n| option | meaning |\n|---|---|\n", names.join(", "));
        for option in keyword.options {
            let mut help = option.help.to_owned();
            if !option.aliases.is_empty() {
                let others: Vec<String> = option.aliases.iter().map(|name| format!("`{name}`")).collect();
                let _ = write!(help, " Also {}.", others.join(", "));
            }
            let written = option.written_as(option.name).replace('|', "\\|");
            let _ = writeln!(page, "| `{written}` | {} |", help.replace('|', "\\|"));
        }
    }
}

fn row(page: &mut String, keyword: &schema::Keyword) {
    let escape = |text: &str| text.replace('|', "\\|");
    let mut help = keyword.help.to_owned();
    let forms: Vec<String> =
        keyword.args.iter().filter_map(|arg| Some(format!("{}: {}", arg.name, form(arg.kind)?))).collect();
    if !forms.is_empty() {
        let _ = write!(help, " {}.", forms.join("; "));
    }
    let others: Vec<String> = keyword.names().skip(1).map(|name| format!("`{name}`")).collect();
    if !others.is_empty() {
        let _ = write!(help, " Also {}.", others.join(", "));
    }
    if !keyword.replaced_by.is_empty() {
        let _ = write!(help, " Old: replaced by {}.", keyword.replaced_by);
    }
    let _ = writeln!(
        page,
        "| `{}` | {} | {} |",
        escape(&keyword.syntax()),
        escape(&help),
        escape(keyword.default)
    );
}
