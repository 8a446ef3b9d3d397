//! Tables of the packet filter that are there, whoever made them, and the comments by which they are known again.

use netlink_packet_core::NlasIterator;
use nix::errno::Errno;

use super::{Attributes, FilterFamily, NEWTABLE, SUBSYSTEM};
use crate::netlink::requests::Requests;

const GETTABLE: u16 = 1;
const NAME: u16 = 1;
/// `NFTA_TABLE_USERDATA` (Linux 5.10).
pub(super) const USERDATA: u16 = 6;
/// `NFTNL_UDATA_TABLE_COMMENT` of libnftnl.
const COMMENT: u8 = 0;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterTable {
    /// Its family.
    pub family: FilterFamily,
    /// Its name.
    pub name: String,
    /// Its comment, as `nft` shows it.
    pub comment: Option<String>,
}

/// The tables of both families.
///
/// # Errors
/// What the kernel said.
pub fn filter_tables(requests: &mut Requests) -> Result<Vec<FilterTable>, Errno> {
    let mut tables = Vec::new();
    let all = Attributes::after(&[0; 4]);
    requests.list(SUBSYSTEM << 8 | GETTABLE, &all, |kind, body| {
        if kind == SUBSYSTEM << 8 | NEWTABLE {
            tables.extend(table(body));
        }
    })?;
    Ok(tables)
}

fn table(body: &[u8]) -> Option<FilterTable> {
    let family = [FilterFamily::Ip, FilterFamily::Ip6];
    let family = family.into_iter().find(|family| body.first() == Some(&family.number()))?;
    let (mut name, mut comment) = (None, None);
    for attribute in NlasIterator::new(body.get(4..)?) {
        let attribute = attribute.ok()?;
        match attribute.kind() {
            NAME => name = Some(text(attribute.value())),
            USERDATA => comment = read_comment(attribute.value()),
            _ => {}
        }
    }
    Some(FilterTable { family, name: name?, comment })
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// User data that `nft` shows as a comment; one that is too long for it is cut.
pub(super) fn comment(text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let text = &text[..text.len().min(127)];
    let mut data = vec![COMMENT, u8::try_from(text.len() + 1).unwrap_or(u8::MAX)];
    data.extend(text);
    data.push(0);
    data
}

fn read_comment(mut data: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = data {
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        if *kind == COMMENT {
            return Some(text(value));
        }
        data = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_found_among_other_user_data() {
        let data = [vec![9, 2, 1, 1], comment("mine")].concat();
        assert_eq!(read_comment(&data).as_deref(), Some("mine"));
        assert_eq!(read_comment(&[0, 9, 1]), None);
        assert_eq!(read_comment(&[]), None);
    }
}
