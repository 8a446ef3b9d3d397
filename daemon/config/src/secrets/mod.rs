//! Where secrets stand in the texts that were read, so that nobody is shown them.
//!
//! Goes in: all texts of a configuration, as they are written. Comes out: stretches of them. It goes by the words alone
//! and not by what the parser made of them: what is misspelt, in the wrong block or commented out is a secret too. Which
//! keywords have one is said by the schema. What a definition (`$NAME=`, `~LST`) holds is secret when its name stands in a
//! secret's place, or sounds like it. When in doubt it is one.

mod hide;
mod line;
mod url;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

pub(crate) use self::hide::{MASK, Values};
use self::line::{Reader, Stretch};
use crate::source::{FileId, SourceMap};

/// The stretches of each text that nobody is shown, in their order, and none within another.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    files: HashMap<FileId, Vec<Range<usize>>>,
}

/// What reading the lines of all files found.
#[derive(Debug, Default)]
struct Found {
    secret: Vec<Stretch>,
    /// What is put in for each name.
    defined: HashMap<String, Vec<Stretch>>,
    /// Names that stand in a secret's place.
    used: HashSet<String>,
}

impl Secrets {
    pub(crate) fn of(sources: &SourceMap) -> Self {
        let mut found = Found::default();
        for (id, file) in sources.numbered() {
            Reader::new(id, &mut found).text(&file.text);
        }
        found.follow_names(sources);
        let mut files: HashMap<FileId, Vec<Range<usize>>> = HashMap::new();
        for stretch in found.secret {
            files.entry(stretch.file).or_default().push(stretch.range);
        }
        for list in files.values_mut() {
            list.sort_by_key(|range| range.start);
            let mut apart: Vec<Range<usize>> = Vec::with_capacity(list.len());
            for range in list.drain(..) {
                match apart.last_mut() {
                    Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                    Some(_) | None => apart.push(range),
                }
            }
            *list = apart;
        }
        Self { files }
    }

    /// The secrets that touch this part of a text.
    pub(crate) fn within(&self, file: FileId, part: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let list = self.files.get(&file).map_or(&[][..], Vec::as_slice);
        let first = list.partition_point(|range| range.end <= part.start);
        list.iter().skip(first).take_while(move |range| range.start < part.end).cloned()
    }
}

