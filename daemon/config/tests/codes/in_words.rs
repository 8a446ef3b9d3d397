//! Examples of the page that are told in words, as they are too long for it or need files.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keepwatch_config::{
    Diagnostics, Host, HostAddress, Loaded, Options, check_cluster, check_host, load, load_text,
};

type Codes = BTreeSet<&'static str>;

/// A code, the words of the page, and what makes it.
type Example = (&'static str, &'static str, fn(&Directory) -> Codes);

const EXAMPLES: &[Example] = &[
    ("cluster-same-file", "`keepwatch check one.conf ./one.conf`", |_| {
        let options = Options { for_cluster: true, ..options() };
        let load = |name: &str| load_text(Path::new(name), super::around("", ""), &options);
        let found = check_cluster(&[load("one.conf"), load("./one.conf")]);
        found.iter().flat_map(Diagnostics::iter).map(|diagnostic| diagnostic.code).collect()
    }),
    ("expansion-limit", "`~SEQ(A, 1, 20) router_id R$A` with `--expansion-limit 10`", |_| {
        let text = super::around("in `global_defs`", "~SEQ(A, 1, 20) router_id R$A");
        let limited = Options { expansion_limit: 10, ..options() };
        codes(&load_text(Path::new("page.conf"), text, &limited))
    }),
    ("line-too-long", "a line of 70,000 characters", |_| {
        text(&format!("global_defs {{\nrouter_id {}\n}}\n", "x".repeat(70_000)))
    }),
    ("byte-order-mark", "`EF BB BF` as the first bytes", |_| text("\u{feff}global_defs {\n}\n")),
    ("invalid-encoding", "`router_id München` in Latin-1", |directory| {
        file(directory, "latin.conf", b"global_defs {\nrouter_id M\xfcnchen\n}\n")
    }),
    ("line-ends", "two lines with `0D` between them", |_| text("global_defs {\r}\r")),
    ("several-files", "`keepwatch check '*.conf'` in a directory with two", |directory| {
        directory.write("one.conf", b"", 0o644);
        directory.write("two.conf", b"", 0o644);
        codes(&load(&directory.0.join("*.conf"), &options()))
    }),
    ("executable-file", "`chmod +x a.conf; keepwatch check a.conf`", |directory| {
        directory.write("a.conf", b"", 0o755);
        codes(&load(&directory.0.join("a.conf"), &options()))
    }),
    ("nul-byte", "a line with a byte 0 in it", |_| text("global_defs {\nrouter_id A\0\n}\n")),
    ("too-many-includes", "a file that includes the next, and so on, 65 deep", |directory| {
        for number in 0..70 {
            directory.write(
                &format!("{number}.inc"),
                format!("include {}.inc\n", number + 1).as_bytes(),
                0o644,
            );
        }
        file(directory, "deep.conf", b"include 0.inc\n")
    }),
    ("too-many-mistakes", "100,000 lines of nonsense", |_| {
        text(&(0..100_000).map(|number| format!("nonsense{number}\n")).collect::<String>())
    }),
    ("no-configuration", "`include` of a file of prose, or of another program's", |directory| {
        directory.write(
            "prose.txt",
            "Nothing of what\nfollows is\nin any way\nknown to\nanybody here\n".as_bytes(),
            0o644,
        );
        file(directory, "prose.conf", b"include prose.txt\n")
    }),
    ("circular-include", "`self.conf` with the line `include self.conf`", |directory| {
        file(directory, "self.conf", b"include self.conf\n")
    }),
    ("unreadable-file", "`keepwatch check` of a file that is missing, and of a directory", |directory| {
        let [missing, directory] =
            [directory.0.join("missing"), directory.0.clone()].map(|path| codes(&load(&path, &options())));
        missing.intersection(&directory).copied().collect()
    }),
    ("unreadable-ssl", "`SSL { ⏎ ca /nonexistent ⏎ }` on a host without that file", |_| {
        let text = "SSL {\nca /nonexistent\n}\nvirtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.0.2 80 {\n}\n}\n";
        let loaded = load_text(Path::new("page.conf"), text.into(), &options());
        let said = check_host(&loaded, &Host::default());
        assert!(said.render_text(false).contains("page.conf:2:4"), "{}", said.render_text(false));
        said.iter().map(|diagnostic| diagnostic.code).collect()
    }),
    ("no-such-interface", "`interface eth0` on a host without one", |_| {
        let loaded = load_text(Path::new("page.conf"), super::around("", ""), &options());
        check_host(&loaded, &Host { interfaces: vec!["lo".into()], ..Host::default() })
            .iter()
            .map(|diagnostic| diagnostic.code)
            .collect()
    }),
    ("nothing-to-run", "a file with `global_defs` alone, or with an `include` that matches nothing", |_| {
        let text = "global_defs {\nrouter_id A\n}\n".to_owned();
        let loaded = load_text(Path::new("page.conf"), text, &options());
        check_host(&loaded, &Host::default()).iter().map(|diagnostic| diagnostic.code).collect()
    }),
    (
        "interface-taken",
        "`use_vmac eth1` on a host with an `eth1` that is no macvlan in private mode",
        |_| on_host("use_vmac eth1", "10.0.0.7"),
    ),
    ("own-address", "`virtual_ipaddress { 10.0.0.1 }` on a host with that address", |_| {
        on_host("", "10.0.0.1")
    }),
    ("no-such-address", "`mcast_src_ip 10.0.0.2` on a host without that address", |_| {
        on_host("mcast_src_ip 10.0.0.2", "10.0.0.7")
    }),
    ("cluster-group-priority", "priorities 100 and 90 in one file, 90 and 100 in the other", |_| {
        let instance = |name, id, priority| {
            format!(
                "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {id}\npriority {priority}\n\
                 virtual_ipaddress {{\n10.0.0.{id}\n}}\n}}\n"
            )
        };
        let load = |name: &str, one: u8, other: u8| {
            let group = "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n".to_owned();
            let text = group + &instance("A", 1, one) + &instance("B", 2, other);
            load_text(Path::new(name), text, &Options { for_cluster: true, ..options() })
        };
        let found = check_cluster(&[load("one.conf", 100, 90), load("two.conf", 90, 100)]);
        found.iter().flat_map(Diagnostics::iter).map(|diagnostic| diagnostic.code).collect()
    }),
    ("script-interpreter", "`notify` of a script that begins with `#!/nonexistent`", |directory| {
        let script = directory.write("script", b"#!/nonexistent\n", 0o755);
        text(&super::around("in `vrrp_instance`", &format!("notify \"{}\"", script.display())))
    }),
    ("script-insecure", "`notify` of a script of mode 0777", |directory| {
        let script = directory.write("script", b"#!/bin/sh\n", 0o777);
        text(&super::around("in `vrrp_instance`", &format!("notify \"{}\"", script.display())))
    }),
];

