//! Virtual servers of two machines against each other.

use super::{codes, instance, second};

/// A file of a machine with this priority and these virtual servers.
fn file(priority: u8, servers: &str) -> String {
    instance("A", 51, "10.0.0.1", &format!("priority {priority}")) + servers
}

/// A virtual server with more in it.
fn server(head: &str, more: &str) -> String {
    format!("virtual_server {head} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n{more}\n}}\n")
}

fn real(address: &str, more: &str) -> String {
    format!(" real_server {address} {{\n{more}\n }}\n")
}

#[test]
fn a_machine_without_any_virtual_servers_is_said_once() {
    let two =
        server("10.0.0.1 80", &real("10.1.0.1 80", "")) + &server("10.0.0.1 81", &real("10.1.0.1 81", ""));
    assert_eq!(codes(&[&file(150, &two), &file(100, "")]), [vec!["cluster-virtual-servers"], vec![]]);
}

#[test]
fn what_real_servers_have_from_their_virtual_server_is_said_there_once() {
    let reals = real("10.1.0.1 80", "") + &real("10.1.0.2 80", "");
    let with = |more: &str| server("10.0.0.1 80", &format!("{more}\n{reals}"));
    for (one, other) in [("weight 2", "weight 3"), ("", "inhibit_on_failure")] {
        let said = second(&file(150, &with(one)), &file(100, &with(other)));
        assert_eq!(said, ["cluster-virtual-servers"], "{other}");
    }
}

#[test]
fn when_and_from_where_is_checked_may_differ() {
    let with = |more: &str| {
        let check = format!("  TCP_CHECK {{\n{more}\n  }}");
        server("10.0.0.1 80", &real("10.1.0.1 80", &check))
    };
    let other = with("connect_timeout 2\nbindto 10.9.0.2\nretry 5\ndelay_loop 7");
    assert_eq!(second(&file(150, &with("")), &file(100, &other)), [] as [&str; 0]);
}

#[test]
fn a_check_that_only_one_machine_makes_is_said() {
    let with = |check: &str| server("10.0.0.1 80", &real("10.1.0.1 80", check));
    let said = second(&file(150, &with("")), &file(100, &with("PING_CHECK {\n}")));
    assert_eq!(said, ["cluster-checks"]);
}

#[test]
fn groups_and_marks_are_compared_too() {
    let with = |entry: &str, weight: u8| {
        format!("virtual_server_group G {{\n 10.0.0.1 80\n {entry}\n}}\n")
            + &server("group G", &real("10.1.0.1 80", ""))
            + &server("fwmark 7", &real("10.1.0.1 80", &format!("weight {weight}")))
    };
    let first = file(150, &with("10.0.0.1 81", 1));
    assert_eq!(second(&first, &file(100, &with("10.0.0.1 81", 1))), [] as [&str; 0]);
    assert_eq!(second(&first, &file(100, &with("10.0.0.1 82", 1))), ["cluster-virtual-servers"]);
    assert_eq!(second(&first, &file(100, &with("10.0.0.1 81", 2))), ["cluster-real-servers"]);
}

#[test]
fn one_server_however_it_is_spelt_is_one_server() {
    let one = server("10.0.0.1 80", &real("2001:db8::1 80", "").replace("NAT", "TUN")).replace("NAT", "TUN");
    let other = one.replace("2001:db8::1 80", "2001:0db8:0::1 80\n weight 1\n").replace("weight 1\n {", "{");
    assert_eq!(second(&file(150, &one), &file(100, &other.replace("\n weight 1\n", ""))), [] as [&str; 0]);
}
