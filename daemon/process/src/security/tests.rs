use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use tempfile::TempDir;

use super::*;

const ROOT: Who = Who { uid: 0, gid: 0 };
/// Somebody who owns nothing here.
const SOMEBODY: u32 = 12345;

/// Files in a directory that is root's alone; in the root directory, since whoever runs tests may have an open `/tmp`.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("keepwatch-security").tempdir_in("/var/lib").unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, mode: u32, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn look_as_root(words: &[&str]) -> Result<PathBuf, Flaw> {
    let argv: Vec<OsString> = words.iter().map(OsString::from).collect();
    look(&argv, Some(ROOT), true, OsStr::new("/usr/bin:/bin"))
}

fn path_of(flaw: Flaw) -> PathBuf {
    match flaw {
        Flaw::Owner { path, .. } | Flaw::Writable { path, .. } => path,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_that_a_command_line_runs_must_be_root_s_alone() {
    if !getuid().is_root() {
        // Only root can make files of others.
        return;
    }
    let files = Files::new();
    let good = files.file("good", 0o755, "#!/bin/sh\n");
    let open = files.file("open", 0o757, "#!/bin/sh\n");
    let foreign = files.file("foreign", 0o755, "#!/bin/sh\n");
    chown(&foreign, Some(SOMEBODY), None).unwrap();
    let by_foreign = files.file("by-foreign", 0o755, &format!("#!{} -x\n", foreign.display()));
    let by_env = files.file("by-env", 0o755, &format!("#!/usr/bin/env {}\n", foreign.display()));
    let below = files.file("shared/below", 0o755, "#!/bin/sh\n");
    fs::set_permissions(files.path("shared"), fs::Permissions::from_mode(0o777)).unwrap();
    let by_link = files.path("by-link");
    symlink(files.path("elsewhere"), &by_link).unwrap();
    symlink("shared/below", files.path("elsewhere")).unwrap();
    let its_link = files.path("its-link");
    symlink(&good, &its_link).unwrap();
    std::os::unix::fs::lchown(&its_link, Some(SOMEBODY), None).unwrap();

    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (good, shared) = (text(&good), files.path("shared"));
    let cases: Vec<(Vec<String>, Option<&Path>)> = vec![
        (vec![good.clone()], None),
        (vec!["sh".into(), good.clone(), "/dev/null".into(), "plain".into()], None),
        (vec![good.clone(), "/var".into(), "/not/there".into()], None),
        (vec![text(&open)], Some(&open)),
        (vec![text(&foreign)], Some(&foreign)),
        (vec!["/bin/sh".into(), text(&open)], Some(&open)),
        (vec!["env".into(), "A=1".into(), text(&foreign)], Some(&foreign)),
        (vec!["sh".into(), "-c".into(), format!("cd /; {} && true", open.display())], Some(&open)),
        (vec!["sh".into(), "-c".into(), format!("echo MASTER > {}", open.display())], None),
        (vec![good.clone(), format!("--script={}", open.display())], Some(&open)),
        (vec![text(&by_foreign)], Some(&foreign)),
        (vec![text(&by_env)], Some(&foreign)),
        (vec!["sh".into(), text(&by_foreign)], Some(&foreign)),
        (vec![text(&below)], Some(&shared)),
        (vec![text(&by_link)], Some(&shared)),
        (vec![text(&its_link)], Some(&its_link)),
    ];
    for (words, expected) in cases {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let found = look_as_root(&words).err().map(path_of);
        assert_eq!(found.as_deref(), expected, "{words:?}");
    }
    // What does not run as root may be anybody's.
    let argv = [open.clone().into_os_string()];
    let nobody = Who { uid: SOMEBODY, gid: SOMEBODY };
    assert_eq!(look(&argv, Some(nobody), true, OsStr::new("/bin")), Ok(open.canonicalize().unwrap()));
    // But what becomes root may not.
    fs::set_permissions(&open, fs::Permissions::from_mode(0o4757)).unwrap();
    assert_eq!(path_of(look(&argv, Some(nobody), true, OsStr::new("/bin")).unwrap_err()), open);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o757)).unwrap();
    assert!(look(&argv, Some(ROOT), false, OsStr::new("/bin")).is_ok());
}