impl Found {
    /// What is defined by a name in a secret's place is a secret, and so is what that uses.
    fn follow_names(&mut self, sources: &SourceMap) {
        let mut names: Vec<String> = self.used.iter().cloned().collect();
        while let Some(name) = names.pop() {
            for stretch in self.defined.remove(&name).unwrap_or_default() {
                let text = sources.file(stretch.file).text.get(stretch.range.clone()).unwrap_or("");
                for used in line::names_used(text) {
                    if self.used.insert(used.to_owned()) {
                        names.push(used.to_owned());
                    }
                }
                self.secret.push(stretch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// The text with `*` in place of each secret.
    fn masked(text: &str) -> String {
        let mut sources = SourceMap::default();
        let file = sources.add(PathBuf::from("a.conf"), text.to_owned());
        let mut masked = text.to_owned();
        let found: Vec<_> = Secrets::of(&sources).within(file, 0..text.len()).collect();
        for range in found.into_iter().rev() {
            masked.replace_range(range, "*");
        }
        masked
    }

    #[test]
    fn the_values_of_secret_keywords_are_found_wherever_they_stand() {
        for (text, expected) in [
            (
                "authentication {\nauth_type PASS\nauth_pass abc\n}",
                "authentication {\nauth_type PASS\nauth_pass *\n}",
            ),
            (
                "authentication { auth_type PASS auth_pass abc }",
                "authentication { auth_type PASS auth_pass * }",
            ),
            ("auth_pass a b # c", "auth_pass *"),
            ("  auth_pass\t\"a b\"", "  auth_pass\t*"),
            ("auth_pass s3#cret", "auth_pass *"),
            ("# auth_pass old", "# auth_pass *"),
            ("@one auth_pass abc", "@one auth_pass *"),
            ("interface eth0 auth_pass abc", "interface eth0 auth_pass *"),
            ("auth_pas abc", "auth_pas *"),
            ("auth_password abc", "auth_password *"),
            ("authpass abc", "authpass *"),
            ("password abc", "password *"),
            ("auth_passabc", "auth_pass*"),
            ("auth_pass=abc", "auth_pass*"),
            ("auth_pass:abc x", "auth_pass*"),
            (
                "auth_hmac sha256 {\nkey 1 abc\nactive_key 1\n}",
                "auth_hmac sha256 {\nkey 1 *\nactive_key 1\n}",
            ),
            ("auth_hmac {\nkey abc\n}", "auth_hmac {\nkey *\n}"),
            ("key 1 abc", "key 1 *"),
            ("kay 1 hex:00", "kay 1 *"),
            ("interface hex:0011", "interface *"),
            ("SSL {\npassword abc\nkey /etc/key\n}", "SSL {\npassword *\nkey /etc/key\n}"),
            (
                "webhook pager {\nurl https://a/b\nheader x-key \"a b\"\nsubjects VI_1 10.0.0.1:80\n}",
                "webhook pager {\nurl https://a/b\nheader x-key *\nsubjects VI_1 10.0.0.1:80\n}",
            ),
            ("otlp {\nheder authorization \"Bearer 1\"\n}", "otlp {\nheder authorization *\n}"),
            ("# header x-key abc", "# header x-key *"),
            (
                "observability { mail { tls starttls user me abc } }",
                "observability { mail { tls starttls user me * } }",
            ),
            ("mail {\nusr me abc\n# user me old\n}", "mail {\nusr me *\n# user me *\n}"),
            ("mial {\nuser me abc\n}", "mial {\nuser me *\n}"),
            ("smtp_auth u abc", "smtp_auth *"),
            ("# smtp_user u abc", "# smtp_user *"),
            ("unicast_peer {\n10.9.0.2 key abc\n}", "unicast_peer {\n10.9.0.2 key *\n}"),
            ("key abc", "key *"),
            ("smtp_server u:abc@1.2.3.4", "smtp_server u:*@1.2.3.4"),
            ("webhook https://u:abc@x/", "webhook https://u:*@x/"),
            ("url https://x/y?token=abc", "url https://x/y?*"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn within_a_block_of_secrets_all_is_secret_that_is_not_known() {
        for (text, expected) in [
            ("authentication {\nauth_type abc\n}", "authentication {\nauth_type *\n}"),
            ("authentication {\nauth_type PASS abc\n}", "authentication {\nauth_type PASS *\n}"),
            ("authentication {\nauth_type pass\n}", "authentication {\nauth_type pass\n}"),
            ("authentication {\nauth_pass\nabc\n}", "authentication {\nauth_pass\n*\n}"),
            ("authentication\n{\nabc\n}\nstate BACKUP", "authentication\n{\n*\n}\nstate BACKUP"),
            // Nothing closes it: what comes after is known.
            (
                "authentication {\nauth_tipe PASS\npriority 100\nabc 1",
                "authentication {\nauth_tipe PASS\npriority 100\nabc 1",
            ),
            ("auth_hmac {\nactive_key abc\n}", "auth_hmac {\nactive_key *\n}"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn a_definition_is_secret_that_is_used_as_one_or_sounds_like_one() {
        for (text, expected) in [
            ("$A=abc\nauth_pass $A", "$A=*\nauth_pass $A"),
            ("$A=abc\n$B=${A}d\nauth_pass ${B}", "$A=*\n$B=*\nauth_pass ${B}"),
            ("$A=abc\ninterface $A", "$A=abc\ninterface $A"),
            ("$PASSWORD=abc", "$PASSWORD=*"),
            (
                "$AUTH= \\\nauth_type PASS \\\nauth_pass abc \\\n}",
                "$AUTH= \\\nauth_type PASS \\\nauth_pass * \\\n}",
            ),
            ("$A=a \\\n b\nauth_pass $A", "$A=* \\\n *\nauth_pass $A"),
            ("~LST(P, abc, def) auth_pass $P", "~LST(P, *) auth_pass $P"),
            ("~LST({I,P}, {1,abc}) auth_pass ${P}", "~LST({I,P}, *) auth_pass ${P}"),
            ("~SEQ(I, 1, 3) auth_pass a$I", "~SEQ(I, *) auth_pass *"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "interface eth0",
            "passive",
            "auth_type PASS",
            "vrrp_instance authentication {",
            "notify_master \"/bin/x --key 1 2\"",
            "# the password is in the safe",
            "priority 100 # key 1",
            "$IF=eth0",
            "MISC_CHECK {\nmisc_path /bin/pass\nuser nobody nogroup\n}",
            "vrrp_script a {\nuser nobody nogroup\n}",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
