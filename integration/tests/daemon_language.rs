//! The `keepwatch` command on configuration files, without a daemon.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use anyhow::Result;
use integration::{Instance, binaries};

fn keepwatch(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::path("keepwatch")?).args(arguments).output()?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn file(directory: &Path, name: &str, text: &str) -> Result<String> {
    let path = directory.join(name);
    fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}

#[test]
fn a_keyword_is_explained_and_a_misspelt_one_is_guessed() -> Result<()> {
    let known = keepwatch(&["explain", "advert_int"])?;
    assert!(known.status.success());
    assert!(text(&known.stdout).contains("vrrp_instance"), "{}", text(&known.stdout));
    let unknown = keepwatch(&["explain", "advert_itn"])?;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("advert_int"), "{}", text(&unknown.stderr));
    Ok(())
}

#[test]
fn a_file_is_laid_out_once_and_keeps_its_permissions() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = file(directory.path(), "a.conf", "! a comment\nvrrp_instance VI_1 {\ninterface   eth0\n}\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    assert_eq!(keepwatch(&["fmt", "--check", &path])?.status.code(), Some(1));
    assert!(keepwatch(&["fmt", &path])?.status.success());
    let laid_out = fs::read_to_string(&path)?;
    assert!(laid_out.contains("! a comment") && laid_out.contains("    interface eth0"), "{laid_out}");
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o640);
    assert!(keepwatch(&["fmt", "--check", &path])?.status.success());
    assert_eq!(fs::read_dir(directory.path())?.count(), 1, "nothing is left behind");
    Ok(())
}

#[test]
fn a_layout_keeps_every_byte_and_leaves_alone_what_is_no_text() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("a.conf");
    let name = path.to_string_lossy().into_owned();
    fs::write(&path, b"# Z\xfcrich\nglobal_defs {\nrouter_id \xff\n}\n")?;
    assert!(keepwatch(&["fmt", &name])?.status.success());
    assert_eq!(fs::read(&path)?, b"# Z\xfcrich\nglobal_defs {\n    router_id \xff\n}\n");
    for bytes in [&b"\xff\xfeg\0l\0\n\0"[..], b"global_defs {\rrouter_id a\r}\r"] {
        fs::write(&path, bytes)?;
        assert_eq!(keepwatch(&["fmt", &name])?.status.code(), Some(1));
        assert_eq!(fs::read(&path)?, bytes);
    }
    Ok(())
}

#[test]
fn a_pattern_stands_for_one_configuration_of_several_files() -> Result<()> {
    let directory = tempfile::tempdir()?;
    file(directory.path(), "1.conf", "global_defs {\nrouter_id a\n")?;
    file(directory.path(), "2.conf", "smtp_helo_name b\n}\n")?;
    let pattern = directory.path().join("?.conf").to_string_lossy().into_owned();
    let output = keepwatch(&["config", &pattern])?;
    let model: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(
        (&model["global"]["router_id"], &model["global"]["smtp_helo_name"]),
        (&"a".into(), &"b".into())
    );
    let output = keepwatch(&["check", &pattern])?;
    assert!(text(&output.stdout).contains("2 files match"), "{}", text(&output.stdout));
    Ok(())
}

#[test]
fn a_configuration_is_shown_as_it_is_understood() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = file(directory.path(), "a.conf", &Instance::new("VI_1").password("secret").version_2(""))?;
    let output = keepwatch(&["config", &path])?;
    let model: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(model["instances"][0]["priority"], 100);
    assert!(!text(&output.stdout).contains("secret"));
    Ok(())
}

#[test]
fn the_files_of_a_cluster_are_compared() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let left = file(directory.path(), "left.conf", &Instance::new("VI_1").priority(200).version_2(""))?;
    let right = Instance::new("VI_1").vip("10.78.9.10/32").version_2("");
    let right = file(directory.path(), "right.conf", &right)?;
    for alone in [&left, &right] {
        let output = keepwatch(&["check", alone])?;
        assert!(output.status.success(), "{}", text(&output.stdout));
    }
    let both = text(&keepwatch(&["check", "--message-format", "json", &left, &right])?.stdout);
    assert!(!both.is_empty(), "different addresses are worth saying");
    for line in both.lines() {
        let diagnostic: serde_json::Value = serde_json::from_str(line)?;
        assert!(diagnostic["code"].is_string() && diagnostic["severity"].is_string(), "{line}");
    }
    Ok(())
}
