//! `keepwatchd -t`
pub fn run(_cli: &crate::cli::Cli) -> anyhow::Result<i32> {
    Ok(0)
}
