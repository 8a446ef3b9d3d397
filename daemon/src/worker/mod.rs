//! worker
pub fn run(_cli: crate::cli::Cli, _r: u32, _why: Option<String>) -> anyhow::Result<i32> {
    Ok(0)
}
