//! `use_vmac` and `use_ipvlan` of an instance: an interface of its own.

use super::draft::{InstanceDraft, KindDraft, Mac, VmacDraft};
use crate::diagnostics::Diagnostic;
use crate::iproute_names::NameKind;
use crate::line_values::line_value;
use crate::model::{Family, IpvlanMode, Name, Prefix, VirtualRouterId, virtual_hardware};
use crate::preprocess::Context;
use crate::schema::entry::Block;
use crate::schema::lines::address::prefix;
use crate::schema::{Kind, any, flag, kw};
use crate::tree::Node;
use crate::values::{Problem, interface};
use crate::words::Word;

/// The interface that it makes.
pub(super) const VMAC: Block<InstanceDraft> = Block(&[
    kw(
        "use_vmac",
        &[any("[NAME] [MAC] [group GROUP] [netlink_notify_msg]", Kind::Options("vmac"))],
        "Use a VMAC interface with the virtual router's hardware address. With `netlink_notify_msg` the kernel tells \
         whoever listens of the interface below, when the VMAC is made or removed.",
    )
    .example("use_vmac vrrp.51")
    .sets(use_vmac),
    flag("use_vmac_addr", "Put addresses on other interfaces on VMAC interfaces too.")
        .example("use_vmac_addr")
        .sets(|to, _, _| to.vmac_addr = true),
    flag("vmac_xmit_base", "Send adverts from the interface below the VMAC.")
        .example("vmac_xmit_base")
        .sets(|to, node, _| to.vmac_xmit_base = Some(node.name.span)),
    kw(
        "use_ipvlan",
        &[any("[NAME] [ADDRESS] [bridge | private | vepa]", Kind::Options("ipvlan"))],
        "Use an ipvlan interface.",
    )
    .first_counts()
    .example("use_ipvlan ipv.51 192.0.2.51")
    .sets(use_ipvlan),
]);

fn use_vmac(draft: &mut InstanceDraft, node: &Node, context: &mut Context) {
    read(draft, KindDraft::Macvlan { mac: None, netlink_notify: false }, node, context);
}

fn use_ipvlan(draft: &mut InstanceDraft, node: &Node, context: &mut Context) {
    read(draft, KindDraft::Ipvlan { mode: None, address: None, address_written: false }, node, context);
}

/// Takes the words of either; one that is wrong (reported) has no effect.
fn read(draft: &mut InstanceDraft, kind: KindDraft, node: &Node, context: &mut Context) {
    let mut made = VmacDraft { at: node.name.span, interface: None, group: None, kind };
    let mut words = node.args.iter();
    while let Some(word) = words.next() {
        let value = matches!(&*word.text, "group" | "name")
            .then(|| words.next())
            .map(|value| line_value(word, value, context));
        match (&*word.text, value) {
            (_, Some(None)) => {}
            ("group", Some(Some(value))) => group(&mut made, value, context),
            (_, Some(Some(value))) => name(&mut made, value, context),
            (_, None) => match &mut made.kind {
                KindDraft::Macvlan { netlink_notify, .. } if &*word.text == "netlink_notify_msg" => {
                    *netlink_notify = true;
                }
                KindDraft::Macvlan { mac, .. } if word.text.contains(':') => hardware(mac, word, context),
                KindDraft::Ipvlan { mode, .. } if ipvlan_mode(&word.text).is_some() => {
                    set(mode, ipvlan_mode(&word.text), word, context);
                }
                KindDraft::Ipvlan { address, address_written, .. } if looks_like_address(&word.text) => {
                    *address_written = true;
                    ipvlan_address(draft, address, word, context);
                }
                KindDraft::Macvlan { .. } | KindDraft::Ipvlan { .. } => name(&mut made, word, context),
            },
        }
    }
    draft.vmac = Some(Box::new(made));
}

/// Reports a word that has no effect.
fn without_effect(word: &Word, code: &'static str, message: String, context: &mut Context) {
    context.report(Diagnostic::error(code, message).at(word.span, "has no effect"));
}

/// Sets what may be said once.
fn set<T>(slot: &mut Option<T>, value: Option<T>, word: &Word, context: &mut Context) {
    match slot {
        Some(_) => {
            without_effect(word, "duplicate-keyword", format!("`{}` comes too late", word.text), context)
        }
        None => *slot = value,
    }
}

