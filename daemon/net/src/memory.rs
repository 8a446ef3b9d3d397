//! What a process gives back of its memory when it has settled: at the start, and at a reload, it needs much that it never
//! needs again.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// From a start or a reload until memory is given back: by then everybody has been told of it, and who waits for nobody has
/// become master.
pub const SETTLED_AFTER: Duration = Duration::from_secs(5);
/// Blocks of so many bytes are large. It is where the C library begins.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 << 10;

/// Has large blocks lie by themselves, so that they go back as soon as they are free. Else one that is freed teaches the C
/// library to keep the next ones of its size among the small ones. To be called at the very beginning.
pub fn part_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number, before there is any other thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Has all threads that begin from here on share the heaps that there are already. Else each has one of its own, and what one
/// allocates and another frees (events, most of all) leaves holes in all of them: with ten thousand servers that is a third of
/// what there is. They share its lock too, so it is nothing for a process with virtual routers.
pub fn share_heaps() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number, which is looked at when a thread wants a heap.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

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
    for range in text() {
        // SAFETY: a whole mapping of the program's file that nobody has written to: what is touched next is read from there
        // again. An error (locked memory) leaves everything as it was.
        unsafe { libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED) };
    }
}

/// The program's own mappings that are never written to, in whole pages. They are found without the heap: what is taken from
/// it now stays there.
#[cfg(target_pointer_width = "64")]
fn text() -> impl Iterator<Item = Range<usize>> {
    // SAFETY: these ask for numbers.
    let (headers, count, page) = unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE);
        (libc::getauxval(libc::AT_PHDR), libc::getauxval(libc::AT_PHNUM), usize::try_from(page).unwrap_or(0))
    };
    let (start, count) = (headers as *const libc::Elf64_Phdr, usize::try_from(count).unwrap_or(0));
    // SAFETY: the kernel has told where the headers of the running program are, and how many there are; they stay there
    // unchanged, in one of the program's own mappings.
    let headers = if start.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(start, count) } };
    untouched(headers, start as usize, page)
}

/// Elsewhere it is left.
#[cfg(not(target_pointer_width = "64"))]
fn text() -> impl Iterator<Item = Range<usize>> {
    std::iter::empty()
}

/// What of a program whose headers are at this address is loaded and never written to. Nothing if the headers don't tell where
/// they are themselves, that is by how much the program was moved.
#[cfg(target_pointer_width = "64")]
fn untouched(headers: &[libc::Elf64_Phdr], at: usize, page: usize) -> impl Iterator<Item = Range<usize>> {
    let own = headers.iter().find(|header| header.p_type == libc::PT_PHDR);
    let moved = own.map(|own| at.wrapping_sub(own.p_vaddr as usize));
    let loaded = headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0);
    loaded.filter_map(move |header| {
        let start = moved?.wrapping_add(header.p_vaddr as usize);
        let end = start.checked_add(header.p_memsz as usize)?;
        // A page at its end may hold the beginning of what is written to.
        let (start, end) = (start.checked_next_multiple_of(page)?, end.checked_div(page)? * page);
        (start < end).then_some(start..end)
    })
}

/// How often a start, a reload or the like has settled.
static SETTLED: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// For which of these times this thread has given back what it does not need of its stack.
    static GIVEN_BACK: Cell<u32> = const { Cell::new(0) };
}

/// A start or a reload has settled: each thread that calls [`before_waiting`] gives back what it needed of its stack.
pub fn settled() {
    SETTLED.fetch_add(1, Ordering::Relaxed);
}

/// To be called by a thread that is about to wait, where few calls are open: gives back what those that have returned needed
/// of its stack, once each time when something [has settled](settled). Otherwise it reads two numbers.
pub fn before_waiting() {
    let settled = SETTLED.load(Ordering::Relaxed);
    if GIVEN_BACK.replace(settled) != settled {
        give_back_stack();
    }
}

/// Gives back what calls needed of this thread's stack that have returned since.
pub fn give_back_stack() {
    let frame = 0_u8;
    let here = std::hint::black_box(&raw const frame) as usize;
    // SAFETY: it asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(unused) = usize::try_from(page).ok().and_then(|page| below(own_stack()?, here, page)) else {
        return;
    };
    // SAFETY: the stack of this very thread, further below this frame than the calls that it still makes reach: nothing
    // there is read before it is written to. Of a stack that grows a part is not mapped yet, which is passed over. An error
    // leaves everything as it was.
    unsafe {
        libc::madvise(unused.start as *mut libc::c_void, unused.end - unused.start, libc::MADV_DONTNEED);
    }
}

