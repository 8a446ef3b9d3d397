//! Any bytes as a packet: every accessor of the codec is total once the length was checked.
#![no_main]

use keepwatch_bus::subject::Family;
use keepwatch_vrrp::wire::Message;
use keepwatch_vrrp::{Datagram, LinkId};
use libfuzzer_sys::fuzz_target;

fn read(family: Family, bytes: &[u8]) {
    let Ok(message) = Message::new_checked(family, bytes) else { return };
    assert_eq!(message.addresses().count(), usize::from(message.count()));
    let _ = (message.version(), message.packet_type(), message.vrid(), message.priority());
    let _ = (message.auth_type(), message.auth_data(), message.advert_interval(), message.checksum_fits());
}

fuzz_target!(|bytes: &[u8]| {
    read(Family::Inet, bytes);
    read(Family::Inet6, bytes);
    if let Ok(datagram) = Datagram::from_ipv4(LinkId(0), bytes) {
        read(Family::Inet, datagram.message);
    }
});
