//! The command line of `keepwatchd`: keepalived(8)'s flags, long names and meanings, and our own settings.
//! In: the arguments. Out: [`Cli`], or an error for a flag that we do not have: a flag that would do nothing is
//! refused, never swallowed.

mod values;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::core_dump;
use crate::logging::form::Form;
use crate::logging::levels;
use values::{parse_agent, parse_facility, parse_listen, parse_umask};

pub use values::{DataplaneKind, Facility, Listen, Signum};

/// Exit status of a wrong command line, as keepalived's.
pub const EXIT_USAGE: i32 = 1;

/// The command line of `keepwatchd`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "keepwatchd",
    version,
    about = "Failover and health-check daemon that reads keepalived.conf and can always tell what happened and why",
    disable_version_flag = true,
    args_override_self = true,
    max_term_width = 110
)]
pub struct Cli {
    /// Read this configuration; a pattern such as '/etc/keepalived/*.conf' stands for all its files, read as one
    /// [default: /etc/keepwatch/keepalived.conf, else /etc/keepalived/keepalived.conf]
    #[arg(short = 'f', long = "use-file", value_name = "FILE")]
    pub use_file: Option<PathBuf>,

    /// Run only the virtual routers
    #[arg(short = 'P', long = "vrrp", conflicts_with = "check")]
    pub vrrp: bool,

    /// Run only the health checkers and virtual servers
    #[arg(short = 'C', long = "check")]
    pub check: bool,

    /// Don't run BFD: sessions are not opened, and nothing follows them
    #[arg(short = 'B', long = "no_bfd")]
    pub no_bfd: bool,

    /// Run all parts, also those that have no configuration: what keepwatchd always does
    #[arg(long)]
    pub all: bool,

    /// Log to the console as well (with --dont-fork)
    #[arg(short = 'l', long = "log-console")]
    pub log_console: bool,

    /// Log in more detail
    #[arg(short = 'D', long = "log-detail", action = ArgAction::Count)]
    pub log_detail: u8,

    /// Syslog facility: 0-7, local0-local7, user or daemon
    #[arg(short = 'S', long = "log-facility", value_name = "FACILITY", default_value = "daemon", value_parser = parse_facility)]
    pub log_facility: Facility,

    /// Log to this file as well
    #[arg(short = 'g', long = "log-file", value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Write each line to the log file at once, which is done in any case
    #[arg(long = "flush-log-file")]
    pub flush_log_file: bool,

    /// Do not log to syslog (nor to the journal)
    #[arg(short = 'G', long = "no-syslog")]
    pub no_syslog: bool,

    /// Drop virtual addresses when a reload makes a master backup: what keepwatchd always does
    #[arg(short = 'X', long = "release-vips")]
    pub release_vips: bool,

    /// File-creation mask, in octal (0…), hexadecimal (0x…) or decimal
    #[arg(short = 'u', long = "umask", value_name = "MASK", value_parser = parse_umask)]
    pub umask: Option<u32>,

    /// Leave the virtual addresses in place on exit
    #[arg(short = 'V', long = "dont-release-vrrp")]
    pub dont_release_vrrp: bool,

    /// Leave the IPVS table in place on exit
    #[arg(short = 'I', long = "dont-release-ipvs")]
    pub dont_release_ipvs: bool,

    /// Do not restart a worker that died or hangs
    #[arg(short = 'R', long = "dont-respawn")]
    pub dont_respawn: bool,

    /// Stay in the foreground
    #[arg(short = 'n', long = "dont-fork")]
    pub dont_fork: bool,

    /// Dump the configuration, as it was understood, to standard output at the start
    #[arg(short = 'd', long = "dump-conf")]
    pub dump_conf: bool,

    /// Pid file of the daemon
    #[arg(short = 'p', long = "pid", value_name = "FILE")]
    pub pid: Option<PathBuf>,

    /// Pid file of the process that runs the virtual routers
    #[arg(short = 'r', long = "vrrp_pid", value_name = "FILE")]
    pub vrrp_pid: Option<PathBuf>,

    /// Pid file of the process that runs the checkers
    #[arg(short = 'c', long = "checkers_pid", value_name = "FILE")]
    pub checkers_pid: Option<PathBuf>,

    /// Pid file of the process that runs BFD; none is written unless this names one
    #[arg(short = 'b', long = "bfd_pid", value_name = "FILE")]
    pub bfd_pid: Option<PathBuf>,

    /// Log every address that comes or goes on this host, whoever puts it there
    #[arg(short = 'a', long = "address-monitoring")]
    pub address_monitoring: bool,

    /// Serve SNMP as a subagent of snmpd
    #[arg(short = 'x', long = "snmp")]
    pub snmp: bool,

    /// Socket of the SNMP master agent
    #[arg(short = 'A', long = "snmp-agent-socket", value_name = "SOCKET", value_parser = parse_agent)]
    pub snmp_agent_socket: Option<String>,

    /// Let a core be written by a process that ends abnormally
    #[arg(short = 'm', long = "core-dump")]
    pub core_dump: bool,

