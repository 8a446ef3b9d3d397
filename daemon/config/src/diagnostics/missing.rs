//! Which keywords are missing when a diagnostic says that something is.

/// The keywords whose absence (in some block) leads to diagnostics of this code.
pub(super) fn what_is_missing(code: &str) -> &'static [&'static str] {
    match code {
        "missing-vrid" => &["virtual_router_id"],
        "missing-interface" => &["interface"],
        "no-addresses" => &["virtual_ipaddress", "virtual_ipaddress_excluded"],
        "missing-script" => &["script"],
        "missing-file" => &["file"],
        "missing-process" => &["process"],
        "missing-neighbour" => &["neighbor_ip"],
        "missing-part" => &["url", "path", "misc_path", "name", "auth_type", "auth_pass"],
        "no-real-servers" => &["real_server"],
        "empty-group" => &["group"],
        "default-used" => &["lvs_sched", "lvs_method", "protocol"],
        "unicast-without-peers" => &["unicast_peer"],
        "unknown-instance" => &["vrrp_instance", "virtual_router_id", "interface", "virtual_ipaddress"],
        "weight-ignored" => &["sync_group_tracking_weight", "global_tracking"],
        "unknown-group" => &["virtual_server_group"],
        "unknown-tracked" => &[
            "vrrp_script",
            "track_file",
            "vrrp_track_process",
            "bfd_instance",
            "script",
            "file",
            "process",
            "neighbor_ip",
        ],
        "quorum-too-high" => &["weight", "real_server"],
        "hysteresis-too-high" => &["quorum"],
        "port-mismatch" => &["lvs_method"],
        "advert-int" => &["version", "vrrp_version", "global_defs"],
        "unknown-user" => &["script_user"],
        "script-security" => &["enable_script_security", "global_defs"],
        _ => &[],
    }
}
