//! The commands in a line of shell, as far as they can be told without running it.

/// What a command of the line is within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Nothing,
    Parentheses,
    Backquotes,
}

/// Where the next word goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Redirect {
    None,
    Input,
    Output,
}

/// A command that is being read.
#[derive(Debug)]
struct Open {
    within: Within,
    words: Vec<Vec<u8>>,
    word: Option<Vec<u8>>,
    /// The quote that the word is in.
    quote: Option<u8>,
    redirect: Redirect,
}

impl Open {
    fn new(within: Within) -> Self {
        Self { within, words: Vec::new(), word: None, quote: None, redirect: Redirect::None }
    }

    fn push(&mut self, byte: u8) {
        self.word.get_or_insert_with(Vec::new).push(byte);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match std::mem::replace(&mut self.redirect, Redirect::None) {
            // A shell may be given its script so.
            Redirect::Input if !self.words.is_empty() => self.words.push(word),
            Redirect::Input | Redirect::Output => {}
            Redirect::None => self.words.push(word),
        }
    }

    fn end(&mut self, commands: &mut Vec<Vec<Vec<u8>>>) {
        self.end_word();
        self.redirect = Redirect::None;
        let words = std::mem::take(&mut self.words);
        let first = words.iter().position(|word| !goes_before_a_command(word)).unwrap_or(words.len());
        let words: Vec<_> = words.into_iter().skip(first).collect();
        if !words.is_empty() {
            commands.push(words);
        }
    }
}

/// The words of each command in a shell's text, without what is only redirected to, and without what stands before the
/// command: variables that are set for it, and the words of the shell's grammar.
pub(super) fn commands(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    let mut above: Vec<Open> = Vec::new();
    let mut now = Open::new(Within::Nothing);
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (now.quote, byte) {
            (Some(b'\''), b'\'') | (Some(b'"'), b'"') => now.quote = None,
            (Some(b'\''), _) => now.push(byte),
            (_, b'\\') => {
                if let Some(byte) = bytes.next().filter(|byte| *byte != b'\n') {
                    now.push(byte);
                }
            }
            (_, b'`') if now.within == Within::Backquotes => {
                now.end(&mut commands);
                now = above.pop().unwrap_or_else(|| Open::new(Within::Nothing));
            }
            (_, b'`') => {
                now.push(b'$');
                above.push(std::mem::replace(&mut now, Open::new(Within::Backquotes)));
            }
            (_, b'$') => {
                now.push(b'$');
                if bytes.next_if_eq(&b'(').is_some() {
                    above.push(std::mem::replace(&mut now, Open::new(Within::Parentheses)));
                }
            }
            (Some(_), _) => now.push(byte),
            (None, b'\'' | b'"') => {
                now.quote = Some(byte);
                now.word.get_or_insert_with(Vec::new);
            }
            (None, b'(') => above.push(std::mem::replace(&mut now, Open::new(Within::Parentheses))),
            (None, b')') => {
                now.end(&mut commands);
                if now.within == Within::Parentheses {
                    now = above.pop().unwrap_or_else(|| Open::new(Within::Nothing));
                }
            }
            (None, b'&') if bytes.next_if_eq(&b'>').is_some() => {
                now.end_word();
                now.redirect = Redirect::Output;
            }
            (None, b'<' | b'>') => {
                if now.word.as_ref().is_some_and(|word| word.iter().all(u8::is_ascii_digit)) {
                    now.word = None;
                }
                now.end_word();
                while bytes.next_if(|next| b"<>&|".contains(next)).is_some() {}
                now.redirect = if byte == b'<' { Redirect::Input } else { Redirect::Output };
            }
            (None, b';' | b'|' | b'&' | b'\n') => now.end(&mut commands),
            (None, b'#') if now.word.is_none() => while bytes.next_if(|next| *next != b'\n').is_some() {},
            (None, _) if byte.is_ascii_whitespace() => {
                now.end_word();
                if now.words.pop_if(|word| word == b"{").is_some() {
                    now.end(&mut commands);
                }
            }
            (None, _) => now.push(byte),
        }
    }
    // What is not closed may be run all the same.
    now.end(&mut commands);
    for mut open in above.into_iter().rev() {
        open.end(&mut commands);
    }
    commands
}

fn goes_before_a_command(word: &[u8]) -> bool {
    const GRAMMAR: &[&[u8]] = &[
        b"if", b"then", b"else", b"elif", b"while", b"until", b"do", b"!", b"{", b"time", b"exec",
        b"command", b"builtin",
    ];
    GRAMMAR.contains(&word) || super::commands::sets_a_variable(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_line_are_told_from_their_words() {
        for (text, expected) in [
            ("grep -q 1 /a", "grep -q 1 /a"),
            ("cd /; /a 'b c' && A=1 /d", "cd /|/a b c|/d"),
            ("if ! /a; then exec /b; fi", "/a|/b|fi"),
            ("echo x > /a 2>&1 2>>/b /c", "echo x /c"),
            ("/a&>/b &", "/a"),
            ("</a sh", "sh"),
            ("sh </a", "sh /a"),
            ("echo \"is $(cat /a) it\" /b `/c d` /e", "cat /a|/c d|echo is $ it /b $ /e"),
            ("(cd /; /a) | { /b; }", "cd /|/a|/b|}"),
            ("case $1 in a) /a;; esac", "case $1 in a|/a|esac"),
            ("/a # /b\n/c\\ d", "/a|/c d"),
            ("f() { /a; }", "f|/a|}"),
            ("echo \"$(/a", "/a|echo $"),
        ] {
            let found: Vec<String> = commands(text.as_bytes())
                .iter()
                .map(|words| String::from_utf8(words.join(&b' ')).unwrap())
                .collect();
            assert_eq!(found.join("|"), expected, "{text}");
        }
    }
}