/// Where this thread's stack begins, which is its lowest address.
fn own_stack() -> Option<usize> {
    // SAFETY: all zero is a valid value of this plain structure; it is filled by the call, and destroyed once if that
    // succeeded; the two pointers are to variables of the right types.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        let told = libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        (told == 0).then_some(start as usize)
    }
}

/// The pages of a stack from `start` on that lie well below `here`, if there are any.
fn below(start: usize, here: usize, page: usize) -> Option<Range<usize>> {
    // For the frames of what is called from here.
    const KEPT: usize = 4 << 10;
    let start = start.checked_next_multiple_of(page)?;
    let end = here.checked_sub(KEPT)? & !(page - 1);
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_writes_to_is_given_back() {
        let header = |p_type, p_flags, p_vaddr, p_memsz| libc::Elf64_Phdr {
            p_type,
            p_flags,
            p_offset: 0,
            p_vaddr,
            p_paddr: 0,
            p_filesz: p_memsz,
            p_memsz,
            p_align: 0x1000,
        };
        let (read, run, write) = (libc::PF_R, libc::PF_R | libc::PF_X, libc::PF_R | libc::PF_W);
        let headers = [
            header(libc::PT_PHDR, read, 0x40, 0x300),
            header(libc::PT_LOAD, read, 0, 0x66_d780),
            header(libc::PT_LOAD, run, 0x66_e780, 0x1d_9f00),
            header(libc::PT_LOAD, write, 0x84_9000, 0xc_0000),
            header(libc::PT_GNU_RELRO, read, 0x84_9000, 0xb_0000),
        ];
        let found = |headers: &[_]| untouched(headers, 0x55a1_ef00_0040, 0x1000).collect::<Vec<_>>();
        let expected = [0x55a1_ef00_0000..0x55a1_ef66_d000, 0x55a1_ef66_f000..0x55a1_ef84_8000];
        assert_eq!(found(&headers), expected);
        assert_eq!(found(&headers[1..]), [], "it is not known where they are");
        assert_eq!(untouched(&headers, 0x55a1_ef00_0040, 0).next(), None);
    }

    #[test]
    fn the_own_text_is_found() {
        let here = give_back as fn() as usize;
        assert!(text().any(|range| range.contains(&here)));
        let table = std::hint::black_box(&WRITTEN) as *const AtomicU32 as usize;
        assert!(!text().any(|range| range.contains(&table)));
    }

    static WRITTEN: AtomicU32 = AtomicU32::new(7);

    #[test]
    fn a_stack_is_given_back_well_below_the_frame() {
        assert_eq!(below(0x7000_0000, 0x7007_e123, 0x1000), Some(0x7000_0000..0x7007_d000));
        assert_eq!(below(0x7000_0010, 0x7007_e123, 0x1000), Some(0x7000_1000..0x7007_d000));
        assert_eq!(below(0x7000_0000, 0x7007_e123, 0x10000), Some(0x7000_0000..0x7007_0000));
        assert_eq!(below(0x7000_0000, 0x7000_1fff, 0x1000), None, "there is next to nothing");
    }

    /// Uses this much of the stack, and no less.
    #[inline(never)]
    fn deep(depth: u32) -> u64 {
        let frame = std::hint::black_box([u64::from(depth); 128]);
        if depth == 0 { frame[7] } else { deep(depth - 1) + frame[9] }
    }

    /// How many pages of this thread's stack are there.
    fn pages_there() -> usize {
        let start = own_stack().unwrap();
        let frame = 0_u8;
        let length = ((&raw const frame) as usize - start) & !0xfff;
        let mut there = vec![0_u8; length.div_ceil(4096)];
        let start = start as *mut libc::c_void;
        // SAFETY: the answer has a byte for each page of the range; the stack of a thread is mapped as a whole.
        assert_eq!(unsafe { libc::mincore(start, length, there.as_mut_ptr()) }, 0);
        there.iter().filter(|page| *page & 1 != 0).count()
    }

    #[test]
    fn each_thread_gives_its_stack_back_once_it_has_settled() {
        let thread = std::thread::spawn(|| {
            before_waiting();
            assert!(deep(400) > 0);
            let before = pages_there();
            settled();
            before_waiting();
            (before, pages_there())
        });
        let (before, after) = thread.join().unwrap();
        // 400 frames of a kilobyte each.
        assert!(before >= after + 90, "{before} pages, then {after}");
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
