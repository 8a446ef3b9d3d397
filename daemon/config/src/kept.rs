//! The texts that a configuration was read from, kept to read it again as it was, whatever has become of its files since; and
//! the marks of its virtual server groups, which come of the configurations before it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::load::{Loaded, Options, read_kept};
use crate::model::GroupMark;
use crate::preprocess::{MainFile, included_from, main_paths, text_of};

/// What a reading went by beside the texts themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circumstances {
    /// What the `include` lines stood for, by the file that they are in and their pattern.
    pub(crate) lines: HashMap<(PathBuf, String), Vec<PathBuf>>,
    /// Every name that a file was read by, and the one that its text goes by: there may be many ways to one.
    pub(crate) names: HashMap<PathBuf, PathBuf>,
    /// Where `${_RANDOM}` began.
    pub(crate) seed: u64,
}

/// As it is written.
#[derive(Serialize)]
struct Written<'a> {
    /// How many of the files the configuration begins with.
    mains: usize,
    files: Vec<(&'a Path, &'a str)>,
    lines: Vec<(&'a (PathBuf, String), &'a Vec<PathBuf>)>,
    names: Vec<(&'a PathBuf, &'a PathBuf)>,
    seed: u64,
    marks: &'a [GroupMark],
}

/// As it is read.
#[derive(Deserialize)]
struct Read {
    mains: usize,
    files: Vec<(PathBuf, String)>,
    lines: Vec<((PathBuf, String), Vec<PathBuf>)>,
    names: Vec<(PathBuf, PathBuf)>,
    seed: u64,
    #[serde(default)]
    marks: Vec<GroupMark>,
}

/// Files as they were.
#[derive(Debug)]
pub(crate) struct Kept {
    texts: HashMap<PathBuf, String>,
    circumstances: Circumstances,
}

impl Kept {
    /// The files that an `include` line stood for.
    pub(crate) fn included(&self, file: &Path, pattern: &str) -> Vec<PathBuf> {
        self.circumstances.lines.get(&(file.to_path_buf(), pattern.to_owned())).cloned().unwrap_or_default()
    }

    /// The name that the text of a file goes by.
    pub(crate) fn name(&self, path: &Path) -> PathBuf {
        self.circumstances.names.get(path).cloned().unwrap_or_else(|| path.to_path_buf())
    }

    /// The text of a file; none if it could not be read.
    pub(crate) fn text(&self, path: &Path) -> Option<&String> {
        self.texts.get(&self.name(path))
    }

    /// Where `${_RANDOM}` began.
    pub(crate) fn seed(&self) -> u64 {
        self.circumstances.seed
    }
}

impl Loaded {
    /// The texts that it was read from and the marks that its groups have, for [`load_kept`]; nothing where a name is no
    /// UTF-8.
    pub fn keep(&self) -> Option<Vec<u8>> {
        let files = self.diagnostics.sources().files();
        let written = Written {
            mains: self.mains,
            files: files.map(|file| (file.path.as_path(), file.text.as_str())).collect(),
            lines: self.circumstances.lines.iter().collect(),
            names: self.circumstances.names.iter().collect(),
            seed: self.circumstances.seed,
            marks: self.config.as_ref().map_or(&[], |config| &config.global.group_marks),
        };
        serde_json::to_vec(&written).ok()
    }
}

/// Reads and checks the configuration that [`Loaded::keep`] has kept; none if these bytes are something else.
pub fn load_kept(kept: &[u8], options: &Options) -> Option<Loaded> {
    let Read { mains, files, lines, names, seed, marks } = serde_json::from_slice(kept).ok()?;
    let main_files = files.iter().take(mains);
    let main_files: Vec<_> =
        main_files.map(|(path, text)| MainFile { path: path.clone(), text: text.clone() }).collect();
    let (lines, names) = (lines.into_iter().collect(), names.into_iter().collect());
    let kept =
        Kept { texts: files.into_iter().collect(), circumstances: Circumstances { lines, names, seed } };
    let mut loaded = (!main_files.is_empty()).then(|| read_kept(main_files, kept, options))?;
    if let Some(config) = &mut loaded.config {
        config.global.group_marks = marks;
    }
    Some(loaded)
}

/// Those files of a configuration that [`Loaded::keep`] has kept which are other than they were, or gone. Of one that this
/// process may not read nothing is known.
pub fn changed_since(kept: &[u8]) -> Vec<PathBuf> {
    let Ok(Read { files, .. }) = serde_json::from_slice(kept) else { return Vec::new() };
    let changed = |(path, text): &(PathBuf, String)| match path.try_exists() {
        Ok(false) => true,
        Ok(true) | Err(_) => text_of(path).is_some_and(|now| now != *text),
    };
    files.into_iter().filter(changed).map(|(path, _)| path).collect()
}

