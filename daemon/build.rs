//! Links `keepwatchd`, the small program that holds signals before it does anything else and then waits for its worker: at a
//! fixed place, and with all that it needs in it. No loader has to look for libraries and move pointers first, of which each
//! daemon of a host would have a copy of its own (120 KiB, more than half of what such a process takes). It talks to nobody
//! but its worker, so that a random place would protect nothing; and it looks up no users and no hosts, for which the C
//! library would load parts of itself.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // With the musl library everything is one file already.
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    let mut arguments = vec!["-no-pie".to_owned()];
    if let Some(libraries) = libraries() {
        let at_its_place = arguments.len();
        arguments.extend([format!("-L{}", libraries.display()), "-static".to_owned()]);
        if !links(&libraries, &arguments) {
            arguments.truncate(at_its_place);
        }
    }
    for argument in arguments {
        println!("cargo:rustc-link-arg-bin=keepwatchd={argument}");
    }
}

/// The compiler of Rust asks for three libraries by names that would find shared ones, whatever else is asked of the linker:
/// here are files of these names that lead to the others.
fn libraries() -> Option<PathBuf> {
    let directory = Path::new(&env::var_os("OUT_DIR")?).join("static");
    fs::create_dir_all(&directory).ok()?;
    let lead = |name: &str, to: &str| fs::write(directory.join(name), to).ok();
    lead("libgcc_s.so", "INPUT(-l:libgcc_eh.a)\n")?;
    lead("libc.so", "GROUP(-l:libc.a -l:libgcc.a -l:libgcc_eh.a)\n")?;
    lead("libm.so", "INPUT(-l:libm.a)\n")?;
    Some(directory)
}

/// Looks again when the machine's library has come, gone or changed.
fn follow_the_library(linker: &OsStr) {
    let found = Command::new(linker).arg("-print-file-name=libc.a").output();
    // Just the name, where there is none.
    let path =
        found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if Path::new(&path).is_absolute() {
        println!("cargo:rerun-if-changed={path}");
    }
}

/// Whether this machine can link so, and runs what it has linked: some have no such libraries, and some linkers get it wrong.
fn links(directory: &Path, arguments: &[String]) -> bool {
    const WORDS: &str = "a thread, a local, and a panic that is caught";
    if env::var_os("HOST") != env::var_os("TARGET") {
        return false;
    }
    let (source, program) = (directory.join("try.rs"), directory.join("try"));
    let text = format!(
        "thread_local! {{ static SAID: String = {WORDS:?}.to_owned(); }}\n\
         fn main() {{\n\
         let said = std::thread::spawn(|| SAID.with(String::clone)).join().unwrap();\n\
         std::panic::set_hook(Box::new(|_| {{}}));\n\
         assert!(std::panic::catch_unwind(|| panic!()).is_err());\n\
         print!(\"{{said}}\");\n}}\n"
    );
    if fs::write(&source, text).is_err() {
        return false;
    }
    let mut compile = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    compile.arg(&source).arg("-o").arg(&program);
    let linker = env::var_os("RUSTC_LINKER");
    follow_the_library(linker.as_deref().unwrap_or(OsStr::new("cc")));
    if let Some(linker) = linker {
        compile.arg("-C").arg(["linker=".into(), linker].into_iter().collect::<OsString>());
    }
    if let Ok(flags) = env::var("CARGO_ENCODED_RUSTFLAGS") {
        compile.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    }
    for argument in arguments {
        compile.arg("-C").arg(format!("link-arg={argument}"));
    }
    compile.output().is_ok_and(|output| output.status.success())
        && Command::new(&program)
            .output()
            .is_ok_and(|output| output.status.success() && output.stdout == WORDS.as_bytes())
}
