//! What is tracked with weights, and whether any outcome of it can move the master role from one router to the other.

use super::file::{Block, Finding, Member};
use super::pair::Pair;
use crate::diagnostics::Diagnostic;
use crate::model::{Follow, Instance, Level, Priority, TrackedKind};

/// What tracks with weights that can be judged.
const KEYWORDS: &[&str] = &["track_script", "track_process", "track_interface", "track_bfd"];

/// The block that says what is tracked: that of the instance, or of its group.
pub(super) fn block(member: Member<'_>) -> Block<'_> {
    let tracks = |block: &Block<'_>| block.keyword(KEYWORDS).is_some();
    let group = member.file().config.sync_group_of(&member.instance.name);
    let of_group = || group.and_then(|group| member.file().block("vrrp_sync_group", &group.name));
    Some(member.block).filter(tracks).or_else(|| of_group().filter(tracks)).unwrap_or(member.block)
}

/// The lowest and the highest priority that the weights of an instance can give it; `None` where nothing has a weight.
fn range(member: Member<'_>) -> Option<(i32, i32)> {
    let Instance { name, priority, .. } = member.instance;
    let follows = Follow::of(member.instance, member.file().config.sync_group_of(name));
    let weighted: Vec<&Follow> = follows.iter().filter(|follow| follow.weight != 0).collect();
    if weighted.is_empty() {
        return None;
    }
    let sum = |best: fn(i32, i32) -> i32| -> i32 {
        weighted.iter().map(|f| best(f.at(Level::Up).weight, f.at(Level::Down).weight)).sum()
    };
    let within = |weight: i32| (i32::from(priority.0) + weight).clamp(1, 254);
    Some((within(sum(i32::min)), within(sum(i32::max))))
}

/// Says when weights are tracked in vain: whatever comes out of it, the router with the higher priority stays master.
pub(super) fn in_vain(pair: Pair<'_>) -> Option<Finding> {
    let (here, there) = (pair.here, pair.there);
    // A file may make any priority of it.
    if [here, there].iter().any(|member| follows_a_file(*member)) {
        return None;
    }
    let ranges = [range(here), range(there)];
    if ranges.iter().all(Option::is_none) || here.instance.priority == there.instance.priority {
        return None;
    }
    let fixed =
        |member: Member<'_>| (i32::from(member.instance.priority.0), i32::from(member.instance.priority.0));
    let [of_here, of_there] = [ranges[0].unwrap_or(fixed(here)), ranges[1].unwrap_or(fixed(there))];
    let (high, low, lowest, highest) = if here.instance.priority > there.instance.priority {
        (here, there, of_here.0, of_there.1)
    } else {
        (there, here, of_there.0, of_here.1)
    };
    let name = &here.instance.name;
    let (problem, help) = if high.instance.priority == Priority::OWNER {
        return None;
    } else if lowest > highest {
        (
            format!(
                "the priority is {lowest} at the least in {}, and {highest} at the most in {}",
                high.file().path.display(),
                low.file().path.display()
            ),
            "weights move the master role only if together they are more than the difference of the priorities",
        )
    } else if low.instance.nopreempt {
        (
            format!("with `nopreempt` {} leaves a master of lower priority alone", low.file().path.display()),
            "without `nopreempt` weights move the role; weight 0, a fault, does so even with it",
        )
    } else {
        return None;
    };
    let message = format!("no weight of what `{name}` tracks moves the master role: {problem}");
    Some(Finding {
        diagnostic: Diagnostic::warning("cluster-weights", message).help(help),
        keywords: KEYWORDS,
    })
}

fn follows_a_file(member: Member<'_>) -> bool {
    let group = member.file().config.sync_group_of(&member.instance.name);
    Follow::of(member.instance, group).iter().any(|follow| follow.kind == TrackedKind::File)
}
