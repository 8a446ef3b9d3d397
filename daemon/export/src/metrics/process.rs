//! What Prometheus's own client libraries tell of their process, under the same names. In: proc(5). What can't be read is
//! left out.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

use super::family::{Families, number};

pub(super) fn collect(families: &mut Families) {
    let status = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Status::read);
    let of = |measure: fn(&Status) -> f64| status.as_ref().map(measure);
    let ticks = per_second();
    let cpu = of(|s| number(s.ticks)).map(|spent| spent / ticks);
    let began = boot_time().zip(of(|s| number(s.began))).map(|(boot, began)| boot + began / ticks);
    let resident = of(|s| number(s.resident)).map(|pages| pages * page_size());
    one(families, true, "process_cpu_seconds_total", "Time that the worker has used of processors", cpu);
    one(families, false, "process_start_time_seconds", "When the worker began, in seconds since 1970", began);
    one(families, false, "process_resident_memory_bytes", "Memory of the worker that is in use", resident);
    let size = of(|s| number(s.size));
    one(families, false, "process_virtual_memory_bytes", "Memory of the worker that is mapped", size);
    one(families, false, "process_threads", "Threads of the worker", of(|s| number(s.threads)));
    let open = fs::read_dir("/proc/self/fd").ok().map(|all| number(all.count() as u64));
    one(families, false, "process_open_fds", "File descriptors that are open", open);
    one(families, false, "process_max_fds", "File descriptors that may be open", most_descriptors());
}

fn one(families: &mut Families, rises: bool, name: &str, help: &str, value: Option<f64>) {
    let mut family = if rises { families.counter(name, help, &[]) } else { families.gauge(name, help, &[]) };
    if let Some(value) = value {
        family.sample(&[], value);
    }
}

/// Of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Status {
    /// utime and stime.
    ticks: u64,
    threads: u64,
    /// Ticks after the boot.
    began: u64,
    /// Bytes.
    size: u64,
    /// Pages.
    resident: u64,
}

impl Status {
    fn read(text: &str) -> Option<Self> {
        // The name may hold anything, so the fields are counted from its end: the next one is the third.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<u64>().ok();
        Some(Self {
            ticks: field(14)? + field(15)?,
            threads: field(20)?,
            began: field(22)?,
            size: field(23)?,
            resident: field(24)?,
        })
    }
}

#[allow(clippy::cast_precision_loss)]
fn configured(what: SysconfVar, otherwise: f64) -> f64 {
    sysconf(what).ok().flatten().map_or(otherwise, |value| value as f64)
}

fn per_second() -> f64 {
    configured(SysconfVar::CLK_TCK, 100.0)
}

fn page_size() -> f64 {
    configured(SysconfVar::PAGE_SIZE, 4096.0)
}

fn boot_time() -> Option<f64> {
    let all = fs::read_to_string("/proc/stat").ok()?;
    all.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn most_descriptors() -> Option<f64> {
    let (soft, _) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).ok()?;
    Some(number(soft))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_anything_in_it_shifts_no_field() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 4194560 9 0 0 0 12 30 0 0 20 0 5 0 8800 1024000 250 1844";
        let expected = Status { ticks: 42, threads: 5, began: 8800, size: 1_024_000, resident: 250 };
        assert_eq!(Status::read(text), Some(expected));
        assert_eq!(Status::read("7 (a) S 1"), None);
    }
}
