//! `keepwatchd -t`: is the configuration good, and good for this host? In: a file. Out: diagnostics on standard error
//! (or in the file that was named), and the exit status that keepalived gives, which is not what its manual
//! page says: 0 good, 5 with mistakes, 6 insecure scripts. As there, an interface that is missing is a mistake unless
//! `dynamic_interfaces` lets it come later. Unlike there, a file that is missing is one too, and answered with the status
//! that keepalived starts with then: 6.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use keepwatch_bus::own_file;
use keepwatch_config::Diagnostics;

use crate::cli::Cli;
use crate::terminal;
use crate::worker::configuration;
use crate::worker::settings::Settings;

/// Checks and tells; the exit status.
///
/// # Errors
/// When the file for the diagnostics, or standard output for a dump, can't be written.
pub fn run(cli: &Cli) -> Result<i32> {
    // As the daemon would read it, which the command line has a say in.
    let settings = Settings::new(cli.clone());
    let loaded = configuration::load(&settings);
    let misfits = configuration::misfits(&loaded);
    let outcomes = loaded.diagnostics.outcomes().and(misfits.outcomes());
    let text = |styled| {
        let text = loaded.diagnostics.render_text(styled) + &misfits.render_text(styled);
        if text.is_empty() {
            return text;
        }
        format!(
            "{text}{}: {}\n",
            settings.file.display(),
            Diagnostics::summary([&loaded.diagnostics, &misfits])
        )
    };
    match cli.config_test.as_deref() {
        Some(log) if log != Path::new("-") => {
            let written = own_file::append(log, own_file::PRIVATE)
                .and_then(|mut file| file.write_all(text(false).as_bytes()));
            if let Err(error) = written {
                bail!("the log file {} can't be written: {}", log.display(), terminal::plain(&error));
            }
        }
        _ => {
            terminal::complain(&text(terminal::has_colours(&io::stderr())));
        }
    }
    if let Some(config) = loaded.config.as_ref().filter(|_| cli.dump_conf) {
        terminal::unless_closed(dump(config)).context("standard output")?;
    }
    Ok(i32::from(outcomes.exit_status()))
}

/// The configuration as it was understood: every default filled in, in JSON, on standard output.
///
/// # Errors
/// When standard output does not take it.
pub fn dump(config: &keepwatch_config::Config) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &config.to_json())?;
    out.write_all(b"\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tested_is_what_the_command_line_makes_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.conf");
        std::fs::write(
            &file,
            "vrrp_instance VI {\n interface kw-none\n virtual_router_id 5\n virtual_ipaddress {\n 10.0.0.9\n }\n}\n",
        )
        .unwrap();
        let log = directory.path().join("log");
        let status = |flags: &[&str]| {
            let words = ["keepwatchd".into(), "-f".into(), file.clone().into_os_string()];
            let log = format!("--config-test={}", log.display()).into();
            let words = words.into_iter().chain([log]).chain(flags.iter().map(Into::into));
            run(&Cli::read(words).unwrap()).unwrap()
        };
        assert_eq!(status(&[]), 5);
        // In a namespace there are other interfaces.
        assert_eq!(status(&["--namespace=n"]), 0);
    }
}
