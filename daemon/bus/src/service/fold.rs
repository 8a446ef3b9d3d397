//! What facts of virtual servers, real servers and checkers do to the world.

use std::sync::Arc;

use keepwatch_model as model;
use keepwatch_model::Rare;

use super::{Checker, Failure, Hindrance, RealServer, SeenPage, Service, ServiceFact};
use crate::subject::{CheckerKey, RealKey, ServiceKey};
use crate::world::{Change, World};

impl ServiceFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, change: Change) {
        match self {
            Self::VirtualServerConfigured { service, settings } => {
                let settings = settings.clone();
                match w.services.get_mut(service) {
                    Some(known) => known.settings = settings,
                    None => {
                        let new = Service {
                            key: *service,
                            settings,
                            present: false,
                            refused: None,
                            quorum: true,
                            sorry: false,
                            resting: false,
                            changed: None,
                            reals: Default::default(),
                        };
                        w.services.insert(*service, new);
                    }
                }
                w.services.settle(service);
            }
            Self::VirtualServerRenamed { service, from } => rename(w, service, from),
            Self::VirtualServerUnconfigured { service } => {
                w.services.remove(service);
            }
            Self::RealServerConfigured { real, starts_up, checked, settings } => {
                let hindered = is_hindered_elsewhere(w, real);
                let Some(s) = w.services.get_mut(&real.service) else { return };
                let settings = settings.clone();
                // Of an entry of a group for which another is checked nothing is found out here.
                let mut is_checked = false;
                match s.reals.get_mut(&real.real) {
                    Some(known) => {
                        let seen = std::mem::take(&mut known.checkers);
                        is_checked = !seen.is_empty();
                        known.checkers = follow(seen, &known.settings, &settings);
                        known.settings = settings;
                        known.checked = *checked;
                    }
                    None => {
                        let new = RealServer {
                            address: real.real,
                            settings,
                            up: *starts_up,
                            checked: *checked,
                            resting: s.resting,
                            hindered,
                            weight: None,
                            refused: None,
                            changed: None,
                            checkers: Vec::new(),
                        };
                        s.reals.insert(real.real, new);
                    }
                }
                s.reals.settle(&real.real);
                if is_checked {
                    set_hindered(w, real);
                }
            }
            Self::RealServerUnconfigured { real } => {
                if let Some(s) = w.services.get_mut(&real.service) {
                    s.reals.remove(&real.real);
                }
            }
            Self::CheckSucceeded { checker, .. } => report(w, checker, None, change),
            // A try that is followed by another says nothing yet, but that it was made.
            Self::CheckFailed { checker, attempt, attempts, .. } if attempt < attempts => {
                unhinder(w, checker);
            }
            Self::CheckFailed { checker, failure, .. } => report(w, checker, Some(failure.clone()), change),
            Self::RealServerUp { real } | Self::RealServerDown { real } => {
                if let Some(r) = w.real_mut(real) {
                    r.up = matches!(self, Self::RealServerUp { .. });
                    r.changed = Some(change);
                }
            }
            Self::VirtualServerAdded { service, .. } => {
                if let Some(s) = w.services.get_mut(service) {
                    s.present = true;
                }
            }
            // Its real servers go with it.
            Self::VirtualServerRemoved { service } => {
                if let Some(s) = w.services.get_mut(service) {
                    s.present = false;
                    s.sorry = false;
                    s.reals.values_mut().for_each(|r| r.weight = None);
                }
            }
            Self::RealServerAdded { real, weight, .. } => set_weight(w, real, Some(*weight)),
            Self::RealServerWeightChanged { real, to, .. } => set_weight(w, real, Some(*to)),
            Self::RealServerRemoved { real } => set_weight(w, real, None),
            Self::QuorumAwaited { service, .. } => {
                if let Some(s) = w.services.get_mut(service) {
                    s.quorum = false;
                }
            }
            Self::ChecksSuspended { service } => set_resting(w, service, true),
            Self::ChecksResumed { service, .. } => set_resting(w, service, false),
            Self::QuorumGained { service, .. } | Self::QuorumLost { service, .. } => {
                if let Some(s) = w.services.get_mut(service) {
                    s.quorum = matches!(self, Self::QuorumGained { .. });
                    s.changed = Some(change);
                }
            }
            Self::SorryServerAdded { service, .. } => {
                if let Some(s) = w.services.get_mut(service) {
                    s.sorry = true;
                }
            }
            // After a reload that names another one the one of before goes when the new one serves.
            Self::SorryServerRemoved { service, sorry } => {
                if let Some(s) = w.services.get_mut(service)
                    && s.settings.sorry_server.as_ref().is_none_or(|other| other.address == *sorry)
                {
                    s.sorry = false;
                }
            }
            Self::PageDigestSeen { checker, url, digest } => {
                let Some(checker) = checker_mut(w, checker, change) else { return };
                let pages = &mut checker.seen.make_mut().pages;
                pages.retain(|page| page.url != *url);
                pages.push(SeenPage { url: *url, digest: digest.clone(), changed: change });
                pages.sort_by_key(|page| page.url);
            }
            Self::CertificateSeen { checker, certificate } => {
                if let Some(checker) = checker_mut(w, checker, change) {
                    let seen = checker.seen.make_mut();
                    seen.certificate = Some(Box::new(certificate.clone()));
                    seen.certificate_seen = Some(change);
                }
            }
            Self::CheckNotRun { checker, error } => {
                if let Some(checker) = checker_mut(w, checker, change) {
                    let since = checker.seen.hindrance.as_ref().map_or(change, |before| before.changed);
                    let hindrance = Hindrance { error: error.as_str().into(), changed: since };
                    checker.seen.make_mut().hindrance = Some(Box::new(hindrance));
                }
                set_hindered(w, &checker.real);
            }
        }
    }
}

