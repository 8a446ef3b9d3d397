//! Prints the reference page of the configuration language: `docs/keepalived.conf.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(keepwatch_config::reference().as_bytes())
}