    /// The same, and set the host's /proc/sys/kernel/core_pattern until the end [default: core]
    #[arg(
        short = 'M',
        long = "core-dump-pattern",
        value_name = "PATTERN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = core_dump::DEFAULT_PATTERN
    )]
    pub core_dump_pattern: Option<String>,

    /// Take a file that an include names and that is missing for an error, as includea does
    #[arg(short = 'e', long = "all-config")]
    pub all_config: bool,

    /// Which lines that begin with @ID count [default: the host's name]
    #[arg(short = 'i', long = "config-id", value_name = "ID")]
    pub config_id: Option<String>,

    /// Run in this network namespace, whatever the configuration says
    #[arg(short = 's', long = "namespace", value_name = "NAME")]
    pub namespace: Option<String>,

    /// Ignore SIGINT, for a debugger; it is a clean stop otherwise
    #[arg(long)]
    pub ignore_sigint: bool,

    /// Become genhash, with the arguments that follow; to be the first argument
    #[arg(short = 'T', long = "genhash")]
    pub genhash: bool,

    /// Check the configuration and exit: 0 good, 5 with mistakes, 6 insecure scripts or a file is missing
    #[arg(
        short = 't',
        long = "config-test",
        value_name = "LOG_FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-"
    )]
    pub config_test: Option<PathBuf>,

    /// Print the number of a signal and exit
    #[arg(long = "signum", value_name = "SIGFUNC")]
    pub signum: Option<Signum>,

    /// Where virtual servers are programmed: the kernel's IPVS, a table in memory, or nowhere (published only)
    #[arg(long, value_name = "KIND", help_heading = "keepwatch")]
    pub dataplane: Option<DataplaneKind>,

    /// How lines on the console and in the log file look
    #[arg(long, value_name = "FORMAT", default_value = "keepalived", help_heading = "keepwatch")]
    pub log_format: Form,

    /// How much is logged of a subsystem (or of all): debug, info, warning or error; may be given several times
    #[arg(long, value_name = "SUBSYSTEM=LEVEL", help_heading = "keepwatch", value_delimiter = ',', value_parser = levels::parse)]
    pub log_level: Vec<levels::Wish>,

    /// Most lines that the configuration's definitions, sequences and lists may make [default: 2000000]
    #[arg(long, value_name = "LINES", help_heading = "keepwatch")]
    pub expansion_limit: Option<u64>,

    /// Address of the HTTP server with /metrics, or "none" [default: 127.0.0.1:9165]
    #[arg(long, value_name = "ADDRESS", help_heading = "keepwatch", value_parser = parse_listen)]
    pub listen: Option<Listen>,

    /// TLS and users of the HTTP server, in the format of Prometheus's web-config files
    #[arg(long, value_name = "FILE", help_heading = "keepwatch")]
    pub web_config_file: Option<PathBuf>,

    /// Socket of the `keepwatch` command [default: beside --pid, else /run/keepwatch/control.sock]
    #[arg(long, value_name = "PATH", help_heading = "keepwatch")]
    pub control_socket: Option<PathBuf>,

    /// File that keeps the last events over a restart, or "none" [default: /var/lib/keepwatch/history.jsonl]
    #[arg(long, value_name = "PATH", help_heading = "keepwatch")]
    pub history_file: Option<PathBuf>,

    /// Size that the history file may reach
    #[arg(long, value_name = "BYTES", help_heading = "keepwatch")]
    pub history_bytes: Option<u64>,

    /// Print the version and exit
    #[arg(short = 'v', long = "version", action = ArgAction::Version)]
    version: Option<bool>,

    /// Whether it was started by the name `keepalived` ([`AS_KEEPALIVED`]): its pid files then are where keepalived has
    /// them, and no port is opened that nobody asked for.
    #[arg(skip)]
    pub as_keepalived: bool,
}

/// The name by which it stands in for keepalived.
pub const AS_KEEPALIVED: &str = "keepalived";

impl Cli {
    /// Reads the arguments (the first is the program's name).
    ///
    /// # Errors
    /// For an unknown flag, a wrong value, or a request for help or the version; print it and exit with
    /// [`exit_status`].
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let arguments: Vec<_> = arguments.into_iter().collect();
        let called = arguments.first().map(Path::new).and_then(Path::file_name);
        let as_keepalived = called.is_some_and(|called| called == AS_KEEPALIVED);
        let matches = Self::command().try_get_matches_from(arguments)?;
        Ok(Self { as_keepalived, ..Self::from_arg_matches(&matches)? })
    }

    /// Where virtual servers are programmed.
    pub fn dataplane(&self) -> DataplaneKind {
        self.dataplane.unwrap_or(DataplaneKind::Ipvs)
    }

    /// Makes every path absolute, as seen from `directory`.
    pub fn absolute(mut self, directory: &Path) -> Self {
        // Braces may hold whole paths: `{/etc/a.conf,/etc/b.conf}`.
        if let Some(file) = &mut self.use_file
            && !file.as_os_str().as_bytes().starts_with(b"{/")
        {
            *file = directory.join(&file);
        }
        let paths = [
            &mut self.log_file,
            &mut self.pid,
            &mut self.vrrp_pid,
            &mut self.checkers_pid,
            &mut self.bfd_pid,
            &mut self.web_config_file,
            &mut self.control_socket,
        ];
        for path in paths.into_iter().flatten() {
            *path = directory.join(&path);
        }
        // These two may be a word instead: "none", or "-" for standard error.
        for path in [&mut self.history_file, &mut self.config_test].into_iter().flatten() {
            if path != Path::new("none") && path != Path::new("-") {
                *path = directory.join(&path);
            }
        }
        self
    }
}

