//! What is tracked by name: does it exist, and what weight does its definition have.

use std::collections::{HashMap, HashSet};

use crate::diagnostics::Diagnostic;
use crate::model::{Config, Name, Tracked, Tracking};
use crate::preprocess::Context;
use crate::schema::track::following::{FollowingDraft, TrackedDraft};

/// What a tracked name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TrackedKind {
    Script,
    File,
    Process,
    Bfd,
}

impl TrackedKind {
    /// The keyword that defines it.
    fn keyword(self) -> &'static str {
        match self {
            Self::Script => "vrrp_script",
            Self::File => "track_file",
            Self::Process => "vrrp_track_process",
            Self::Bfd => "bfd_instance",
        }
    }
}

/// Everything that can be tracked by name, with the weight of its definition.
pub(super) struct Definitions<'a> {
    known: HashMap<(TrackedKind, Name), (i32, bool)>,
    /// Names of blocks that were left out.
    skipped: &'a HashSet<&'a str>,
}

impl<'a> Definitions<'a> {
    pub(super) fn of(config: &Config, skipped: &'a HashSet<&'a str>) -> Self {
        let scripts = config
            .track_scripts
            .iter()
            .map(|d| ((TrackedKind::Script, d.name.clone()), (d.weight, d.reverse)));
        // Those are taken out again with those that can't be run, when it is known who misses them.
        let left_out =
            config.left_out_scripts.iter().map(|d| ((TrackedKind::Script, d.name.clone()), (0, false)));
        let files =
            config.track_files.iter().map(|d| ((TrackedKind::File, d.name.clone()), (d.weight, d.reverse)));
        let processes = config
            .track_processes
            .iter()
            .map(|d| ((TrackedKind::Process, d.name.clone()), (d.weight, d.reverse)));
        let bfds = config
            .bfd_sessions
            .iter()
            .filter(|d| d.for_vrrp)
            .map(|d| ((TrackedKind::Bfd, d.name.clone()), (d.weight, d.reverse)));
        Self { known: scripts.chain(left_out).chain(files).chain(processes).chain(bfds).collect(), skipped }
    }

    fn names(&self, kind: TrackedKind) -> impl Iterator<Item = &str> {
        self.known.keys().filter(move |(of, _)| *of == kind).map(|(_, name)| &**name)
    }

    fn find(&self, kind: TrackedKind, name: &Name) -> Option<(i32, bool)> {
        self.known.get(&(kind, name.clone())).copied()
    }
}

/// What is followed and exists, with the weights of its definitions where a line has none.
pub(super) fn tracking(following: FollowingDraft, tracked: &Definitions, context: &mut Context) -> Tracking {
    let FollowingDraft { interfaces, scripts, files, processes, bfds } = following;
    Tracking {
        interfaces,
        scripts: objects(scripts, TrackedKind::Script, tracked, context),
        files: objects(files, TrackedKind::File, tracked, context),
        processes: objects(processes, TrackedKind::Process, tracked, context),
        bfds: objects(bfds, TrackedKind::Bfd, tracked, context),
    }
}

fn objects(
    drafts: Vec<TrackedDraft>,
    kind: TrackedKind,
    tracked: &Definitions,
    context: &mut Context,
) -> Vec<Tracked> {
    let resolve = |draft: TrackedDraft| {
        let name = Name::from(&*draft.name.text);
        if let Some((weight, reverse)) = tracked.find(kind, &name) {
            let TrackedDraft { weight: own_weight, reverse: own_reverse, .. } = draft;
            return Some(Tracked {
                name,
                weight: own_weight.unwrap_or(weight),
                reverse: own_reverse.unwrap_or(reverse),
            });
        }
        if tracked.skipped.contains(&*name) {
            return None;
        }
        context.report(
            Diagnostic::error(
                "unknown-tracked",
                format!("there is no `{}` of the name `{name}`", kind.keyword()),
            )
            .at(draft.name.span, "left out")
            .suggest_nearest(&draft.name, tracked.names(kind).chain(tracked.skipped.iter().copied())),
        );
        None
    };
    let mut objects: Vec<Tracked> = drafts.into_iter().filter_map(resolve).collect();
    objects.shrink_to_fit();
    objects
}
