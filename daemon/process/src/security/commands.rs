//! Which files a command line runs. What it only reads may be anybody's: most checks look at a file of the service that
//! they check.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{files, shell};

/// A command may run another that runs another; nobody writes more of them.
const MOST_WITHIN: usize = 16;

/// What a program does with the words behind it.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// It runs the rest as a command.
    Runs(Before),
    /// It runs the rest as a command, or is given a line of shell by `-c`.
    RunsOrShell(Before),
    /// Its first word is a file that it carries out; `-c TEXT` is shell.
    Shell,
    /// Its first word is a file that it carries out, if its program is not among the options.
    Interprets {
        /// Options of one letter that hold the program.
        inline: &'static str,
        /// Options of one letter that have another value.
        valued: &'static str,
    },
    /// It carries out the files of these options, and reads the others.
    ByOption(&'static [&'static str]),
    /// It only looks at the files that it is given.
    Reads,
    Unknown,
}

/// What stands before the command that a program runs.
#[derive(Clone, Copy, Debug)]
struct Before {
    /// Options of one letter whose value may be a word of its own.
    short: &'static str,
    /// Long options whose value may be a word of its own.
    long: &'static [&'static str],
    /// How many words that are no options.
    words: usize,
}

/// The programs that a command line runs, the scripts that these carry out, and their interpreters.
pub(super) fn run_by(program: &Path, argv: &[OsString], search_path: &OsStr) -> Vec<PathBuf> {
    let mut reader = Reader { found: Vec::new(), within: 0, search_path };
    let words: Vec<&[u8]> = argv.iter().skip(1).map(|word| word.as_bytes()).collect();
    reader.command(program, &words);
    let mut files = reader.found;
    let interpreters: Vec<PathBuf> =
        files.iter().flat_map(|file| files::interpreters_of(file, search_path)).collect();
    files.extend(interpreters);
    files
}

/// What env(1) and a shell take for a variable and not for a command: `NAME=VALUE`.
pub(super) fn sets_a_variable(word: &[u8]) -> bool {
    let name = word.iter().position(|byte| *byte == b'=').and_then(|end| word.get(..end));
    name.is_some_and(|name| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    })
}

struct Reader<'a> {
    found: Vec<PathBuf>,
    within: usize,
    search_path: &'a OsStr,
}

