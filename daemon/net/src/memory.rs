//! What a process gives back of its memory when it has settled: at the start, and at a reload, it needs much that it never
//! needs again.

#![allow(unsafe_code)]

use std::fs;
use std::ops::Range;
use std::time::Duration;

/// From a start or a reload until memory is given back: by then everybody has been told of it, and who waits for nobody has
/// become master.
pub const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Gives back free pages of the heap. The threads go on meanwhile; who allocates may wait for a moment.
pub fn give_heap_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time; what is in use is left alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives back what is not needed now: free pages of the heap, and the pages of this program's own text, of which those come
/// back that are still used. They are clean and stay where all programs' files are kept, so that this costs no read from a
/// disk, unless the kernel has given the room to somebody else, which it might have done before as well. Where memory is
/// locked (`vrrp_no_swap`) all text stays. The threads go on meanwhile; who allocates may wait for a moment.
pub fn give_back() {
    give_heap_back();
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    for range in text(&maps, give_back as fn() as usize) {
        let length = range.end - range.start;
        // SAFETY: a whole mapping of a file that nobody has written to: what is touched next is read from there again. An
        // error (locked memory) leaves everything as it was.
        unsafe { libc::madvise(range.start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
    }
}

/// Gives back what calls needed of the stack of the process's first thread that have returned since. Another thread's stack
/// is left as it is: it does nothing there.
pub fn give_back_stack() {
    let frame = 0_u8;
    let here = std::hint::black_box(&raw const frame) as usize;
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    // SAFETY: it asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(unused) = usize::try_from(page).ok().and_then(|page| below(&maps, here, page)) else { return };
    // SAFETY: the stack of this very thread, further below this frame than the calls that it still makes reach: nothing
    // there is read before it is written to. An error leaves everything as it was.
    unsafe {
        libc::madvise(unused.start as *mut libc::c_void, unused.end - unused.start, libc::MADV_DONTNEED);
    }
}

/// The pages of the first thread's stack that lie well below `here`, if that is on it.
fn below(maps: &str, here: usize, page: usize) -> Option<Range<usize>> {
    // For the frames of what is called from here, be it by a signal.
    const KEPT: usize = 16 << 10;
    let stack = maps.lines().filter(|line| line.ends_with("[stack]")).find_map(Mapping::read)?;
    let end = here.checked_sub(KEPT)? & !(page - 1);
    (stack.range.contains(&here) && stack.range.start < end).then_some(stack.range.start..end)
}

/// The program's own mappings that are never written to, as `/proc/PID/maps` has them: the one that is executed and holds the
/// address `inside`, and those of the same file before it. What comes after it may hold pointers that the loader has
/// moved.
fn text(maps: &str, inside: usize) -> Vec<Range<usize>> {
    let all = || maps.lines().filter_map(Mapping::read);
    let Some(own) = all().find(|mapping| mapping.range.contains(&inside)) else { return Vec::new() };
    let untouched = |mapping: &Mapping<'_>| {
        mapping.file == own.file
            && mapping.range.end <= own.range.end
            && matches!(mapping.rights, "r--p" | "r-xp")
    };
    all().filter(untouched).map(|mapping| mapping.range).collect()
}

/// A line of `/proc/PID/maps`.
struct Mapping<'a> {
    range: Range<usize>,
    rights: &'a str,
    /// Device and inode.
    file: (&'a str, &'a str),
}

impl<'a> Mapping<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        let (range, rights) = (address(start)?..address(end)?, words.next()?);
        // The offset.
        words.next()?;
        Some(Self { range, rights, file: (words.next()?, words.next()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55a1ef000000-55a1ef66e000 r--p 00000000 fe:00 77   /usr/bin/a program
55a1ef66e000-55a1f0848000 r-xp 0066d000 fe:00 77   /usr/bin/a program
55a1f0848000-55a1f0908000 r--p 01846000 fe:00 77   /usr/bin/a program
55a1f0908000-55a1f090c000 rw-p 01905000 fe:00 77   /usr/bin/a program
55a230baf000-55a230c12000 rw-p 00000000 00:00 0    [heap]
7f4fae500000-7f4fae600000 r-xp 00026000 fe:00 78   /usr/lib/libc.so.6
";

    #[test]
    fn only_what_nobody_writes_to_is_given_back() {
        let expected = [0x55a1_ef00_0000..0x55a1_ef66_e000, 0x55a1_ef66_e000..0x55a1_f084_8000];
        assert_eq!(text(MAPS, 0x55a1_ef70_0000), expected);
        assert_eq!(text(MAPS, 0x1000), []);
        assert_eq!(text("garbage\n1-\n", 0), []);
    }

    #[test]
    fn only_the_first_thread_s_stack_well_below_the_frame_is_given_back() {
        let maps = format!("{MAPS}7ffd10000000-7ffd10080000 rw-p 00000000 00:00 0    [stack]\n");
        assert_eq!(below(&maps, 0x7ffd_1007_e123, 0x1000), Some(0x7ffd_1000_0000..0x7ffd_1007_a000));
        assert_eq!(below(&maps, 0x7ffd_1007_e123, 0x10000), Some(0x7ffd_1000_0000..0x7ffd_1007_0000));
        assert_eq!(below(&maps, 0x7ffd_1000_4fff, 0x1000), None, "there is next to nothing");
        assert_eq!(below(&maps, 0x7f4f_ae50_0100, 0x1000), None, "another thread's");
        assert_eq!(below(MAPS, 0x7ffd_1007_e123, 0x1000), None);
    }

    #[test]
    fn what_was_given_back_is_there_when_it_is_needed() {
        static TABLE: [&str; 3] = ["one", "two", "three"];
        let kept: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        give_back();
        give_back_stack();
        assert_eq!((kept[999].as_str(), TABLE.concat()), ("999", "onetwothree".to_owned()));
    }
}