/// What is said of an example in words; `None` if there is none of this code in these words.
pub(super) fn answer(code: &str, words: &str) -> Option<Codes> {
    let (_, _, make) =
        EXAMPLES.iter().find(|(known, known_words, _)| (*known, *known_words) == (code, words))?;
    Some(make(&Directory::new(code)))
}

/// A directory for the files of an example, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("keepwatch-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options() -> Options {
    Options { scripts: true, ..super::reading::options() }
}

fn codes(loaded: &Loaded) -> Codes {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn text(text: &str) -> Codes {
    codes(&load_text(Path::new("page.conf"), text.to_owned(), &options()))
}

fn file(directory: &Directory, name: &str, bytes: &[u8]) -> Codes {
    codes(&load(&directory.write(name, bytes, 0o644), &options()))
}

/// What is said of lines of an instance on a host that has this address.
fn on_host(lines: &str, address: &str) -> Codes {
    let loaded = load_text(Path::new("page.conf"), super::around("in `vrrp_instance`", lines), &options());
    let address = address.parse().expect("an address");
    let host = Host {
        interfaces: vec!["eth0".into(), "eth1".into()],
        addresses: vec![HostAddress { address, interface: "eth0".into(), is_own: true }],
        ..Host::default()
    };
    check_host(&loaded, &host).iter().map(|diagnostic| diagnostic.code).collect()
}
