//! How much of each subsystem is logged: decided by the command line, changed while the daemon runs over the control socket.

use std::sync::atomic::{AtomicU8, Ordering};

use keepwatch_bus::line::{Level, Subsystem};
use strum::VariantArray;

/// The least level that is logged, by subsystem. Shared; whoever writes a line looks here first.
#[derive(Debug)]
pub struct Levels([AtomicU8; Subsystem::VARIANTS.len()]);

/// A level for one subsystem, or for all.
pub type Wish = (Option<Subsystem>, Level);

impl Levels {
    /// The same for all.
    pub fn new(level: Level) -> Self {
        Self(std::array::from_fn(|_| AtomicU8::new(level as u8)))
    }

    /// Whether such a line is to be written.
    pub fn wants(&self, subsystem: Subsystem, level: Level) -> bool {
        self.0.get(subsystem as usize).is_none_or(|least| level as u8 >= least.load(Ordering::Relaxed))
    }

    /// Does what was wished, in this order.
    pub fn set(&self, wishes: &[Wish]) {
        for (subsystem, level) in wishes {
            for (known, least) in Subsystem::VARIANTS.iter().zip(&self.0) {
                if subsystem.is_none_or(|subsystem| subsystem == *known) {
                    least.store(*level as u8, Ordering::Relaxed);
                }
            }
        }
    }

    /// Each subsystem with its level.
    pub fn all(&self) -> Vec<(Subsystem, Level)> {
        let level = |least: &AtomicU8| {
            let least = least.load(Ordering::Relaxed);
            Level::VARIANTS.iter().copied().find(|level| *level as u8 == least).unwrap_or(Level::Info)
        };
        Subsystem::VARIANTS.iter().zip(&self.0).map(|(subsystem, least)| (*subsystem, level(least))).collect()
    }
}

/// `SUBSYSTEM=LEVEL`, `all=LEVEL`, or `LEVEL` alone, which is for all.
///
/// # Errors
/// What was expected.
pub fn parse(text: &str) -> Result<Wish, String> {
    let (subsystem, level) = text.split_once('=').unwrap_or(("all", text));
    let level = level.parse::<Level>().map_err(|_| {
        let levels: Vec<&str> = Level::VARIANTS.iter().map(|level| level.into()).collect();
        format!("`{level}` is no level: there are {}", levels.join(", "))
    })?;
    if subsystem == "all" {
        return Ok((None, level));
    }
    let subsystem = subsystem.parse::<Subsystem>().map_err(|_| {
        let all: Vec<&str> = Subsystem::VARIANTS.iter().map(|subsystem| subsystem.into()).collect();
        format!("`{subsystem}` is no subsystem: there are {}, and all", all.join(", "))
    })?;
    Ok((Some(subsystem), level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_holds_for_its_subsystem_alone() {
        let levels = Levels::new(Level::Info);
        assert!(!levels.wants(Subsystem::Vrrp, Level::Detail) && levels.wants(Subsystem::Vrrp, Level::Info));
        levels.set(&[parse("vrrp=debug").unwrap(), parse("check=error").unwrap()]);
        assert!(
            levels.wants(Subsystem::Vrrp, Level::Detail) && !levels.wants(Subsystem::Ipvs, Level::Detail)
        );
        assert!(
            !levels.wants(Subsystem::Check, Level::Warning) && levels.wants(Subsystem::Check, Level::Error)
        );
        levels.set(&[parse("warning").unwrap(), parse("link=debug").unwrap()]);
        let all = levels.all();
        assert!(
            all.contains(&(Subsystem::Link, Level::Detail))
                && all.contains(&(Subsystem::Vrrp, Level::Warning))
        );
    }

    #[test]
    fn what_there_is_not_is_said() {
        assert!(parse("vrrp=loud").unwrap_err().contains("debug, info, warning, error"));
        assert!(parse("vrp=info").unwrap_err().contains("vrrp"));
    }
}