/// Those files that the `include` lines of a configuration that [`Loaded::keep`] has kept, or the pattern that it was `named`
/// by, stand for now, and did not then.
pub fn come_since(kept: &[u8], named: &Path) -> Vec<PathBuf> {
    let Ok(Read { mains, files, lines, .. }) = serde_json::from_slice(kept) else { return Vec::new() };
    let begins_with = |path: &PathBuf| files.iter().take(mains).any(|(main, _)| main == path);
    let mut come = main_paths(named);
    come.retain(|path| !begins_with(path));
    for ((within, pattern), known) in &lines {
        come.extend(included_from(within, pattern).into_iter().filter(|path| !known.contains(path)));
    }
    come.sort_unstable();
    come.dedup();
    come
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::load;

    const INSTANCE: &str = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n \
                            include addresses\n }\n}\n";

    #[test]
    fn what_was_kept_is_read_again_though_its_files_are_others_or_gone() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("parts")).unwrap();
        fs::write(at("main"), "include parts/*.conf\ninclude nothing*\ninclude parts/secret\n").unwrap();
        fs::write(at("parts/a.conf"), INSTANCE).unwrap();
        fs::write(at("parts/addresses"), "10.0.0.2\n10.0.0.3\n").unwrap();
        let options = Options::default();
        let before = load(&at("main"), &options);
        let kept = before.keep().unwrap();
        assert_eq!(changed_since(&kept), [] as [PathBuf; 0]);
        let again = |kept: &[u8]| load_kept(kept, &options).unwrap();
        fs::write(at("parts/addresses"), "{{{").unwrap();
        fs::write(at("parts/b.conf"), INSTANCE.replace('A', "B")).unwrap();
        assert_eq!(changed_since(&kept), [at("parts/addresses")]);
        assert_eq!(again(&kept).config, before.config);
        fs::remove_dir_all(directory.path()).unwrap();
        assert_eq!(changed_since(&kept), [at("main"), at("parts/a.conf"), at("parts/addresses")]);
        let after = again(&kept);
        assert_eq!(after.config, before.config);
        assert_eq!(after.config.as_ref().unwrap().instances[0].addresses.len(), 3);
        // And what was read so is kept as well.
        assert_eq!(again(&again(&kept).keep().unwrap()).config, before.config);
        assert!(load_kept(b"something else", &options).is_none());
        assert!(load_kept(&kept[1..], &options).is_none());
    }

    #[test]
    fn files_that_have_come_since_are_those_that_it_would_be_read_from_too() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("parts")).unwrap();
        fs::write(at("1.main"), "include parts/*.conf\ninclude later\ninclude {a,b}.part\n").unwrap();
        fs::write(at("parts/a.conf"), INSTANCE).unwrap();
        fs::write(at("a.part"), "").unwrap();
        let named = at("*.main");
        let kept = load(&named, &Options::default()).keep().unwrap();
        assert_eq!(come_since(&kept, &named), [] as [PathBuf; 0]);
        for (name, counts) in [
            ("2.main", true),
            ("b.part", true),
            ("later", true),
            ("parts/b.conf", true),
            ("parts/b.conf.old", false),
            ("other", false),
        ] {
            fs::write(at(name), "").unwrap();
            let expected: Vec<PathBuf> = counts.then(|| at(name)).into_iter().collect();
            assert_eq!(come_since(&kept, &named), expected, "{name}");
            fs::remove_file(at(name)).unwrap();
        }
        // That one has gone is told of otherwise.
        fs::remove_file(at("parts/a.conf")).unwrap();
        assert_eq!(come_since(&kept, &named), [] as [PathBuf; 0]);
    }

    #[test]
    fn a_file_that_several_ways_lead_to_is_there_by_all_of_them_and_chance_is_what_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (part, vrid) in [("x", 1), ("y", 2)] {
            fs::create_dir(at(part)).unwrap();
            let instance = format!(
                "vrrp_instance {part} {{\n interface eth0\n virtual_router_id {vrid}\n priority ${{_RANDOM 1 250}}\n \
                 include ../common\n virtual_ipaddress {{\n 10.0.0.{vrid}\n }}\n}}\n"
            );
            fs::write(at(part).join("a.conf"), instance).unwrap();
        }
        fs::write(at("common"), "advert_int 7\n").unwrap();
        fs::write(at("main"), "include */a.conf\n").unwrap();
        let options = Options::default();
        let before = load(&at("main"), &options);
        let kept = before.keep().unwrap();
        fs::remove_dir_all(directory.path()).unwrap();
        let after = load_kept(&kept, &options).unwrap();
        assert_eq!(after.config, before.config);
        let seven = std::time::Duration::from_secs(7);
        assert!(after.config.unwrap().instances.iter().all(|instance| instance.advert_int == seven));
    }
}