/// What is known of checkers goes to another entry of their group, which has come just now if nobody knows it.
fn rename(w: &mut World, to: &ServiceKey, from: &ServiceKey) {
    if !w.services.contains_key(to) {
        let Some(mut new) = w.services.get(from).cloned() else { return };
        (new.key, new.present, new.refused, new.sorry) = (*to, false, None, false);
        new.reals.values_mut().for_each(|real| (real.weight, real.refused) = (None, None));
        w.services.insert(*to, new);
    }
    let Some(old) = w.services.get_mut(from) else { return };
    let seen = old.reals.values_mut().map(|real| (real.address, std::mem::take(&mut real.checkers)));
    let seen: Vec<_> = seen.collect();
    let Some(new) = w.services.get_mut(to) else { return };
    for (address, mut checkers) in seen {
        let Some(real) = new.reals.get_mut(&address) else { continue };
        for checker in &mut checkers {
            let key = RealKey { service: *to, real: address };
            checker.key = CheckerKey::new(key, checker.key.kind.clone(), checker.key.index);
        }
        real.checkers = checkers;
    }
}

/// What is known of the checkers of a real server when it is configured otherwise than before. As with those that run,
/// what was known goes with what is checked, wherever that stands now; of one that checks something else nothing is
/// known yet, and one that is gone is forgotten.
fn follow(mut seen: Vec<Checker>, before: &model::RealServer, after: &model::RealServer) -> Vec<Checker> {
    let mut kept = Vec::with_capacity(seen.len());
    let alike = |old: &Arc<model::Checker>, new: &Arc<model::Checker>| old.kind == new.kind;
    for (from, to) in moves(&before.checkers, &after.checkers, alike) {
        kept.extend(take(&mut seen, |key| !follows(key) && usize::from(key.index) == from, to));
    }
    let followed = |real: &model::RealServer| real.followed().unzip::<_, _, Vec<u16>, Vec<_>>();
    let ((old_places, old), (new_places, new)) = (followed(before), followed(after));
    let alike = |old: &model::Followed, new: &model::Followed| old.tracked() == new.tracked();
    for (from, to) in moves(&old, &new, alike) {
        let was = |key: &CheckerKey| &*key.kind == old[from].keyword() && key.index == old_places[from];
        kept.extend(take(&mut seen, was, new_places[usize::from(to)]));
    }
    kept.shrink_to_fit();
    kept
}

fn follows(key: &CheckerKey) -> bool {
    [model::FileCheck::KEYWORD, model::BfdCheck::KEYWORD].contains(&&*key.kind)
}

