//! From a path to a model: reads, parses, checks, and tells what it found.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::iproute_names::IprouteNames;
use crate::items::Items;
use crate::kept::{Circumstances, Kept};
use crate::lower::{Draft, Places};
use crate::model::{Config, IprouteDirectories};
use crate::parse::{Parser, Reading, Repair, repair};
use crate::preprocess::{Context, MainFile, Reader, Settings, main_files, random_seed};
use crate::source::{FileId, SourceMap};
use crate::tree::Node;

/// What the language takes from outside of the file.
#[derive(Clone, Debug)]
pub struct Options {
    /// `-i`, `--config-id`: what `@id` lines are compared with; the host's name without its domain unless given.
    pub config_id: Option<String>,
    /// Most lines that definitions, sequences and lists may make; more is an error.
    pub expansion_limit: u64,
    /// `-e`, `--all-config`: every `include` is strict (as `includea`).
    pub all_files: bool,
    /// Every `include` of a file that this process may not read is a mistake, as with `includer`. For a reload: what stood
    /// in that file may be running.
    pub may_read_all: bool,
    /// Name of this host; read from the kernel unless given.
    pub host_name: Option<String>,
    /// Are the files of scripts looked at: are they there, and can only root change them?
    pub scripts: bool,
    /// May `${_ENV NAME}` read the environment? Without it every variable is empty.
    pub environment: bool,
    /// Is it to be held against other files with [`crate::check_cluster`]? Then what that looks at is kept.
    pub for_cluster: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config_id: None,
            expansion_limit: 2_000_000,
            all_files: false,
            may_read_all: false,
            host_name: None,
            scripts: true,
            environment: true,
            for_cluster: false,
        }
    }
}

/// What came of reading a configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The model; `None` when it cannot run at all.
    pub config: Option<Config>,
    /// What is wrong, or worth saying.
    pub diagnostics: Diagnostics,
    /// The files that were read, includes among them.
    pub files: Vec<PathBuf>,
    pub(crate) places: Places,
    pub(crate) comparable: Option<Box<Comparable>>,
    /// How many of the files it begins with; the others are included.
    pub(crate) mains: usize,
    pub(crate) circumstances: Circumstances,
}

/// What is held against other files: the text as it was meant, so that nothing is said that only follows from a keyword
/// that is misspelt.
#[derive(Clone, Debug)]
pub(crate) struct Comparable {
    pub(crate) config: Config,
    pub(crate) places: Places,
    /// Every block and line of the top level, in their order.
    pub(crate) blocks: Vec<Node>,
}

/// Reads and checks the configuration in a file, or in all files that a pattern stands for.
///
/// Nothing fails: a file that cannot be read is a diagnostic too.
pub fn load(path: &Path, options: &Options) -> Loaded {
    match main_files(path) {
        Ok((files, said)) => read(files, said, None, options),
        Err(diagnostic) => {
            let mut diagnostics = Diagnostics::default();
            diagnostics.push(*diagnostic);
            let mut sources = SourceMap::default();
            sources.add(path.to_path_buf(), String::new());
            diagnostics.set_sources(Arc::new(sources));
            Loaded {
                config: None,
                diagnostics,
                files: Vec::new(),
                places: Places::default(),
                comparable: None,
                mains: 0,
                circumstances: Circumstances::default(),
            }
        }
    }
}

/// Reads and checks a configuration that is in memory; `path` is what it is called, and where relative includes begin.
pub fn load_text(path: &Path, text: String, options: &Options) -> Loaded {
    read(vec![MainFile { path: path.to_path_buf(), text }], Vec::new(), None, options)
}

/// Reads and checks a configuration whose included files are kept too.
pub(crate) fn read_kept(mains: Vec<MainFile>, kept: Kept, options: &Options) -> Loaded {
    read(mains, Vec::new(), Some(Arc::new(kept)), options)
}

/// Reads it once if all is well, and again if it says where iproute2 has its names below of where it uses one. If
/// something does not fit that a wrong brace may be behind, it is read again with the braces repaired. Where a keyword is misspelt, the model leaves it out, while the diagnostics are those of the text as
/// it was meant: nothing is said that only follows from the misspelling.
fn read(mains: Vec<MainFile>, said: Vec<Diagnostic>, kept: Option<Arc<Kept>>, options: &Options) -> Loaded {
    let seed = kept.as_ref().map_or_else(random_seed, |kept| kept.seed());
    let mut source = Source { mains: mains.len(), said, kept, options, seed, iproute: None };
    let mut written = source.read(mains, None, &Repair::default());
    if written.iproute.is_some() {
        source.iproute = written.iproute.take();
        written = source.read(source.again(&written), None, &Repair::default());
    }
    let mut repair = Repair::default();
    if written.braces_in_doubt {
        repair = source.repair(source.again(&written));
        if !repair.changes.is_empty() {
            written = source.read(source.again(&written), None, &repair);
        }
    }
    if !written.misspelt {
        return written.loaded;
    }
    let wrong = written.loaded.diagnostics.lines_with_errors();
    let mut meant = source.read(source.again(&written), Some(wrong), &repair).loaded;
    meant.diagnostics.set_outcomes(written.loaded.diagnostics.outcomes());
    Loaded { diagnostics: meant.diagnostics, comparable: meant.comparable, ..written.loaded }
}

