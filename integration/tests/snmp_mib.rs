//! The text of KEEPALIVED-MIB, as smilint sees it.

use std::process::Command;

use anyhow::{Context, Result, ensure};

#[test]
fn smilint_has_nothing_to_say() -> Result<()> {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let directory = tempfile::tempdir()?;
    let settings = directory.path().join("smi.conf");
    std::fs::write(&settings, format!("path {tests}/mib-base\n"))?;
    let lint = |module: &std::path::Path| {
        let mut command = Command::new("smilint");
        command.arg("-c").arg(&settings).args(["-l", "6", "-s"]).arg(module);
        let output = command.output().context("smilint (Debian package smitools) could not be started")?;
        anyhow::Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let module = integration::binaries::workspace().join("mib/KEEPALIVED-MIB.txt");
    let said = lint(&module)?;
    ensure!(said.is_empty(), "{said}");

    // That silence means something: a mistake is found.
    let broken = directory.path().join("KEEPALIVED-MIB");
    std::fs::write(
        &broken,
        std::fs::read_to_string(&module)?.replace("::= { global 2 }", "::= { globe 2 }"),
    )?;
    ensure!(lint(&broken)?.contains("globe"), "smilint does not read the module");
    Ok(())
}
