//! Links `keepwatchd`, the small program that holds signals before it does anything else, at a fixed place: then no loader
//! has to move pointers first. Signals that come meanwhile are not held yet and would end it; and what a loader has
//! written to is memory of every daemon of its own. It talks to nobody but its worker, so that a random place would
//! protect nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // With the musl library everything is one file already, and starts at once.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bin=keepwatchd=-no-pie");
    }
}
