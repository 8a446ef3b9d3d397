//! `include`, its relatives, and `include_check`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keepwatch_config::{Loaded, Outcome, load};

use crate::{options, reading};

#[test]
fn included_files_are_read_in_place_with_paths_relative_to_themselves() {
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("written");
    std::fs::create_dir(directory.path().join("d")).expect("made");
    put("main.conf", "global_defs {\nnotification_email {\na\ninclude d/*.inc\ninclude {x,y}.inc\nz\n}\n}\n");
    put("d/1.inc", "b\ninclude inner\n");
    put("d/2.inc", "d\n");
    put("d/inner", "c\n");
    put("x.inc", "e\n");
    put("y.inc", "f");
    let loaded = load(&directory.path().join("main.conf"), &options());
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_text(false));
    let words = loaded.config.expect("it runs").global.notification_email;
    assert_eq!(words.iter().map(|word| &**word).collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f", "z"]);
    assert_eq!(loaded.files.len(), 6);
}

#[test]
fn what_is_missing_is_said_and_the_strict_includes_make_it_a_mistake() {
    let directory = tempfile::tempdir().expect("a directory");
    let read = |line: &str| {
        let path = directory.path().join("main.conf");
        std::fs::write(&path, format!("{line}\n")).expect("written");
        let loaded = load(&path, &options());
        (loaded.diagnostics.exit_status(), reading::codes(&loaded))
    };
    assert_eq!(read("include nothing"), (0, vec!["missing-include"]));
    assert_eq!(read("include none*"), (0, vec![]));
    assert_eq!(read("includem nothing"), (6, vec!["missing-include"]));
    assert_eq!(read("includea none*"), (6, vec!["missing-include"]));
    // glob(3) could take it for a home directory; keepalived does not ask for that.
    assert_eq!(read("include ~/nothing"), (0, vec!["missing-include"]));
    assert_eq!(read("include ~root/.none*"), (0, vec!["missing-include"]));
    // A directory that wildcards are looked for in is missing as a file is; so is a file in one that they stand for.
    std::fs::create_dir(directory.path().join("d")).expect("made");
    for (line, code, said) in [
        ("includem none/*", 6, 1),
        ("includew d/*", 6, 1),
        ("includem d/*", 0, 0),
        ("includem */nothing", 6, 1),
        ("includem {d/*,main.cnf}", 0, 1),
        ("includeb {d/*,main.cnf}", 6, 1),
        ("includer none/*", 0, 1),
    ] {
        let (exit_status, codes) = read(line);
        assert_eq!((exit_status, codes.len()), (code, said), "{line}: {codes:?}");
    }
    let nowhere = directory.path().join("nowhere");
    std::os::unix::fs::symlink("none", nowhere).expect("made");
    assert_eq!(read("includem nowhere"), (6, vec!["unreadable-include"]));
    assert_eq!(read("include main.conf"), (5, vec!["circular-include"]));
}

/// Files of a directory of its own; the first is read.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        Self(directory)
    }

    fn read(&self, name: &str) -> Loaded {
        load(&self.0.path().join(name), &options())
    }
}

/// The words of `notification_email` in `main`, and the codes of what was said.
fn words_and_codes(loaded: &Loaded) -> (Vec<String>, Vec<&'static str>) {
    let words = loaded.config.iter().flat_map(|config| &config.global.notification_email);
    (words.map(ToString::to_string).collect(), reading::codes(loaded))
}

/// Words that come out of one line with these files beside it.
fn included(line: &str, files: &[(&str, &str)]) -> (Vec<String>, Vec<&'static str>) {
    let main = format!("global_defs {{\nnotification_email {{\n{line}\n}}\n}}\n");
    let all: Vec<(&str, &str)> = [("main", main.as_str())].into_iter().chain(files.iter().copied()).collect();
    words_and_codes(&Files::new(&all).read("main"))
}

#[test]
fn names_are_matched_as_a_shell_does() {
    let files = [("d/x", "X\n"), ("d/y", "Y\n"), ("d/xy", "XY\n"), ("d/.h", "H\n"), ("e/x", "E\n")];
    for (line, words) in [
        ("include d/*", "X XY Y"),
        ("include d/.*", "H"),
        ("include d/?", "X Y"),
        ("include d/[^x]", "Y"),
        ("include */x", "X E"),
        ("include **/x", "X E"),
        ("include {d,e}/x", "X E"),
        ("include d/{y,{x,x}y}", "Y XY XY"),
        ("include d/\\x", "X"),
        ("include d/../e/x", "E"),
        ("include\td/x  # one", "X"),
    ] {
        let (got, said) = included(line, &files);
        assert_eq!((got.join(" ").as_str(), said), (words, vec![]), "{line}");
    }
}