/// The exit status for what [`Cli::read`] refused: 0 for help and version, else keepalived's 1.
pub fn exit_status(error: &clap::Error) -> i32 {
    if error.use_stderr() { EXIT_USAGE } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(std::iter::once("keepwatchd").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn keepalived_flags_are_read_in_short_and_long_form() {
        let short = read(
            "-n -l -D -D -f a.conf -p p -r r -c c -P -V -I -R -G -x -A unix:/s -i id -S 3 -s n -B -X -b b -a -m -M -e -T",
        )
        .unwrap();
        let long = read(
            "--dont-fork --log-console --log-detail --log-detail --use-file=a.conf --pid=p --vrrp_pid=r --checkers_pid=c \
             --vrrp --dont-release-vrrp --dont-release-ipvs --dont-respawn --no-syslog --snmp \
             --snmp-agent-socket=unix:/s --config-id=id --log-facility=local3 --namespace=n --no_bfd --release-vips \
             --bfd_pid=b --address-monitoring --core-dump --core-dump-pattern --all-config --genhash",
        )
        .unwrap();
        assert_eq!(format!("{short:?}"), format!("{long:?}"));
        assert_eq!(short.log_detail, 2);
        assert_eq!(short.log_facility, Facility(libc::LOG_LOCAL3));
    }

    #[test]
    fn of_a_flag_that_is_given_twice_the_last_counts_as_for_keepalived() {
        let cli = read("-n -G -D -p a -n -G -D -p b").unwrap();
        assert_eq!((cli.pid, cli.log_detail), (Some("b".into()), 2));
    }

    #[test]
    fn a_flag_that_does_not_exist_is_an_error() {
        for line in
            ["-Z", "--debug", "stray", "-P -C", "-S local9", "--dataplane=magic", "--signum=TDATA", "-M core"]
        {
            let error = read(line).expect_err(line);
            assert_eq!(exit_status(&error), EXIT_USAGE, "{line}");
        }
    }

    #[test]
    fn config_test_takes_its_file_only_after_an_equals_sign() {
        assert_eq!(read("-t -f x").unwrap().config_test, Some("-".into()));
        assert_eq!(read("--config-test=log -f x").unwrap().config_test, Some("log".into()));
        assert_eq!(read("-f x").unwrap().config_test, None);
    }

    #[test]
    fn paths_are_made_absolute() {
        for (file, absolute) in
            [("a.conf", "/d/a.conf"), ("/a", "/a"), ("{a,b}", "/d/{a,b}"), ("{/a,/b}", "{/a,/b}")]
        {
            let cli = read(&format!("-p p --web-config-file w -f {file}")).unwrap().absolute(Path::new("/d"));
            assert_eq!(cli.use_file, Some(absolute.into()));
            assert_eq!(cli.pid, Some("/d/p".into()));
            assert_eq!(cli.web_config_file, Some("/d/w".into()));
        }
    }

    #[test]
    fn a_listen_address_may_leave_out_the_port_and_nothing_else() {
        for (text, address) in [
            ("::1", "[::1]:9165"),
            ("[::]:80", "[::]:80"),
            ("10.0.0.1", "10.0.0.1:9165"),
            ("[::1]", "[::1]:9165"),
        ] {
            assert_eq!(parse_listen(text), Ok(Listen::At(address.parse().unwrap())), "{text}");
        }
        for text in ["none", "off"] {
            assert_eq!(parse_listen(text), Ok(Listen::Nowhere));
        }
        for text in ["banana", "", "127.0.0.1:", "127.0.0.1:99999", ":9165", "localhost:9165", "10.0.0.300"] {
            let error = read(&format!("--listen={text}")).expect_err(text);
            assert_eq!(exit_status(&error), EXIT_USAGE, "{text}");
        }
    }

    #[test]
    fn help_and_version_exit_with_zero() {
        for line in ["-h", "--help", "-v", "--version"] {
            assert_eq!(exit_status(&read(line).expect_err(line)), 0, "{line}");
        }
    }

    #[test]
    fn umask_is_read_in_every_base() {
        assert_eq!(read("-u 022").unwrap().umask, Some(0o22));
        assert_eq!(read("-u 0x1f").unwrap().umask, Some(0x1f));
        assert_eq!(read("-u 18").unwrap().umask, Some(0o22));
        assert!(read("-u 01000").is_err());
    }
}
