//! Keywords that are understood and checked, but whose behaviour is not built yet.
//!
//! Whoever builds one takes it off this list; nothing may be added to it. Each is said once per configuration, with its place, at `warning`.

use super::BlockId;

/// `(block, keyword)` of everything that is not acted on yet.
pub(crate) const NOT_ACTED_ON: &[(BlockId, &str)] = &[];

/// Is this keyword understood but not acted on?
pub(crate) fn is_unbuilt(block: BlockId, keyword: &str) -> bool {
    NOT_ACTED_ON.iter().any(|(listed, name)| *listed == block && *name == keyword)
}

#[cfg(test)]
mod tests {
    use super::BlockId::RealServer;
    use super::*;

    /// How many there were when this was last looked at. It may only go down.
    const MOST: usize = 0;

    #[test]
    fn the_list_only_shrinks_and_names_each_keyword_once() {
        assert_eq!(NOT_ACTED_ON.len(), MOST, "every keyword acts");
        let mut seen = std::collections::BTreeSet::new();
        for (block, name) in NOT_ACTED_ON {
            assert!(seen.insert((block, name)), "{block}: {name} is listed twice");
            let found = super::super::find(*block, name);
            assert!(found.is_some_and(|found| found.keyword.name == *name), "{block} has no keyword {name}");
        }
    }

    /// The model says which kinds of checker run without knowing the table.
    #[test]
    fn the_model_and_the_table_agree_on_the_checkers_that_run() {
        let mut kinds = 0;
        for keyword in crate::schema::keywords(RealServer)
            .iter()
            .filter(|k| k.name.contains("_GET") || k.name.contains("_CHECK"))
        {
            let text = format!(
                "virtual_server 192.0.2.1 80 {{\nprotocol TCP\nreal_server 192.0.2.2 80 {{\n{}\n}}\n}}\n",
                keyword.example
            );
            let options = crate::Options { scripts: false, ..crate::Options::default() };
            let config = crate::load_text(std::path::Path::new("test.conf"), text, &options)
                .config
                .unwrap_or_default();
            for checker in
                config.virtual_servers.iter().flat_map(|vs| &vs.real_servers).flat_map(|real| &real.checkers)
            {
                assert_eq!(checker.kind.keyword(), keyword.name);
                assert_eq!(
                    checker.kind.is_acted_on(),
                    !is_unbuilt(RealServer, keyword.name),
                    "{}",
                    keyword.name
                );
                kinds += 1;
            }
        }
        assert_eq!(kinds, 8, "each kind that runs on a schedule was looked at");
    }
}
