//! The `keepwatch` command on configuration files, without a daemon.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result};
use integration::{Instance, Lab, binaries, keepwatchd::Keepwatchd};

fn keepwatch(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::path("keepwatch")?).args(arguments).output()?)
}

/// The same with this on its standard input.
fn keepwatch_reading(arguments: &[&str], input: &str) -> Result<Output> {
    let mut command = Command::new(binaries::path("keepwatch")?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().context("standard input")?;
    // Who is refused for the arguments may be gone before it read anything.
    match stdin.write_all(input.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
        _ => drop(stdin),
    }
    Ok(child.wait_with_output()?)
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

#[test]
fn every_diagnostic_is_one_object_with_the_promised_fields() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let wrong = file(directory.path(), "wrong.conf", "vrrp_instance A {\n prioritty 1\n}\n")?;
    let good = file(directory.path(), "good.conf", &Instance::new("VI_1").version_2(""))?;
    let here = directory.path().to_string_lossy().into_owned();
    let missing = directory.path().join("missing.conf").to_string_lossy().into_owned();
    let files = [&missing, &here, &wrong, &good, &good, "-"].map(|file: &str| file);
    let output =
        keepwatch_reading(&[&["check", "--message-format", "json"][..], &files].concat(), "nonsense\n")?;
    assert_eq!(output.status.code(), Some(1));
    let mut of_files = Vec::new();
    for line in text(&output.stdout).lines() {
        let said: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line)?;
        let mut fields: Vec<&str> = said.keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["code", "column", "file", "help", "line", "message", "severity"], "{line}");
        of_files.extend(said["file"].as_str().map(str::to_owned));
    }
    of_files.dedup();
    assert_eq!(of_files, [&missing, &here, &wrong, &good, "<stdin>"].map(|file: &str| file));
    Ok(())
}

#[test]
fn standard_input_is_a_file_too_but_only_once() -> Result<()> {
    let good = Instance::new("VI_1").version_2("");
    let checked = keepwatch_reading(&["check", "-"], &good)?;
    assert!(checked.status.success() && text(&checked.stdout).contains("<stdin>"), "{checked:?}");
    let shown = keepwatch_reading(&["config", "-"], &good)?;
    let model: serde_json::Value = serde_json::from_slice(&shown.stdout)?;
    assert_eq!(model["instances"][0]["name"], "VI_1");
    let laid_out = keepwatch_reading(&["fmt"], "global_defs {\nrouter_id   A\n}\n")?;
    assert_eq!(text(&laid_out.stdout), "global_defs {\n    router_id A\n}\n");
    let twice = keepwatch_reading(&["check", "-", "-"], &good)?;
    assert_eq!(twice.status.code(), Some(1));
    assert!(text(&twice.stderr).contains("only once"), "{}", text(&twice.stderr));
    Ok(())
}

#[test]
fn a_file_that_cannot_be_laid_out_does_not_stop_the_others() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let crooked = file(directory.path(), "crooked.conf", "global_defs {\nrouter_id A\n}\n")?;
    let missing = directory.path().join("missing.conf").to_string_lossy().into_owned();
    let output = keepwatch(&["fmt", &missing, &crooked])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(&missing), "{}", text(&output.stderr));
    assert!(fs::read_to_string(&crooked)?.contains("    router_id A"));
    Ok(())
}

#[test]
fn nobody_reading_on_is_no_reason_to_panic() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let wrong = file(directory.path(), "wrong.conf", "vrrp_instance A {\n prioritty 1\n}\n")?;
    let daemon_arguments = ["-t", "-f", &wrong];
    for (program, arguments, status) in [
        ("keepwatch", &["check", &wrong][..], 1),
        ("keepwatch", &["explain", "weight"], 0),
        ("keepwatch", &["explain", "nothing_like_it"], 1),
        ("keepwatch", &["config", &wrong], 1),
        ("keepwatchd", &daemon_arguments, 5),
    ] {
        // Both ends of these pipes are closed before the program writes.
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let mut command = Command::new(binaries::path(program)?);
        command.args(arguments).stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        assert_eq!(command.status()?.code(), Some(status), "{program} {arguments:?}");
    }
    Ok(())
}

