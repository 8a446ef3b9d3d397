//! Interfaces that a run made which ended badly, and that nobody wants any more.

use keepwatch_bus::EventId;
use keepwatch_bus::subject::Name;
use keepwatch_net::link::Link;

use crate::spec::{Definitions, VmacPlan, mark_and_memory};

use super::maker::{self, Maker};
use super::names::{bears, is_marked};
use super::{Left, Vmacs, below};

/// The interfaces that definitions do not have made, but others of the same names may have had.
pub(in crate::runner) fn strays(definitions: &Definitions) -> Vec<VmacPlan> {
    definitions.routers.iter().flat_map(|router| VmacPlan::none_of(&router.spec)).collect()
}

impl Vmacs {
    /// Removes what a run that ended badly left: of virtual routers that have no such interface any more, and of those that
    /// are not there any more. Beside it, their addresses would be on this host twice, and a master elsewhere would not be
    /// alone with them. Only what is marked goes, and not while its maker lives: another may be of somebody else, or of
    /// another daemon, whatever its hardware address. Returns those of which it can't be known who made them.
    pub(in crate::runner) fn sweep_strays(
        &mut self,
        strays: &[VmacPlan],
        cause: Option<EventId>,
    ) -> Vec<Name> {
        for plan in strays {
            let suits = |link: &Link| bears(link, &plan.mark) && maker_of(link) != Maker::Lives;
            if let Some(name) = self.stray(plan, suits) {
                self.sweep_away(&name, cause);
            }
        }
        let strange = self.sweep_orphans(cause);
        self.restore_settings();
        strange
    }

    /// Those of virtual routers that nobody knows here.
    fn sweep_orphans(&mut self, cause: Option<EventId>) -> Vec<Name> {
        let is_ours =
            |name: &Name| self.leaving.contains_key(name) || self.kept.iter().any(|kept| kept.name == *name);
        let marked = self.links.iter().filter(|link| is_marked(link) && below(link).is_some());
        let others = marked.filter(|link| !is_ours(&link.report.name));
        let mut others: Vec<(Name, Maker)> =
            others.map(|link| (link.report.name.clone(), maker_of(link))).collect();
        others.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut strange = Vec::new();
        for (name, maker) in others {
            match maker {
                Maker::Lives => {}
                Maker::Ours | Maker::Gone => self.sweep_away(&name, cause),
                Maker::Unknown => strange.push(name),
            }
        }
        strange
    }

    fn sweep_away(&mut self, name: &Name, cause: Option<EventId>) {
        // What was changed for it another daemon may need as much.
        let is_another = |link: &Link| {
            is_marked(link) && maker_of(link) == Maker::Lives && !self.is_settled(&link.report.name)
        };
        if !self.links.iter().any(is_another) {
            self.recall(name);
        }
        let made = self.links.by_name(name).map(|link| link.report.index.0);
        self.remove(name, Left { made, notifies: false }, cause);
        self.hear();
    }
}

fn maker_of(link: &Link) -> Maker {
    let alias = link.report.alias.as_deref().unwrap_or_default();
    maker::of(mark_and_memory(alias).1)
}