#[test]
fn quotes_and_blanks_belong_to_the_name() {
    for line in ["z\ninclude \"a\"", "z\ninclude a b"] {
        assert_eq!(
            included(line, &[("a", "A\n")]),
            (vec!["z".to_owned()], vec!["missing-include"]),
            "{line}"
        );
    }
}

#[test]
fn conditions_definitions_and_sequences_may_include() {
    // keepalived says that they cannot, and reads the file twice.
    let files = [("a", "A$N\n"), ("b", "B\n")];
    let (words, said) =
        included("$N=\n$I=b\n@main include a\n@other include a\n~SEQ(N,1,2) include a\ninclude $I", &files);
    assert_eq!((words.join(" ").as_str(), said), ("A A1 A2 B", vec![]));
}

#[test]
fn only_regular_files_that_nobody_may_execute_are_read() {
    let files = Files::new(&[("main", "include d\ninclude run\n"), ("d/x", ""), ("run", "blunder\n")]);
    let program = files.0.path().join("run");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    let (_, said) = words_and_codes(&files.read("main"));
    assert_eq!(said, ["unreadable-include", "unreadable-include"]);
    for name in ["ru?", "d", "nothing"] {
        let loaded = files.read(name);
        assert_eq!(loaded.diagnostics.exit_status(), 6, "{name}");
        assert_eq!(words_and_codes(&loaded).1, ["unreadable-file"], "{name}");
    }
    for device in ["/dev/zero", "/dev/null"] {
        assert_eq!(load(Path::new(device), &options()).diagnostics.exit_status(), 6, "{device}");
    }
}

#[test]
fn each_relative_of_include_asks_for_something_else() {
    let missing = [("main", ""), ("a", "")];
    for (line, code) in [
        ("include none", 0),
        ("includer none", 0),
        ("includem none", 6),
        ("includew none", 6),
        ("includeb none", 0),
        ("includea none", 6),
        ("includem none*", 0),
        ("includew none*", 6),
        ("includem {a,none}", 0),
        ("includeb {a,none}", 6),
        ("includer .", 6),
        ("include .", 0),
        ("include_check x", 5),
    ] {
        let files = Files::new(&missing);
        let text = if line.starts_with("include_check") {
            format!("global_defs {{\n{line}\n}}\n")
        } else {
            format!("{line}\n")
        };
        std::fs::write(files.0.path().join("main"), text).expect("written");
        assert_eq!(files.read("main").diagnostics.exit_status(), code, "{line}");
    }
}

#[test]
fn include_check_sets_what_include_asks_for() {
    for (checks, line, code) in [
        ("", "include none", 6),
        ("match", "include none", 6),
        ("match", "include none*", 0),
        ("wildcard_match", "include none*", 6),
        ("+brace_match", "include {a,none}", 6),
        ("read", "include .", 6),
        ("match", "include .", 6),
        ("+match -match", "include none", 0),
        // Only the first may be without a sign.
        ("match wildcard_match", "include none*", 5),
    ] {
        let main = format!("global_defs {{\ninclude_check {checks}\n}}\n{line}\n");
        let files = Files::new(&[("main", &main), ("a", "")]);
        assert_eq!(files.read("main").diagnostics.exit_status(), code, "{checks}: {line}");
    }
}

#[test]
fn a_file_changes_include_check_for_itself_and_what_it_includes() {
    let files = Files::new(&[
        ("main", "global_defs {\ninclude inner\n}\ninclude none\n"),
        ("inner", "include_check\n"),
    ]);
    assert_eq!(files.read("main").diagnostics.exit_status(), 0);
}

#[test]
fn circles_are_found_however_the_names_are_written() {
    let files = Files::new(&[("main", "include d/../one\n"), ("one", "include ./main\n"), ("d/x", "")]);
    let loaded = files.read("main");
    assert_eq!(words_and_codes(&loaded).1, ["circular-include"]);
    assert_eq!(loaded.diagnostics.outcomes().worst(), Outcome::CannotRun);
}

#[test]
fn the_directory_is_that_of_the_file_being_read() {
    let files = Files::new(&[
        ("main", "global_defs {\nnotification_email {\n${_PWD}\ninclude d/one\n${_PWD}\n}\n}\n"),
        ("d/one", "${_PWD}\n"),
    ]);
    let top = files.0.path().canonicalize().expect("real").display().to_string();
    let (words, said) = words_and_codes(&files.read("main"));
    assert_eq!((words, said), (vec![top.clone(), format!("{top}/d"), top], vec![]));
}

