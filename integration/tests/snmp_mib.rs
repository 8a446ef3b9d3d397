//! The texts of the MIBs, as smilint sees them.

use std::process::Command;

use anyhow::{Context, Result, ensure};

#[test]
fn smilint_has_nothing_to_say() -> Result<()> {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let directory = tempfile::tempdir()?;
    let settings = directory.path().join("smi.conf");
    // One of them builds on another, which is found by the name of its module.
    let beside = directory.path().join("beside");
    std::fs::create_dir_all(&beside)?;
    let texts = integration::binaries::workspace().join("mib");
    std::fs::copy(texts.join("KEEPALIVED-MIB.txt"), beside.join("KEEPALIVED-MIB"))?;
    std::fs::write(&settings, format!("path {tests}/mib-base:{}\n", beside.display()))?;
    let lint = |module: &std::path::Path| {
        let mut command = Command::new("smilint");
        command.arg("-c").arg(&settings).args(["-l", "6", "-s"]).arg(module);
        let output = command.output().context("smilint (Debian package smitools) could not be started")?;
        anyhow::Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    for module in ["KEEPALIVED-MIB", "VRRP-MIB", "VRRPV3-MIB", "KEEPWATCH-MIB"] {
        let said = lint(&texts.join(format!("{module}.txt")))?;
        ensure!(said.is_empty(), "{said}");
    }
    let module = texts.join("KEEPALIVED-MIB.txt");

    // That silence means something: a mistake is found.
    let broken = directory.path().join("KEEPALIVED-MIB");
    std::fs::write(
        &broken,
        std::fs::read_to_string(&module)?.replace("::= { global 2 }", "::= { globe 2 }"),
    )?;
    ensure!(lint(&broken)?.contains("globe"), "smilint does not read the module");
    Ok(())
}
