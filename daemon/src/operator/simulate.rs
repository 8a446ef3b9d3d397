//! `keepwatch simulate`: what would happen to the virtual routers of some configurations if this or that went wrong. The
//! machines are the daemon's own; the network and the time are simulated, so an hour takes a moment. Without files, LANs
//! thrown by dice: does any break a rule?

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use keepwatch_bus::Counters;
use keepwatch_bus::subject::VrrpState;
use keepwatch_config::{Diagnostics, Options};
use keepwatch_simulate::history::{Span, Track};
use keepwatch_simulate::{History, Lan, cluster, fault, seeds, story};
use keepwatch_vrrp::Definitions;

use super::input;
use crate::terminal;
use crate::worker::configuration::options;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configurations of the cluster, one a host: the hosts are called A, B, C …
    #[arg(required_unless_present_any = ["seed", "seeds"])]
    files: Vec<PathBuf>,
    /// Which lines that begin with @ID count: once for all hosts, or once for each, be it of a file each or all of one file:
    /// `-i lvs1 -i lvs2 pair.conf` [default: the host's name]
    #[arg(short = 'i', long = "config-id", value_name = "ID")]
    config_ids: Vec<String>,
    /// Most lines that definitions, sequences and lists may make [default: 2000000]
    #[arg(long, value_name = "LINES")]
    expansion_limit: Option<u64>,
    /// What goes wrong, as often as needed: `A down at 10s`, `A crash at 10s for 5s`, `B eth0 down at 20s`, `A freeze at 10s for
    /// 3s`, `B track chk down at 30s`, `cut A B at 40s for 5s`, `cut A > B at 40s`, `loss 30% at 50s`
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<String>,
    /// How long to look
    #[arg(long = "for", value_name = "TIME", default_value = "60s")]
    length: String,
    /// Draw the timeline into this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Chance, where something depends on it; without files: run this LAN thrown by dice, and tell its story
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Without files: run so many LANs thrown by dice, and tell of the first that breaks a rule
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["files", "faults", "svg", "json"])]
    seeds: Option<u64>,
    /// In JSON, for programs; times are in microseconds
    #[arg(long)]
    json: bool,
}

/// Runs it. Exit status 1 if a rule is broken, or no configuration can run.
pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode> {
    match (arguments.seeds, arguments.seed) {
        (Some(count), first) => many(first.unwrap_or(0), count, out),
        (None, Some(seed)) if arguments.files.is_empty() => one(seed, arguments, out),
        (None, seed) => of_files(seed.unwrap_or(0), arguments, out),
    }
}

fn many(first: u64, count: u64, out: &mut impl Write) -> Result<ExitCode> {
    let mut simulated = 0;
    for seed in first..first.saturating_add(count) {
        let verdict = seeds::run(seed);
        simulated += verdict.end;
        if let Some(broken) = verdict.broken {
            writeln!(out, "seed {seed}: {}", verdict.shape)?;
            out.write_all(story::timeline(&verdict.history).as_bytes())?;
            writeln!(out, "{:.3} s: {}", broken.at as f64 / 1e6, broken.how)?;
            writeln!(out, "to see it again: keepwatch simulate --seed {seed}")?;
            return Ok(ExitCode::FAILURE);
        }
    }
    writeln!(out, "{count} LANs, {} hours of their time: no rule was broken", simulated / 3_600_000_000)?;
    Ok(ExitCode::SUCCESS)
}

