//! IPVS in a real kernel: every test here boots a virtual machine (see `integration::vm`).

use integration::vm::Scenario;

#[test]
fn a_machine_with_ipvs_boots_and_tells_how_its_script_ended() {
    let outcome = Scenario::new("ipvsadm -Ln; echo \"$STORY\"; cat /proc/uptime; exit 7")
        .module("ip_vs")
        .env("STORY", "it's alive")
        .run()
        .unwrap();
    assert!(outcome.output.contains("IP Virtual Server version"), "{}", outcome.output);
    assert!(outcome.output.contains("it's alive"), "{}", outcome.output);
    assert_eq!(outcome.code, 7);
}