#[test]
fn what_can_not_be_executed_is_said() {
    if !getuid().is_root() {
        return;
    }
    let files = Files::new();
    let plain = files.file("plain", 0o644, "#!/bin/sh\n");
    let closed = files.file("closed/script", 0o755, "#!/bin/sh\n");
    fs::set_permissions(files.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let look_as =
        |uid, path: &Path| look(&[path.into()], Some(Who { uid, gid: uid }), false, OsStr::new("/bin"));
    assert_eq!(look_as(0, &plain), Err(Flaw::NotExecutable(plain)));
    assert_eq!(look_as(SOMEBODY, &closed), Err(Flaw::Unreachable(files.path("closed"))));
    assert_eq!(look_as(0, &files.path("closed")), Err(Flaw::Directory(files.path("closed"))));
    assert_eq!(look_as(0, Path::new("kw-none")), Err(Flaw::Missing("kw-none".into())));
    assert_eq!(look_as(0, Path::new("true")), Ok(Path::new("/bin/true").canonicalize().unwrap()));
}

#[test]
fn a_script_without_its_interpreter_is_said_to_have_none_and_why() {
    if !getuid().is_root() {
        return;
    }
    let files = Files::new();
    let look_at = |first_line: &str| {
        let script = files.file("script", 0o755, &format!("{first_line}\nexit 0\r\n"));
        let found = look(&[script.into()], Some(ROOT), false, OsStr::new("/usr/bin:/bin"));
        found.map_err(|flaw| flaw.to_string().replace(files.path("").to_str().unwrap(), ""))
    };
    for good in [
        "#!/bin/sh",
        "#! \t/bin/sh -e ",
        "#!/usr/bin/env sh",
        "#!/usr/bin/env kw-none",
        "exit 0\r",
        "#!",
        "#!/bin/sh -e\r",
        "#!/usr/bin/env -S sh -e\r",
    ] {
        assert!(look_at(good).is_ok(), "{good:?}: {:?}", look_at(good));
    }
    let lines = "the lines of script end with a carriage return, so its interpreter is not found";
    for (first_line, said) in [
        ("#!/bin/sh\r", lines),
        ("#!/usr/bin/env sh\r", lines),
        ("#!/nonexistent/sh -e", "script names the interpreter /nonexistent/sh, which is not there"),
    ] {
        assert_eq!(look_at(first_line), Err(said.to_owned()), "{first_line:?}");
    }
}

#[test]
fn what_a_command_only_reads_may_be_anybody_s() {
    if !getuid().is_root() {
        return;
    }
    let files = Files::new();
    let owned = |name: &str, mode, text| {
        let path = files.file(name, mode, text);
        chown(&path, Some(SOMEBODY), None).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = files.file("good", 0o755, "#!/bin/sh\n").to_str().unwrap().to_owned();
    // DATA is a file such as a service leaves in /run, PLAIN a script without the right to be executed.
    let (data, script) = (owned("data", 0o644, "12345\n"), owned("script", 0o755, "#!/bin/sh\n"));
    let plain = owned("plain", 0o644, "exit 0\n");
    for (words, is_run) in [
        ("grep|-q|99999|DATA", None),
        ("test|-f|DATA", None),
        ("test|-x|SCRIPT", None),
        ("GOOD|DATA", None),
        ("GOOD|--pid=DATA", None),
        ("GOOD|SCRIPT", Some(&script)),
        ("sh|-c|kill -0 $(cat DATA) && test -s DATA", None),
        ("sh|-c|read pid < DATA; while :; do break; done < DATA", None),
        ("bash|-o|pipefail|-ec|if DATA; then :; fi", Some(&data)),
        ("sh|-c|. DATA", Some(&data)),
        ("sh|-c|sh -c 'true; PLAIN'", Some(&plain)),
        ("sh|-c|eval 'true; PLAIN'", Some(&plain)),
        ("sh|-c|true|DATA", None),
        ("sh|GOOD|DATA", None),
        ("sh|GOOD|-c|PLAIN", None),
        ("sh|-e|PLAIN|DATA", Some(&plain)),
        ("env|-i|A=1|sh|PLAIN", Some(&plain)),
        ("env|-S|sh PLAIN", Some(&plain)),
        ("timeout|-k|1|5|grep|-q|1|DATA", None),
        ("timeout|5|sh|PLAIN", Some(&plain)),
        ("nice|-n|5|sh|PLAIN", Some(&plain)),
        ("flock|DATA|GOOD", None),
        ("flock|DATA|sh|PLAIN", Some(&plain)),
        ("flock|DATA|-c|sh PLAIN", Some(&plain)),
        ("su|-|root|-c|sh PLAIN", Some(&plain)),
        ("awk|/x/ {exit 1}|DATA", None),
        ("awk|-f|PLAIN|DATA", Some(&plain)),
        ("sed|-n|1p|DATA", None),
        ("perl|-ne|exit 1|DATA", None),
        ("perl|-w|PLAIN|DATA", Some(&plain)),
        ("perl|-e|system('SCRIPT')", Some(&script)),
    ] {
        let put_in = |word: &str| {
            let word = word.replace("DATA", &data).replace("SCRIPT", &script);
            word.replace("PLAIN", &plain).replace("GOOD", &good)
        };
        let argv: Vec<String> = words.split('|').map(put_in).collect();
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let found = look_as_root(&argv).err().map(path_of);
        assert_eq!(found, is_run.map(PathBuf::from), "{words}");
    }
}