impl Reader<'_> {
    fn command(&mut self, program: &Path, words: &[&[u8]]) {
        self.add(program.to_owned());
        if self.within == MOST_WITHIN {
            return self.programs_among(words);
        }
        self.within += 1;
        match habit(program, words) {
            Habit::Runs(before) => self.wrapped(words, before),
            Habit::RunsOrShell(before) => match line_of_shell(words, false) {
                Some((text, _)) => self.shell_text(text),
                None => self.wrapped(words, before),
            },
            Habit::Shell => self.shell_program(words),
            Habit::Interprets { inline, valued } => self.interpreted(words, inline, valued),
            Habit::ByOption(options) => self.by_option(words, options),
            Habit::Reads => {}
            Habit::Unknown => self.programs_among(words),
        }
        self.within -= 1;
    }

    /// A command by its words, of which the first is looked for as a shell does.
    fn named(&mut self, words: &[&[u8]]) {
        let Some((first, rest)) = words.split_first() else { return };
        match *first {
            b"." | b"source" => return self.interpreted(rest, "", ""),
            b"eval" if self.within < MOST_WITHIN => {
                self.within += 1;
                self.shell_text(&rest.join(&b' '));
                self.within -= 1;
                return;
            }
            _ => {}
        }
        match files::find(OsStr::from_bytes(first), self.search_path).filter(|path| is_file(path)) {
            Some(program) => self.command(&program, rest),
            None => self.programs_among(rest),
        }
    }

    fn shell_text(&mut self, text: &[u8]) {
        for words in shell::commands(text) {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            self.named(&words);
        }
    }

    /// The command behind the options and the other words of a program such as sudo(8).
    fn wrapped(&mut self, words: &[&[u8]], before: Before) {
        let mut operands = before.words;
        let mut rest = words;
        while let Some((word, behind)) = rest.split_first() {
            rest = behind;
            if let Some(text) = split_string(word, behind) {
                self.shell_text(&[text, &behind.join(&b' ')].join(&b' '));
            }
            if takes_value(word, before) {
                rest = behind.get(1..).unwrap_or_default();
            } else if !word.starts_with(b"-") && !sets_a_variable(word) {
                if operands == 0 {
                    let command: Vec<&[u8]> = std::iter::once(*word).chain(behind.iter().copied()).collect();
                    return self.named(&command);
                }
                operands -= 1;
            }
        }
    }

    fn shell_program(&mut self, words: &[&[u8]]) {
        match line_of_shell(words, true) {
            Some((text, behind)) => {
                self.shell_text(text);
                self.programs_among(behind);
            }
            None => self.interpreted(words, "", ""),
        }
    }

    /// The script that an interpreter carries out: the first of its words that is a file.
    fn interpreted(&mut self, words: &[&[u8]], inline: &str, valued: &str) {
        for word in words {
            let option = word.strip_prefix(b"-").filter(|letters| !letters.starts_with(b"-")).unwrap_or(b"");
            let ends =
                |letter: &&u8| inline.as_bytes().contains(letter) || valued.as_bytes().contains(letter);
            if option.iter().find(ends).is_some_and(|letter| inline.as_bytes().contains(letter)) {
                break;
            }
            if self.carried_out(word) {
                break;
            }
        }
        self.programs_among(words);
    }

    /// The scripts that are named by options: `-f FILE`, `-fFILE`, `--file=FILE`.
    fn by_option(&mut self, words: &[&[u8]], options: &[&str]) {
        for (index, word) in words.iter().enumerate() {
            let behind = options.iter().find_map(|option| word.strip_prefix(option.as_bytes()));
            let value = match behind {
                Some(b"") => words.get(index + 1).copied(),
                Some(value) => Some(value.strip_prefix(b"=").unwrap_or(value)),
                None => None,
            };
            if let Some(value) = value {
                self.carried_out(value);
            }
        }
        self.programs_among(words);
    }

    /// Is there such a file, that is a script by its place?
    fn carried_out(&mut self, word: &[u8]) -> bool {
        let path = PathBuf::from(OsStr::from_bytes(word));
        let is_file = is_file(&path);
        if is_file {
            self.add(path);
        }
        is_file
    }

    /// Of words whose meaning is not known: the files in them that can be run.
    fn programs_among(&mut self, words: &[&[u8]]) {
        for word in words {
            for file in files::named_in(OsStr::from_bytes(word)) {
                let can_be_run = file.metadata().is_ok_and(|file| file.mode() & 0o111 != 0)
                    || files::first_line(&file).is_some();
                if can_be_run {
                    self.add(file);
                }
            }
        }
    }

    fn add(&mut self, file: PathBuf) {
        if !self.found.contains(&file) {
            self.found.push(file);
        }
    }
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file())
}

/// The text of `-c`, and the words behind it; for what carries out `scripts` none if one comes first.
fn line_of_shell<'w>(words: &'w [&'w [u8]], scripts: bool) -> Option<(&'w [u8], &'w [&'w [u8]])> {
    for (index, word) in words.iter().enumerate() {
        let behind = words.get(index + 1..).unwrap_or_default();
        if let Some(text) = word.strip_prefix(b"--command=") {
            return Some((text, behind));
        }
        let letters = word.strip_prefix(b"-").filter(|letters| !letters.starts_with(b"-"));
        if *word == b"--command" || letters.is_some_and(|letters| letters.contains(&b'c')) {
            let text = behind.iter().position(|word| !word.starts_with(b"-"))?;
            return Some((behind.get(text)?, behind.get(text + 1..).unwrap_or_default()));
        }
        if scripts && letters.is_none() && is_file(Path::new(OsStr::from_bytes(word))) {
            return None;
        }
    }
    None
}