#[test]
fn without_a_keyword_it_is_told_what_there_is_to_ask_for() -> Result<()> {
    let output = keepwatch(&["explain"])?;
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("vrrp_instance"), "{}", text(&output.stdout));
    Ok(())
}

#[test]
fn options_that_would_do_nothing_are_refused() -> Result<()> {
    for words in [["status", "--check", "--json"], ["--json", "status", "--check"]] {
        let refused = keepwatch(&words)?;
        assert_eq!(refused.status.code(), Some(2), "{words:?}");
        assert!(text(&refused.stderr).contains("and not in JSON"), "{}", text(&refused.stderr));
    }
    for arguments in
        [&["--json", "explain", "weight"][..], &["fmt", "--json"], &["--socket", "/x", "check", "/x"]]
    {
        assert_eq!(keepwatch(arguments)?.status.code(), Some(2), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn what_is_simulated_without_its_mistakes_is_said_with_them() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let instance = Instance::new("VI_1").priority(150).to_string();
    let good = file(directory.path(), "good.conf", &instance)?;
    let bad = file(directory.path(), "bad.conf", &instance.replace("priority", "prioritty"))?;
    let run = keepwatch(&["simulate", "--for", "5s", &good])?;
    assert!(run.status.success() && run.stderr.is_empty(), "{}", text(&run.stderr));
    let run = keepwatch(&["simulate", "--for", "5s", &good, &bad, &bad])?;
    let said = text(&run.stderr);
    assert!(run.status.success() && said.contains("did you mean `priority`?"), "{said}");
    assert_eq!(said.matches("this is simulated without them").count(), 1, "{said}");
    Ok(())
}

#[test]
fn a_file_in_which_nothing_runs_is_good_and_said_to_be_that() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let empty = file(directory.path(), "empty.conf", "include conf.d/*.conf\n")?;
    fs::create_dir(directory.path().join("conf.d"))?;
    let tested = Command::new(binaries::path("keepwatchd")?).args(["-t", "-f", &empty]).output()?;
    let said = text(&tested.stderr);
    assert!(
        tested.status.success() && said.contains("there is nothing in it that runs here [nothing-to-run]"),
        "{said}"
    );
    Ok(())
}

#[test]
fn nobody_is_shown_a_password() -> Result<()> {
    const SECRET: &str = "Zq7xPlum";
    let directory = tempfile::tempdir()?;
    let lines =
        format!("authentication {{\n auth_type PASS\n auth_pass {SECRET}nine more\n auth_pas {SECRET}\n }}");
    let config = Instance::new("VI_1").line(&lines).version_2("");
    let wrong = file(directory.path(), "wrong.conf", &config)?;
    let other = file(directory.path(), "other.conf", &config.replace(SECRET, "Other"))?;
    let log = directory.path().join("log").to_string_lossy().into_owned();
    let log_flag = format!("-t={log}");
    for (program, arguments) in [
        ("keepwatch", &["check", &wrong, &other][..]),
        ("keepwatch", &["check", "--message-format", "json", &wrong, &other]),
        ("keepwatch", &["fmt", "--check", &wrong]),
        ("keepwatch", &["config", &wrong]),
        ("keepwatchd", &["-t", "-f", &wrong]),
        ("keepwatchd", &[&log_flag, "-f", &wrong]),
    ] {
        let output = Command::new(binaries::path(program)?).args(arguments).output()?;
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.contains(SECRET) && !said.contains("Other"), "{program} {arguments:?}: {said}");
    }
    let said = fs::read_to_string(log)?;
    assert!(said.contains("auth_pas") && !said.contains(SECRET), "{said}");

    let lab = Lab::new("no-password")?;
    let (_lan, hosts) = lab.routers(1)?;
    let daemon = Keepwatchd::on(&hosts[0]).config(config).flag("--vrrp").start()?;
    daemon.wait_for_log("`auth_pas` is no keyword")?;
    let log = daemon.process().log();
    assert!(!log.contains(SECRET), "{log}");
    let history = fs::read_to_string(daemon.history_path()).unwrap_or_default();
    assert!(!history.contains(SECRET), "{history}");
    Ok(())
}
