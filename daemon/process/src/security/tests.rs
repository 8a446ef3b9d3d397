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
fn every_path_of_a_command_line_must_be_root_s_alone() {
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
