//! From a path to a model: reads, parses, checks, and tells what it found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostics::{Diagnostic, Diagnostics, Outcome};
use crate::items::Items;
use crate::lower::{Draft, Places};
use crate::model::Config;
use crate::parse::Parser;
use crate::preprocess::{self, Context, Reader, Settings, Text};
use crate::source::SourceMap;

/// What the language takes from outside of the file.
#[derive(Clone, Debug)]
pub struct Options {
    /// `-i`, `--config-id`: what `@id` lines are compared with; the host's name without its domain unless given.
    pub config_id: Option<String>,
    /// Most lines that definitions, sequences and lists may make; more is an error.
    pub expansion_limit: u64,
    /// Name of this host; read from the kernel unless given.
    pub host_name: Option<String>,
    /// Are the files of scripts looked at: are they there, and can only root change them?
    pub scripts: bool,
    /// May `${_ENV NAME}` read the environment? Without it every variable is empty.
    pub environment: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config_id: None,
            expansion_limit: 2_000_000,
            host_name: None,
            scripts: true,
            environment: true,
        }
    }
}

/// What came of reading a configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The model; `None` when it cannot run at all (exit code 3).
    pub config: Option<Config>,
    /// What is wrong, or worth saying.
    pub diagnostics: Diagnostics,
    /// The files that were read, includes among them.
    pub files: Vec<PathBuf>,
    pub(crate) places: Places,
}

/// Reads and checks the configuration in a file.
///
/// Nothing fails: a file that cannot be read is a diagnostic too.
pub fn load(path: &Path, options: &Options) -> Loaded {
    match preprocess::read(path) {
        Ok(text) => read(path, text, options),
        Err(error) => {
            let mut diagnostics = Diagnostics::default();
            let message = format!("{} {error}", path.display());
            diagnostics.push(Diagnostic::error("unreadable-file", message).fatal());
            Loaded { config: None, diagnostics, files: Vec::new(), places: Places::default() }
        }
    }
}

/// Reads and checks a configuration that is in memory; `path` is what it is called, and where relative includes begin.
pub fn load_text(path: &Path, text: String, options: &Options) -> Loaded {
    read(path, text.into(), options)
}

fn read(path: &Path, text: Text, options: &Options) -> Loaded {
    let host = options.host_name.clone().unwrap_or_else(host_name);
    let mut context = Context { look_at_scripts: options.scripts, ..Context::default() };
    let settings = Settings {
        config_id: Some(options.config_id.clone().unwrap_or_else(|| short(&host).to_owned())),
        line_limit: options.expansion_limit,
        environment: options.environment,
    };
    let reader = Reader::new(settings, path, text, &mut context);
    let mut draft = Draft::default();
    let mut parser = Parser::new(Items::new(reader), &mut context);
    parser.run(&mut |node, context| draft.take(&node, context));
    let skipped = std::mem::take(&mut parser.skipped_names);
    let (config, places) = draft.finish(&skipped, &host, &mut context);
    finish(config, places, context)
}

fn finish(config: Config, places: Places, context: Context) -> Loaded {
    let Context { sources, mut diagnostics, .. } = context;
    let sources: Arc<SourceMap> = Arc::new(sources);
    let files = sources.files().map(|file| file.path.clone()).collect();
    diagnostics.set_sources(sources);
    let runs = diagnostics.outcome() != Outcome::CannotRun;
    Loaded { config: runs.then_some(config), diagnostics, files, places }
}

/// A host's name without its domain.
fn short(host: &str) -> &str {
    host.split_once('.').map_or(host, |(name, _)| name)
}

/// The kernel's name of this host.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.into(),
    }
}