/// Where each of the new ones was before, and is now: the same one, else one that is alike.
fn moves<T: PartialEq>(before: &[T], after: &[T], alike: impl Fn(&T, &T) -> bool) -> Vec<(usize, u16)> {
    let mut free: Vec<_> = before.iter().enumerate().collect();
    let mut moves = Vec::new();
    for (to, new) in (0u16..).zip(after) {
        let same = free.iter().position(|(_, old)| *old == new);
        if let Some(at) = same.or_else(|| free.iter().position(|(_, old)| alike(old, new))) {
            moves.push((free.remove(at).0, to));
        }
    }
    moves
}

fn take(seen: &mut Vec<Checker>, which: impl Fn(&CheckerKey) -> bool, to: u16) -> Option<Checker> {
    let at = seen.iter().position(|checker| which(&checker.key))?;
    let mut checker = seen.swap_remove(at);
    if checker.key.index != to {
        checker.key = CheckerKey::new(checker.key.real, checker.key.kind.clone(), to);
    }
    Some(checker)
}

fn set_resting(w: &mut World, service: &ServiceKey, resting: bool) {
    if let Some(s) = w.services.get_mut(service) {
        s.resting = resting;
        s.reals.values_mut().for_each(|r| r.resting = resting);
    }
}

fn set_weight(w: &mut World, real: &RealKey, weight: Option<i32>) {
    if let Some(r) = w.real_mut(real) {
        r.weight = weight;
    }
}

/// What is known of a checker: of one that nothing is known of yet, from now on that it is there. It may see something
/// before it comes to a result, for a check that fails and is tried again is none.
fn checker_mut<'a>(w: &'a mut World, key: &CheckerKey, change: Change) -> Option<&'a mut Checker> {
    let checkers = &mut w.real_mut(&key.real)?.checkers;
    let at = match checkers.iter().position(|checker| checker.key == *key) {
        Some(at) => at,
        None => {
            // Most real servers have one: no room for more than there are.
            checkers.reserve_exact(1);
            checkers.push(Checker {
                key: key.clone(),
                ok: None,
                failure: None,
                changed: change,
                seen: Rare::default(),
            });
            checkers.len() - 1
        }
    };
    checkers.get_mut(at)
}

/// The check of this one could be made.
fn unhinder(w: &mut World, key: &CheckerKey) {
    let Some(real) = w.real_mut(&key.real) else { return };
    let hindered = real.checkers.iter_mut().find(|known| known.key == *key && known.seen.hindrance.is_some());
    let Some(checker) = hindered else { return };
    checker.seen.make_mut().hindrance = None;
    set_hindered(w, &key.real);
}

/// Whether any check of a real server can be made, by what is known of its checkers; and with it that at the other entries
/// of its group, of which nobody tells.
fn set_hindered(w: &mut World, key: &RealKey) {
    let Some(service) = w.services.get(&key.service) else { return };
    let Some(real) = service.reals.get(&key.real) else { return };
    let count = real.hindrances().count();
    if count == 0 && !real.hindered {
        return;
    }
    let hindered = count > 0 && count >= real.settings.checkers.len() + real.settings.followed().count();
    let (lasting, position) = (service.settings.key.lasting(), service.settings.position);
    let here = w.services.at_position_mut(position);
    for entry in here.filter(|entry| entry.settings.key.lasting() == lasting) {
        if let Some(real) = entry.reals.get_mut(&key.real) {
            real.hindered = hindered;
        }
    }
}

/// Whether no check of a real server can be made that is told of at another entry of the group first.
fn is_hindered_elsewhere(w: &World, key: &RealKey) -> bool {
    let Some(service) = w.services.get(&key.service) else { return false };
    let mut others = w.entries_of(service).filter(|entry| entry.key != key.service);
    others.find_map(|entry| entry.reals.get(&key.real)).is_some_and(|real| real.hindered)
}

fn report(w: &mut World, key: &CheckerKey, failure: Option<Failure>, change: Change) {
    unhinder(w, key);
    if let Some(checker) = checker_mut(w, key, change) {
        checker.ok = Some(failure.is_none());
        checker.failure = failure;
        checker.changed = change;
    }
}
