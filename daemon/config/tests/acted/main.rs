//! Every keyword reaches the model: writing it changes what `keepwatch config FILE --json` shows.
//!
//! Each area of the language has a file here with a configuration of all its blocks, and with the keywords whose
//! example rightly changes nothing.

mod global;
#[path = "../reading/mod.rs"]
mod reading;
mod routers;
mod servers;

use keepwatch_config::schema::{Again, BlockId, Body, Keyword, keywords};
use reading::read;

/// A part of the language that is looked at on its own.
struct Area {
    /// Its keywords of the top level.
    root: &'static [&'static str],
    /// Its blocks.
    blocks: &'static [BlockId],
    /// A configuration with each of its blocks; the text stands in the block.
    base: fn(BlockId, &str) -> String,
    /// Keywords whose example changes nothing in it, and why that is right.
    no_change: &'static [(BlockId, &'static str, &'static str)],
}

/// `None` for a configuration that cannot run.
fn model(text: &str) -> Option<serde_json::Value> {
    read(text).config.map(|config| config.to_json())
}

impl Area {
    fn keywords(&self) -> impl Iterator<Item = (BlockId, &'static Keyword)> {
        let root = keywords(BlockId::Root).iter().filter(|keyword| self.root.contains(&keyword.name));
        let inner =
            self.blocks.iter().flat_map(|block| keywords(*block).iter().map(|keyword| (*block, keyword)));
        root.map(|keyword| (BlockId::Root, keyword)).chain(inner)
    }

    /// What is listed wrongly, or missing from the lists.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let before = model(&(self.base)(BlockId::Root, ""));
        if before.is_none() {
            return vec!["the base cannot run".into()];
        }
        for (block, keyword) in self.keywords() {
            // Such a block stands in the base already.
            if matches!(keyword.body, Body::Block(_)) && keyword.again != Again::Adds {
                continue;
            }
            let key = (block, keyword.name);
            let no_change = self.no_change.iter().any(|(block, name, _)| (*block, *name) == key);
            let changed = model(&(self.base)(block, keyword.example)) != before;
            match (changed, no_change) {
                (true, true) => {
                    faults.push(format!("{block}: {} changes the model and is listed", keyword.name))
                }
                (false, false) => {
                    faults.push(format!("{block}: {} does not change the model", keyword.example))
                }
                (true, false) | (false, true) => {}
            }
        }
        faults
    }
}

#[test]
fn every_keyword_of_the_whole_daemon_reaches_the_model() {
    let faults = global::AREA.faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_keyword_of_virtual_routers_reaches_the_model() {
    let faults = routers::AREA.faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_keyword_of_virtual_servers_reaches_the_model() {
    let faults = servers::AREA.faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_block_is_in_one_area() {
    let areas = [&global::AREA, &routers::AREA, &servers::AREA];
    let count = |inside: &dyn Fn(&Area) -> bool| areas.iter().filter(|area| inside(area)).count();
    for block in BlockId::ALL.iter().filter(|block| **block != BlockId::Root) {
        assert_eq!(count(&|area| area.blocks.contains(block)), 1, "{block}");
    }
    for keyword in keywords(BlockId::Root) {
        assert_eq!(count(&|area| area.root.contains(&keyword.name)), 1, "{}", keyword.name);
    }
}

#[test]
fn what_is_listed_is_a_keyword_of_the_area() {
    for area in [&global::AREA, &routers::AREA, &servers::AREA] {
        let listed = area.no_change.iter().map(|(block, name, _)| (*block, *name));
        for key in listed {
            assert!(
                area.keywords().any(|(block, keyword)| (block, keyword.name) == key),
                "{}: {}",
                key.0,
                key.1
            );
        }
    }
}
