//! `keepwatch check`
pub(super) fn run(
    _f: &[std::path::PathBuf],
    _c: Option<String>,
    _j: bool,
    _o: &mut impl std::io::Write,
) -> anyhow::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