/// What is read, apart from its text.
struct Source<'a> {
    /// How many files it begins with.
    mains: usize,
    /// What is to be said of them, whatever is in them.
    said: Vec<Diagnostic>,
    /// The files that it includes, if not those that are there.
    kept: Option<Arc<Kept>>,
    options: &'a Options,
    /// Every reading sees the same `${_RANDOM}`.
    seed: u64,
    /// Where iproute2 has its names, if that is said below of where one is used.
    iproute: Option<IprouteDirectories>,
}

/// What came of reading a text once.
struct Read {
    loaded: Loaded,
    misspelt: bool,
    braces_in_doubt: bool,
    iproute: Option<IprouteDirectories>,
}

impl Source<'_> {
    /// The texts that were read, to read them again.
    fn again(&self, read: &Read) -> Vec<MainFile> {
        let files = read.loaded.diagnostics.sources().files().take(self.mains);
        files.map(|file| MainFile { path: file.path.clone(), text: file.text.clone() }).collect()
    }

    fn host(&self) -> String {
        self.options.host_name.clone().unwrap_or_else(host_name)
    }

    fn reader(&self, mains: Vec<MainFile>, context: &mut Context) -> Reader {
        let id = || short(&self.host()).to_owned();
        let settings = Settings {
            config_id: Some(self.options.config_id.clone().unwrap_or_else(id)),
            line_limit: self.options.expansion_limit,
            all_files: self.options.all_files,
            may_read_all: self.options.may_read_all,
            kept: self.kept.clone(),
            environment: self.options.environment,
            seed: self.seed,
        };
        Reader::new(settings, mains, context)
    }

    /// Finds the wrong braces.
    fn repair(&self, mains: Vec<MainFile>) -> Repair {
        let mut context = Context::default();
        // What only looks like a blank makes no brace wrong.
        context.lookalikes.meant = Some(HashSet::new());
        let items = Items::new(self.reader(mains, &mut context));
        repair(items, &mut context)
    }

    /// Reads a text with its braces repaired: as it is written, or as it was meant, where these lines had mistakes as
    /// they were written.
    fn read(&self, mains: Vec<MainFile>, meant: Option<HashSet<(FileId, usize)>>, repair: &Repair) -> Read {
        let reading = if meant.is_some() { Reading::AsMeant } else { Reading::AsWritten };
        let mut context = Context::default();
        context.look_at_scripts = self.options.scripts;
        context.lookalikes.meant = meant;
        if let Some(directories) = &self.iproute {
            context.known.iproute = IprouteNames::of(directories.clone());
        }
        let reader = self.reader(mains, &mut context);
        for diagnostic in self.said.iter().chain(&repair.diagnostics) {
            context.report(diagnostic.clone());
        }
        let mut draft = Draft::default();
        let items = Items::with_changes(reader, &repair.changes);
        let mut parser = Parser::new(items, reading, &mut context);
        let mut blocks = Vec::new();
        parser.run(&mut |node, context| {
            draft.take(&node, context);
            if self.options.for_cluster {
                blocks.push(node);
            }
        });
        let skipped = std::mem::take(&mut parser.skipped_names);
        let lost = std::mem::take(&mut parser.lost_keywords);
        let (misspelt, in_doubt) = (parser.misspelt, parser.braces_in_doubt);
        let misspelt = misspelt || context.lookalikes.found;
        // Of a text that was given up, the rest is not known.
        let braces_in_doubt = in_doubt && !context.stopped;
        let iproute = context.known.iproute.too_late().cloned();
        let (config, places) = draft.finish(&skipped, &self.host(), &mut context);
        context.diagnostics.drop_missing(&lost);
        if !context.lost_names.is_empty() {
            context.diagnostics.drop_undefined(&context.lost_names);
        }
        context.judge_files();
        context.circumstances.seed = self.seed;
        let mut loaded = finish(config, places, self.mains, context);
        if self.options.for_cluster {
            loaded.comparable = loaded
                .config
                .clone()
                .map(|config| Box::new(Comparable { config, places: loaded.places.clone(), blocks }));
        }
        Read { loaded, misspelt, braces_in_doubt, iproute }
    }
}

fn finish(config: Config, places: Places, mains: usize, context: Context) -> Loaded {
    let Context { sources, mut diagnostics, circumstances, .. } = context;
    let sources: Arc<SourceMap> = Arc::new(sources);
    let files = sources.files().map(|file| file.path.clone()).collect();
    diagnostics.set_sources(sources);
    let runs = diagnostics.outcomes().worst().runs();
    Loaded {
        config: runs.then_some(config),
        diagnostics,
        files,
        places,
        comparable: None,
        mains,
        circumstances,
    }
}

/// A host's name without its domain.
fn short(host: &str) -> &str {
    host.split_once('.').map_or(host, |(name, _)| name)
}

/// The kernel's name of this host.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        // The second is the kernel's own, of a host that nobody named.
        "" | "(none)" => "localhost".into(),
        name => name.into(),
    }
}
