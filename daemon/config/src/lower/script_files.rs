//! Are the scripts there, and is it safe to run them?
//!
//! Goes in: every command of the configuration with its place. Comes out: what keepalived says of them too: a script
//! that is not there or may not be executed, and scripts run without `enable_script_security` (exit status 6); a
//! `vrrp_script` that cannot be run is in the model no more. Only looks at the files, and runs nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use keepwatch_process::search_path;
use keepwatch_process::security::{self, Flaw};

use super::script_user;
use crate::accounts::Accounts;
use crate::diagnostics::Diagnostic;
use crate::encoding;
use crate::model::{Config, Global, LeftOutScript, Name, Tracking};
use crate::preprocess::{Command, Context};

/// Looks at each command, and takes those `vrrp_script`s out of the model that cannot be run.
pub(super) fn check(config: &mut Config, context: &mut Context) {
    let commands = std::mem::take(&mut context.commands);
    let nobody = script_user::is_nobody(&config.global, &commands, context);
    let mut runs = None;
    // With why.
    let left_out = std::mem::take(&mut config.left_out_scripts);
    let mut disabled: BTreeMap<Name, String> =
        left_out.into_iter().map(|script| (script.name, script.why)).collect();
    for command in commands {
        if nobody && command.user.is_none() {
            disabled.extend(command.tracked.map(|script| (script, "there is nobody to run it".to_owned())));
            continue;
        }
        // `</PATH` only asks whether a file can be opened.
        if command.argv.first().is_some_and(|program| program.starts_with('<')) {
            continue;
        }
        let flaw = look(&command, &config.global, &context.accounts);
        if !matches!(flaw, Some(Flaw::Missing(_) | Flaw::Unreachable(_))) {
            runs = runs.or(Some(command.at));
        }
        if let Some(flaw) = flaw {
            let diagnostic = diagnostic(&flaw, &command, config);
            disabled.extend(command.tracked.map(|script| (script, diagnostic.message.clone())));
            context.report(diagnostic);
        }
    }
    if !disabled.is_empty() {
        forget(config, &disabled);
    }
    if let Some(at) = runs.filter(|_| !config.global.enable_script_security) {
        context.report(
            Diagnostic::warning("script-security", "scripts are run without `enable_script_security`")
                .unsafe_script()
                .at(at, "for example this one")
                .help("write `enable_script_security` in `global_defs`; scripts that others than root can change are then not run as root"),
        );
    }
}

/// By the rule that holds when it is to be run, too.
fn look(command: &Command, global: &Global, accounts: &Accounts) -> Option<Flaw> {
    let argv: Vec<OsString> = command.argv.iter().map(|word| encoding::os_string(word)).collect();
    let who = script_user::ids(command.user.as_ref(), global, accounts);
    security::look(&argv, who, global.enable_script_security, &search_path()).err()
}

fn diagnostic(flaw: &Flaw, command: &Command, config: &Config) -> Diagnostic {
    let (code, message, label) = match flaw {
        Flaw::Missing(file) => ("script-not-found", format!("there is no script `{file}`"), "cannot be run"),
        Flaw::Directory(path) => {
            ("script-not-executable", format!("`{}` is a directory", path.display()), "cannot be run")
        }
        Flaw::Unreachable(path) => (
            "script-not-executable",
            format!("who runs this may not go through `{}`", path.display()),
            "cannot be run",
        ),
        Flaw::NotExecutable(path) => (
            "script-not-executable",
            format!("`{}` may not be executed by who should run it", path.display()),
            "cannot be run",
        ),
        Flaw::NoInterpreter { script, interpreter } => {
            ("script-interpreter", security::no_interpreter(script, interpreter, "`"), "cannot be run")
        }
        Flaw::Owner { path, .. } | Flaw::Writable { path, .. } => (
            "script-insecure",
            format!("others than root can change `{}`", path.display()),
            "not run as root",
        ),
    };
    let diagnostic = Diagnostic::warning(code, message).at(command.at, label);
    let diagnostic =
        match flaw {
            Flaw::Missing(_) | Flaw::Directory(_) | Flaw::Unreachable(_) => diagnostic,
            Flaw::NotExecutable(path) => diagnostic.help(format!("`chmod +x {}`", path.display())),
            Flaw::NoInterpreter { script, interpreter }
                if interpreter.as_os_str().as_bytes().ends_with(b"\r") =>
            {
                diagnostic.help(format!("`sed -i 's/\\r$//' {}`", script.display()))
            }
            Flaw::NoInterpreter { .. } => diagnostic,
            Flaw::Owner { path, .. } => diagnostic
                .help(format!("`enable_script_security` forbids it; `chown root {}`", path.display())),
            Flaw::Writable { path, .. } => diagnostic
                .help(format!("`enable_script_security` forbids it; `chmod go-w {}`", path.display())),
        };
    let Some(script) = &command.tracked else { return diagnostic };
    let diagnostic = diagnostic.help(consequence(script, config));
    match flaw {
        // keepalived counts these among what it runs as it is written, and does not run them.
        Flaw::NotExecutable(_) | Flaw::NoInterpreter { .. } => diagnostic,
        Flaw::Missing(_)
        | Flaw::Directory(_)
        | Flaw::Unreachable(_)
        | Flaw::Owner { .. }
        | Flaw::Writable { .. } => diagnostic.changes(),
    }
}

/// The instances and groups that follow a script.
fn followers(script: &Name, config: &Config) -> Vec<Name> {
    let tracks = |tracking: &Tracking| tracking.scripts.iter().any(|tracked| tracked.name == *script);
    let instances = config.instances.iter().filter(|instance| tracks(&instance.tracking));
    let groups = config.sync_groups.iter().filter(|group| tracks(&group.tracking));
    instances.map(|instance| &instance.name).chain(groups.map(|group| &group.name)).cloned().collect()
}

/// What it means that a `vrrp_script` is left out.
fn consequence(script: &Name, config: &Config) -> String {
    let names: Vec<String> = followers(script, config).iter().map(|name| format!("`{name}`")).collect();
    match &*names {
        [] => "it is left out, and is never run".to_owned(),
        [one] => format!(
            "it is never run, and {one} goes on without this check: it will not notice when it would fail"
        ),
        several => format!(
            "it is never run, and {} go on without this check: they will not notice when it would fail",
            several.join(", ")
        ),
    }
}

/// Takes scripts out of the model, and out of what is tracked. Those that are missed there stand in a list of their own.
fn forget(config: &mut Config, disabled: &BTreeMap<Name, String>) {
    let left_out = disabled.iter().filter_map(|(name, why)| {
        let followers = followers(name, config);
        (!followers.is_empty()).then(|| LeftOutScript { name: name.clone(), why: why.clone(), followers })
    });
    config.left_out_scripts = left_out.collect();
    config.track_scripts.retain(|script| !disabled.contains_key(&script.name));
    let instances = config.instances.iter_mut().filter_map(|instance| instance.tracking.written());
    let groups = config.sync_groups.iter_mut().map(|group| &mut group.tracking);
    for tracking in instances.chain(groups) {
        tracking.scripts.retain(|script| !disabled.contains_key(&script.name));
    }
}