fn one(seed: u64, arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode> {
    let verdict = seeds::run(seed);
    if !arguments.json {
        writeln!(out, "seed {seed}: {}\n", verdict.shape)?;
    }
    tell(&verdict.history, verdict.end, arguments, out)?;
    match verdict.broken {
        None => Ok(ExitCode::SUCCESS),
        Some(broken) => {
            terminal::complain(&format!(
                "a rule was broken at {:.3} s: {}\n",
                broken.at as f64 / 1e6,
                broken.how
            ));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn of_files(seed: u64, arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode> {
    let hosts = hosts(&arguments.files, &arguments.config_ids)?;
    let files: Vec<PathBuf> = hosts.iter().map(|(file, _)| file.clone()).collect();
    input::stdin_at_most_once(&files)?;
    // Names of hosts stand in the options of the command line alone, and no script is run.
    let options = Options { scripts: false, ..options(None, arguments.expansion_limit, false) };
    let counters = Counters::default();
    let mut configurations = Vec::new();
    let mut told: Vec<String> = Vec::new();
    for ((file, config_id), letter) in hosts.iter().zip('A'..='Z') {
        let loaded = input::load(file, &Options { config_id: config_id.clone(), ..options.clone() })?;
        // What a mistake leaves out is not simulated either. One file may stand for several hosts.
        if loaded.config.is_some() && loaded.diagnostics.has_errors() {
            let text = loaded.diagnostics.render_text(terminal::has_colours(&io::stderr()));
            let summary = Diagnostics::summary([&loaded.diagnostics]);
            let text =
                format!("{text}{}: {summary}; this is simulated without them\n", input::name(file).display());
            if !told.contains(&text) {
                terminal::complain(&text);
                told.push(text);
            }
        }
        let config = match loaded.config {
            Some(config) if !config.instances.is_empty() => config,
            Some(_) => bail!("{}: there is no vrrp_instance in it", input::name(file).display()),
            None => {
                terminal::complain(&loaded.diagnostics.render_text(terminal::has_colours(&io::stderr())));
                bail!("{}: it can't run", input::name(file).display());
            }
        };
        configurations.push((letter.to_string(), Definitions::from_config(&config, &counters)));
    }
    if configurations.len() < hosts.len() {
        bail!("more than 26 hosts");
    }
    let cluster = cluster::of(configurations);
    let mut head = String::new();
    for (plan, (file, config_id)) in cluster.plans.iter().zip(&hosts) {
        let config_id = config_id.as_ref().map(|id| format!(" as {id}")).unwrap_or_default();
        head.push_str(&format!("{}  {}{config_id}\n", plan.name, input::name(file).display()));
    }
    for assumed in &cluster.assumed {
        head.push_str(&format!("assumed: {assumed}\n"));
    }
    let end = fault::time(&arguments.length).map_err(|problem| anyhow!("--for: {problem}"))?;
    let mut lan = Lan::new(seed, cluster.plans);
    let faults = fault::schedule(&arguments.faults, &lan, end);
    let faults = faults.map_err(|problem| anyhow!("--fault: {problem}"))?;
    fault::run(&mut lan, faults, end).map_err(|problem| anyhow!("--fault: {problem}"))?;
    if !arguments.json {
        writeln!(out, "{head}")?;
    }
    tell(&lan.history, end, arguments, out)?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration of each host, and which of its lines that begin with @ID count.
fn hosts(files: &[PathBuf], ids: &[String]) -> Result<Vec<(PathBuf, Option<String>)>> {
    let id = |id: &String| Some(id.clone());
    match (files, ids) {
        (_, []) => Ok(files.iter().map(|file| (file.clone(), None)).collect()),
        (_, [one]) => Ok(files.iter().map(|file| (file.clone(), id(one))).collect()),
        ([file], _) => Ok(ids.iter().map(|one| (file.clone(), id(one))).collect()),
        (_, _) if files.len() == ids.len() => Ok(files.iter().cloned().zip(ids.iter().map(id)).collect()),
        (_, _) => bail!(
            "`--config-id` is there {} times, and there are {} files: give it once for all of them, or once for each",
            ids.len(),
            files.len()
        ),
    }
}

fn tell(history: &History, end: u64, arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    if let Some(path) = &arguments.svg {
        draw(path, history, end)?;
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &json(history, end)).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(story::text(history, end).as_bytes())?;
    }
    Ok(())
}

fn draw(path: &Path, history: &History, end: u64) -> Result<()> {
    fs::write(path, story::svg(history, end)).with_context(|| path.display().to_string())
}

/// Who was master when, outages and split brain.
fn json(history: &History, end: u64) -> serde_json::Value {
    let span = |span: &Span| serde_json::json!({ "from": span.from, "to": span.to });
    let spans = |all: Vec<Span>| all.iter().map(span).collect::<Vec<_>>();
    let courses = history.courses.iter().map(|course| {
        let on_hosts = |of: fn(&Track, u64) -> Vec<Span>| -> Vec<serde_json::Value> {
            let all = course.tracks.iter().flat_map(|track| {
                let host = &history.hosts[track.host];
                let told = |s: Span| serde_json::json!({ "host": host, "from": s.from, "to": s.to });
                of(track, end).into_iter().map(told).collect::<Vec<_>>()
            });
            all.collect()
        };
        serde_json::json!({
            "instance": course.name,
            "masters": on_hosts(|track, end| track.spans(VrrpState::Master, end)),
            "outages": spans(course.outages(end)),
            "split_brain": spans(course.split_brain(end)),
            "standing_still": on_hosts(Track::standing_still),
            "addresses_left": on_hosts(Track::left),
        })
    });
    serde_json::json!({ "end": end, "hosts": history.hosts, "instances": courses.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn simulated(words: &[&str]) -> Result<String> {
        let line = Line::try_parse_from(["simulate"].iter().chain(words)).unwrap();
        let mut out = Vec::new();
        run(&line.arguments, &mut out).map(|_| String::from_utf8(out).unwrap())
    }

    #[test]
    fn one_file_with_lines_for_each_host_is_as_many_hosts_as_ids_are_given() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pair.conf");
        let instance = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 51\n@one priority 150\n@two priority 90\n\
                        virtual_ipaddress {\n10.0.0.1\n}\n}\n";
        fs::write(&path, instance).unwrap();
        let file = path.to_str().unwrap();
        for words in [["-i", "one", "-i", "two", file].as_slice(), &["-i", "one", "-i", "two", file, file]] {
            let said = simulated(words).unwrap();
            assert!(said.starts_with(&format!("A  {file} as one\nB  {file} as two\n")), "{said}");
            for priority in ["A  V: INIT → BACKUP (priority 150)", "B  V: INIT → BACKUP (priority 90)"] {
                assert!(said.contains(priority), "{priority} in\n{said}");
            }
        }
        // Once is for all.
        let said = simulated(&["-i", "two", file, file]).unwrap();
        assert!(said.contains("A  V: INIT → BACKUP (priority 90)"), "{said}");
        assert!(said.contains("B  V: INIT → BACKUP (priority 90)"), "{said}");

        let refused = simulated(&["-i", "one", "-i", "two", file, file, file]).unwrap_err().to_string();
        assert_eq!(
            refused,
            "`--config-id` is there 2 times, and there are 3 files: give it once for all of them, or once for each"
        );
        // Nothing is told before what it would be told of is refused.
        for words in [["--for", "soon", file], ["--fault", "A explodes at 1s", file]] {
            let line = Line::try_parse_from(["simulate"].iter().chain(&words)).unwrap();
            let mut out = Vec::new();
            run(&line.arguments, &mut out).map(drop).unwrap_err();
            assert!(out.is_empty(), "{}", String::from_utf8_lossy(&out));
        }
        let refused = simulated(&["-i", "one", "-i", "two", "-"]).unwrap_err().to_string();
        assert!(refused.contains("can be read only once"), "{refused}");
    }
}