fn group(made: &mut VmacDraft, value: &Word, context: &mut Context) {
    match context.known.iproute.find(NameKind::InterfaceGroup, &value.text) {
        Some(group) => made.group = Some(group),
        None => without_effect(
            value,
            "invalid-value",
            format!("there is no interface group `{}`", value.text),
            context,
        ),
    }
}

fn name(made: &mut VmacDraft, word: &Word, context: &mut Context) {
    let name = match interface(&word.text) {
        Ok(name) => Name::from(name),
        Err(Problem { code, message, .. }) => return without_effect(word, code, message, context),
    };
    if made.interface.is_some() {
        return without_effect(word, "duplicate-keyword", "the interface has a name already".into(), context);
    }
    if !context.known.vmac_names.insert(name.clone()) {
        let message = format!("another instance has an interface of the name `{name}`");
        return without_effect(word, "duplicate-name", message, context);
    }
    made.interface = Some((name, word.span));
}

fn hardware(slot: &mut Option<Mac>, word: &Word, context: &mut Context) {
    let mut refuse = |message: &str| without_effect(word, "invalid-value", message.to_owned(), context);
    let Some(mac) = mac(word) else {
        return refuse("this is no hardware address");
    };
    let [first, .., last] = mac.bytes;
    if first & 1 != 0 {
        return refuse("this is a hardware address of multicast");
    }
    let of_a_router = |family| virtual_hardware(family, VirtualRouterId(last)) == mac.bytes;
    if [Family::Inet, Family::Inet6].into_iter().any(of_a_router) {
        return refuse(
            "this is the hardware address of a virtual router (RFC 9568 §7.3), which it has anyway",
        );
    }
    set(slot, Some(mac), word, context);
}

/// Six bytes, or five: then the last is the VRID.
fn mac(word: &Word) -> Option<Mac> {
    let text = word.text.strip_suffix(':').unwrap_or(&word.text);
    let mut bytes = [0; 6];
    let mut count = 0;
    for part in text.split(':') {
        let short = !part.is_empty() && part.len() <= 2;
        *bytes.get_mut(count)? = short.then(|| u8::from_str_radix(part, 16).ok())??;
        count += 1;
    }
    let trailing = text.len() != word.text.len();
    let right = count == 5 || (count == 6 && !trailing);
    right.then_some(Mac { bytes, ends_in_vrid: count == 5, at: word.span })
}

fn ipvlan_mode(text: &str) -> Option<IpvlanMode> {
    match text {
        "bridge" => Some(IpvlanMode::Bridge),
        "private" => Some(IpvlanMode::Private),
        "vepa" => Some(IpvlanMode::Vepa),
        _ => None,
    }
}

fn looks_like_address(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.parse::<std::net::IpAddr>().is_ok()
}

fn ipvlan_address(draft: &mut InstanceDraft, slot: &mut Option<Prefix>, word: &Word, context: &mut Context) {
    let Some(prefix) = prefix(word, context) else { return };
    if slot.is_some() {
        return without_effect(
            word,
            "duplicate-keyword",
            "the interface has an address already".into(),
            context,
        );
    }
    if draft.is_of_family(prefix.address, "address of `use_ipvlan`", word.span, context) {
        *slot = Some(prefix);
        draft.path.make_mut().source.get_or_insert((prefix.address, word.span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    #[test]
    fn a_hardware_address_has_six_bytes_or_ends_in_the_vrid() {
        for (text, expected) in [
            ("02:00:00:00:00:07", Some(([2, 0, 0, 0, 0, 7], false))),
            ("2:a:B:c:d:e", Some(([2, 10, 11, 12, 13, 14], false))),
            ("02:00:00:00:01", Some(([2, 0, 0, 0, 1, 0], true))),
            ("02:00:00:00:01:", Some(([2, 0, 0, 0, 1, 0], true))),
            ("02:00:00:00:00:07:", None),
            ("02:00:00:01", None),
            ("02:00:00:00:00:07:08", None),
            ("02:00:00:00:00:007", None),
            ("02::00:00:00:07", None),
            ("xx:00:00:00:00:07", None),
        ] {
            let word = Word { text: text.into(), span: Span::default() };
            let found = mac(&word).map(|mac| (mac.bytes, mac.ends_in_vrid));
            assert_eq!(found, expected, "{text}");
        }
    }
}
