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
use keepwatch_config::Options;
use keepwatch_simulate::history::Span;
use keepwatch_simulate::{History, Lan, Scheduled, cluster, fault, seeds, story};
use keepwatch_vrrp::Definitions;

use super::input;
use crate::terminal;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configurations of the cluster, one a host: the hosts are called A, B, C …
    #[arg(required_unless_present_any = ["seed", "seeds"])]
    files: Vec<PathBuf>,
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
pub(super) fn run(arguments: &Arguments, options: &Options, out: &mut impl Write) -> Result<ExitCode> {
    match (arguments.seeds, arguments.seed) {
        (Some(count), first) => many(first.unwrap_or(0), count, out),
        (None, Some(seed)) if arguments.files.is_empty() => one(seed, arguments, out),
        (None, seed) => of_files(seed.unwrap_or(0), arguments, options, out),
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

fn of_files(seed: u64, arguments: &Arguments, options: &Options, out: &mut impl Write) -> Result<ExitCode> {
    input::stdin_at_most_once(&arguments.files)?;
    // Names of hosts stand in the options of the command line alone, and no script is run.
    let options = Options { scripts: false, for_cluster: arguments.files.len() > 1, ..options.clone() };
    let counters = Counters::default();
    let mut configurations = Vec::new();
    for (file, letter) in arguments.files.iter().zip('A'..='Z') {
        let loaded = input::load(file, &options)?;
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
    if configurations.len() < arguments.files.len() {
        bail!("more than 26 hosts");
    }
    let cluster = cluster::of(configurations);
    if !arguments.json {
        for (plan, file) in cluster.plans.iter().zip(&arguments.files) {
            writeln!(out, "{}  {}", plan.name, input::name(file).display())?;
        }
        cluster.assumed.iter().try_for_each(|assumed| writeln!(out, "assumed: {assumed}"))?;
        writeln!(out)?;
    }
    let end = fault::time(&arguments.length).map_err(|problem| anyhow!("--for: {problem}"))?;
    let history = simulate(Lan::new(seed, cluster.plans), &arguments.faults, end)?;
    tell(&history, end, arguments, out)?;
    Ok(ExitCode::SUCCESS)
}

/// Starts every host, and lets the faults happen at their times.
fn simulate(mut lan: Lan, faults: &[String], end: u64) -> Result<History> {
    let mut schedule = Vec::new();
    for text in faults {
        schedule.extend(Scheduled::parse(text, &lan).map_err(|problem| anyhow!("--fault: {problem}"))?);
    }
    schedule.sort_by_key(|scheduled| scheduled.at);
    (0..lan.hosts.len()).for_each(|host| lan.start(host));
    for Scheduled { at, fault } in schedule.into_iter().take_while(|scheduled| scheduled.at < end) {
        lan.run_until(at, &mut |_| {});
        fault.happen(&mut lan);
    }
    lan.run_until(end, &mut |_| {});
    Ok(lan.history)
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
        let masters = course.tracks.iter().flat_map(|track| {
            let host = &history.hosts[track.host];
            let spans = track.spans(VrrpState::Master, end);
            spans.into_iter().map(move |s| serde_json::json!({ "host": host, "from": s.from, "to": s.to }))
        });
        serde_json::json!({
            "instance": course.name,
            "masters": masters.collect::<Vec<_>>(),
            "outages": spans(course.outages(end)),
            "split_brain": spans(course.split_brain(end)),
        })
    });
    serde_json::json!({ "end": end, "hosts": history.hosts, "instances": courses.collect::<Vec<_>>() })
}
