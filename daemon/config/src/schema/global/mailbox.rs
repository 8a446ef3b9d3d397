//! Addresses of mail, with or without a name: `USER@HOST`, `USER`, `NAME <USER@HOST>`.
//!
//! keepalived takes every word for an address. Here the words before `<…>` are a name; words that seem to be a name and
//! stand before or behind another address are an error where they stand: nobody gets mail whose address was made up from
//! a name. A line of words alone names users, as with keepalived.

use crate::diagnostics::Diagnostic;
use crate::model::Name;
use crate::preprocess::Context;
use crate::source::Span;
use crate::words::Word;

/// The mailboxes in the words of a line, each as RFC 5322 (section 3.4) writes it; what is none is reported.
pub(super) fn mailboxes(words: &[Word], context: &mut Context) -> Vec<Name> {
    let mut found = Vec::new();
    let mut reader = Reader { names: Vec::new() };
    for (index, word) in words.iter().enumerate() {
        let named = words.get(index + 1).is_some_and(|next| next.text.starts_with('<'));
        if word.text.starts_with('[') || word.text.ends_with(']') && !word.text.contains("@[") {
            doubt_web_page(word, context);
        } else if let Some((before, address)) = word.text.split_once('<') {
            found.extend(reader.named(before, address, word, context));
        } else if word.text.contains('@') && !named {
            reader.no_names(context);
            found.extend(address(word, context));
        } else {
            reader.names.push(word);
        }
    }
    // The last word may be a user; more of them behind an address are a name that is out of place.
    if reader.names.len() > 1 && words.iter().any(|word| word.text.contains(['@', '<'])) {
        reader.no_names(context);
    }
    if let [first, .., last] = &*reader.names
        && (reader.names.iter().all(|word| is_like_a_name(&word.text))
            || reader.names.iter().any(|word| is_of_an_address(&word.text)))
    {
        doubt_users(&reader.names, first.span.to(last.span), context);
    }
    found.extend(reader.names.iter().map(|user| Name::from(&*user.text)));
    found
}

struct Reader<'a> {
    /// Words that may be a name, if an address in angle brackets follows.
    names: Vec<&'a Word>,
}

impl Reader<'_> {
    /// `NAME <ADDRESS>`: the name's words are those before, and `before`, which stands in the same word.
    fn named(&mut self, before: &str, address: &str, word: &Word, context: &mut Context) -> Option<Name> {
        let names = std::mem::take(&mut self.names);
        let begin = names.first().map_or(word.span, |first| first.span);
        let Some(address) = address.strip_suffix('>').filter(|address| is_address(address)) else {
            no_address(&format!("<{address}"), begin.to(word.span), context);
            return None;
        };
        let parts = names.iter().map(|name| name.text.trim()).chain([before.trim()]);
        let name: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        Some(written(&name.join(" "), address).into())
    }

    /// No address in angle brackets follows: they name nobody.
    fn no_names(&mut self, context: &mut Context) {
        let names = std::mem::take(&mut self.names);
        if let (Some(first), Some(last)) = (names.first(), names.last()) {
            let text: Vec<&str> = names.iter().map(|name| &*name.text).collect();
            no_address(&text.join(" "), first.span.to(last.span), context);
        }
    }
}

/// A word that should be an address by itself.
fn address(word: &Word, context: &mut Context) -> Option<Name> {
    if is_address(&word.text) {
        return Some((*word.text).into());
    }
    no_address(&word.text, word.span, context);
    None
}

fn no_address(text: &str, span: Span, context: &mut Context) {
    context.report(
        Diagnostic::error("invalid-value", format!("`{text}` is no mail address"))
            .at(span, "nobody gets mail by it")
            .help("write `USER@HOST`, or `NAME <USER@HOST>` on a line of its own"),
    );
}

/// A capital and small letters, as in `Night`: no user is called so.
fn is_like_a_name(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase)
        && letters.as_str().len() > 1
        && letters.all(|letter| letter.is_lowercase() || "-.'".contains(letter))
}

/// A host, or what stands for the `@` where somebody hides an address from programs: `ops at example.com`.
fn is_of_an_address(word: &str) -> bool {
    word.eq_ignore_ascii_case("at") || word.trim_matches('.').contains('.')
}

/// Several words, and no address among them: users, or the name of somebody whose address is missing.
fn doubt_users(users: &[&Word], span: Span, context: &mut Context) {
    let text: Vec<&str> = users.iter().map(|user| &*user.text).collect();
    let message = format!("`{}` is read as {} users, each of whom gets mail", text.join(" "), users.len());
    context.report(
        Diagnostic::warning("invalid-value", message)
            .at(span, "words without an address")
            .help("write a name as `NAME <USER@HOST>`, and users on a line each"),
    );
}

/// What web pages make of an address of mail is none.
fn doubt_web_page(word: &Word, context: &mut Context) {
    let message = format!("`{}` is no mail address", word.text);
    context.report(Diagnostic::warning("invalid-value", message).at(word.span, "expected `USER@HOST`"));
}

/// `USER@HOST`, `USER@[ADDRESS]` or the name of a user. What else the mail server takes is its own affair; what would
/// break out of its command is no address.
fn is_address(text: &str) -> bool {
    let (user, host) = match text.rsplit_once('@') {
        Some((user, host)) => (user, Some(host)),
        None => (text, None),
    };
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "<>,;:\"()[]\\".contains(c);
    let literal =
        |host: &str| host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
    let good_host = |host: &str| match literal(host) {
        Some(literal) => {
            !literal.is_empty() && literal.chars().all(|c| c.is_ascii_alphanumeric() || ":.".contains(c))
        }
        None => !host.is_empty() && !host.contains(forbidden),
    };
    !user.is_empty() && !user.contains(forbidden) && host.is_none_or(good_host)
}

/// A name of other than words of letters and digits is quoted.
fn written(name: &str, address: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || !c.is_ascii() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    if name.is_empty() {
        address.to_owned()
    } else if name.chars().all(plain) {
        format!("{name} <{address}>")
    } else {
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\" <{address}>")
    }
}