/// The text of `env -S`.
fn split_string<'w>(word: &'w [u8], behind: &[&'w [u8]]) -> Option<&'w [u8]> {
    match word.strip_prefix(b"-S").or_else(|| word.strip_prefix(b"--split-string="))? {
        b"" => behind.first().copied(),
        text => Some(text),
    }
}

/// Is the value of this option the next word? Of `-abVALUE` the first letter that takes a value ends it.
fn takes_value(word: &[u8], before: Before) -> bool {
    if let Some(name) = word.strip_prefix(b"--") {
        return before.long.iter().any(|long| long.as_bytes() == name);
    }
    let Some(letters) = word.strip_prefix(b"-") else { return false };
    let first = letters.iter().position(|letter| before.short.as_bytes().contains(letter));
    first.is_some_and(|first| first + 1 == letters.len())
}

/// By the name of a program, without its version (`python3.13`).
fn habit(program: &Path, words: &[&[u8]]) -> Habit {
    let name = program.file_name().and_then(OsStr::to_str).unwrap_or("");
    let before = |short, long, words| Before { short, long, words };
    let runs = |short, long, words| Habit::Runs(before(short, long, words));
    match name.trim_end_matches(|end: char| end.is_ascii_digit() || end == '.' || end == '-') {
        "env" => runs("uC", &["unset", "chdir"], 0),
        "sudo" | "doas" => runs("ugCDhpRrtTU", &["user", "group", "chdir", "host", "prompt", "chroot"], 0),
        "timeout" => runs("ks", &["kill-after", "signal"], 1),
        "nice" => runs("n", &["adjustment"], 0),
        "ionice" => runs("cn", &["class", "classdata"], 0),
        "stdbuf" => runs("ioe", &["input", "output", "error"], 0),
        "nohup" | "setsid" | "busybox" | "toybox" | "chronic" => runs("", &[], 0),
        "chrt" => runs("TPD", &["sched-runtime", "sched-period", "sched-deadline"], 1),
        "taskset" | "chroot" => runs("", &[], 1),
        "setpriv" => runs("", &["reuid", "regid", "groups", "inh-caps", "bounding-set"], 0),
        "ip" if words.starts_with(&[b"netns", b"exec"]) => runs("", &[], 3),
        "flock" => Habit::RunsOrShell(before("wE", &["timeout", "wait", "conflict-exit-code"], 1)),
        "runuser" | "su" => Habit::RunsOrShell(before("ugGsw", &["user", "group", "supp-group", "shell"], 0)),
        "sh" | "bash" | "dash" | "ash" | "ksh" | "mksh" | "zsh" | "fish" | "rbash" => Habit::Shell,
        "python" | "pypy" => Habit::Interprets { inline: "cm", valued: "WX" },
        "perl" => Habit::Interprets { inline: "eE", valued: "IMmFCDi" },
        "ruby" => Habit::Interprets { inline: "e", valued: "IrCEFKTWxi" },
        "node" | "nodejs" => Habit::Interprets { inline: "ep", valued: "rC" },
        "lua" | "luajit" => Habit::Interprets { inline: "e", valued: "l" },
        "php" => Habit::Interprets { inline: "r", valued: "cdz" },
        "expect" => Habit::Interprets { inline: "c", valued: "" },
        "Rscript" => Habit::Interprets { inline: "e", valued: "" },
        "tclsh" => Habit::Interprets { inline: "", valued: "" },
        "awk" | "gawk" | "mawk" | "nawk" | "sed" | "make" => {
            Habit::ByOption(&["--file", "--exec", "-f", "-E"])
        }
        "java" => Habit::ByOption(&["-jar"]),
        "test" | "[" | "grep" | "egrep" | "fgrep" | "zgrep" | "cat" | "ls" | "stat" | "cmp" | "diff"
        | "head" | "tail" | "wc" | "pgrep" | "pidof" | "pkill" | "killall" | "kill" | "readlink"
        | "realpath" | "md5sum" | "sha256sum" | "echo" | "printf" => Habit::Reads,
        _ => Habit::Unknown,
    }
}