#[test]
fn the_main_file_may_be_a_pattern_whose_files_are_read_as_one() {
    let files = Files::new(&[
        ("a/1.conf", "$N=${_PWD}\nglobal_defs {\n notification_email {\n include x\n"),
        ("a/2.conf", "}\nrouter_id ${R}\n"),
        ("a/3.txt", "blunder"),
        ("b/4.conf", "}\nrouter_id ${N}\n}\n"),
        ("a/x", "x@y\n$R=r\n"),
        ("a/[1].conf", "global_defs {\n router_id bracket\n}\n"),
    ]);
    let read = |name: &str| {
        let loaded = files.read(name);
        let router_id = loaded.config.as_ref().map(|config| config.global.router_id.to_string());
        (reading::codes(&loaded), loaded.diagnostics.exit_status(), router_id)
    };
    let directory = files.0.path().canonicalize().expect("a directory").join("b").display().to_string();
    // keepalived too says that there are several, and that it runs after a change.
    assert_eq!(read("{a/1,b/4}.conf"), (vec!["several-files"], 5, Some(directory)));
    let (said, code, router_id) = read("a/?.conf");
    assert_eq!((said, code, router_id.as_deref()), (vec!["several-files", "missing-brace"], 5, Some("r")));
    // A file that has the very name is meant.
    assert_eq!(read("a/[1].conf"), (vec![], 0, Some("bracket".into())));
    assert_eq!(read("{a/none,b/none,a/[[]1]}.conf").2, Some("bracket".into()));
}

#[test]
fn the_file_that_was_named_is_read_though_it_may_be_executed() {
    let files = Files::new(&[]);
    let path = files.0.path().join("a.conf");
    std::fs::write(&path, "global_defs {\n router_id r\n}\n").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("changed");
    let loaded = files.read("a.conf");
    let said: Vec<_> = loaded.diagnostics.iter().map(|said| said.code).collect();
    assert_eq!((said, loaded.diagnostics.exit_status()), (vec!["executable-file"], 0));
    assert_eq!(loaded.config.map(|config| config.global.router_id).as_deref(), Some("r"));
}

#[test]
fn what_cannot_be_the_main_file_is_one_mistake_that_names_it() {
    let files = Files::new(&[("a.conf", ""), ("d.conf/x", "")]);
    let script = files.0.path().join("x.sh");
    std::fs::write(&script, "").expect("written");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("changed");
    for (name, named) in [
        ("none.conf", "none.conf` cannot be read: No such file"),
        ("d.conf", "d.conf` is a directory"),
        ("d.conf/", "d.conf/` is a directory"),
        ("x.*", "x.sh` is executable"),
        ("*.none", "no file matches `"),
        ("none/*", "no file matches `"),
        // As in keepalived, each of them has to be a file that can be read.
        ("*.conf", "d.conf` is a directory"),
        ("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", "too many files"),
    ] {
        let loaded = files.read(name);
        let said: Vec<_> =
            loaded.diagnostics.iter().map(|said| (said.code, said.message.contains(named))).collect();
        assert_eq!((said, loaded.diagnostics.exit_status()), (vec![("unreadable-file", true)], 6), "{name}");
        assert!(loaded.diagnostics.render_text(false).contains(named), "{name}");
    }
}

/// A file that fell into the directory, or a name that is not the one that was meant: one thing is said of it, where it is
/// included, and none of its lines is shown.
#[test]
fn of_a_file_that_is_no_configuration_one_thing_is_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("written");
    let notes = "Nothing here is\nof any\nmeaning:\npassword s3cret\nto\nanybody\nelse.\n".repeat(400);
    put("notes.conf", &format!("{notes}instance of what\nhappens to be a keyword\n"));
    put("main.conf", "global_defs {\nrouter_id a\n}\ninclude notes.conf\n");
    let loaded = load(&directory.path().join("main.conf"), &options());
    let text = loaded.diagnostics.render_text(false);
    assert_eq!(reading::codes(&loaded), ["no-configuration"], "{text}");
    assert!(text.contains("main.conf:4:") && !text.contains("s3cret"), "{text}");
    assert_eq!(loaded.diagnostics.exit_status(), 5);
    assert_eq!(&*loaded.config.expect("it runs").global.router_id, "a");
    // Mistakes are told each: these words are keywords elsewhere, or nearly.
    put("notes.conf", "priority 1\nadvert_int 1\nprioritty 1\nstate MASTER\nnopreempt\ngarp_master_dela 1\n");
    let loaded = load(&directory.path().join("main.conf"), &options());
    assert!(!reading::codes(&loaded).contains(&"no-configuration"));
}
