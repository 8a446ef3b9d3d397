//! What instances have after reading, where that is not what is written: defaults, what one keyword means for another, what is
//! left of a line with a mistake in it.

use serde_json::json;

use super::reading::read;

/// What stands in the instance besides, where to look in the instance, and what is there.
type Case = (&'static str, &'static str, fn() -> serde_json::Value);

const CASES: &[Case] = &[
    ("virtual_ipaddress {\n10.0.0.2 track_group\n10.0.0.3 track_group G\n}", "/addresses/1/address", || {
        json!("10.0.0.2")
    }),
    ("virtual_ipaddress {\n10.0.0.2 track_group\n10.0.0.3 track_group G\n}", "/addresses/2/address", || {
        json!("10.0.0.3")
    }),
];

#[test]
fn instances_have_these_values() {
    for (text, pointer, expected) in CASES {
        let text = format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{text}\n}}\n"
        );
        let model = read(&text).config.expect("it runs").to_json();
        assert_eq!(model["instances"][0].pointer(pointer), Some(&expected()), "{text}{pointer}");
    }
}
