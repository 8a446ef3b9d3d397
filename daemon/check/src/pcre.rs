//! PCRE2 with every option that keepalived's `regex_options` has, which the safe binding does not offer: compiling a
//! pattern, and looking for it in the part of a text that has come so far. The only file here with `unsafe` in it.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use keepwatch_model::{BodyRegex, MatcherStack, RegexOption};
use pcre2_sys::*;

/// Room for what PCRE2 says of an error; its documentation asks for 256 at most.
const MESSAGE: usize = 256;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Code {
    code: NonNull<pcre2_code_8>,
    stack: Option<MatcherStack>,
    /// The most bytes before a position that matching at it may look at.
    pub(crate) lookbehind: usize,
}

// SAFETY: pcre2api(3), "Multithreading": compiled code is read-only once it is compiled, JIT included, and may be used
// by several threads at once.
unsafe impl Send for Code {}
// SAFETY: as above.
unsafe impl Sync for Code {}

/// What became of looking for a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It is there.
    Match,
    /// It may begin at this byte: more text will tell.
    Partial(usize),
    /// It does not begin in this text.
    Nothing,
    /// PCRE2 gave up, for this reason.
    Error(String),
}

/// The room for looking for one pattern, and how far to look.
#[derive(Debug)]
pub(crate) struct Matcher {
    data: NonNull<pcre2_match_data_8>,
    context: NonNull<pcre2_match_context_8>,
    stack: Option<NonNull<pcre2_jit_stack_8>>,
}

// SAFETY: nothing of it belongs to a thread; it is used by one at a time, as its methods take `&mut self`.
unsafe impl Send for Matcher {}

fn flag(option: RegexOption) -> u32 {
    match option {
        RegexOption::AllowEmptyClass => PCRE2_ALLOW_EMPTY_CLASS,
        RegexOption::AltBsux => PCRE2_ALT_BSUX,
        RegexOption::AutoCallout => PCRE2_AUTO_CALLOUT,
        RegexOption::Caseless => PCRE2_CASELESS,
        RegexOption::DollarEndonly => PCRE2_DOLLAR_ENDONLY,
        RegexOption::Dotall => PCRE2_DOTALL,
        RegexOption::Dupnames => PCRE2_DUPNAMES,
        RegexOption::Extended => PCRE2_EXTENDED,
        RegexOption::Firstline => PCRE2_FIRSTLINE,
        RegexOption::MatchUnsetBackref => PCRE2_MATCH_UNSET_BACKREF,
        RegexOption::Multiline => PCRE2_MULTILINE,
        RegexOption::NeverUcp => PCRE2_NEVER_UCP,
        RegexOption::NeverUtf => PCRE2_NEVER_UTF,
        RegexOption::NoAutoCapture => PCRE2_NO_AUTO_CAPTURE,
        RegexOption::NoAutoPossess => PCRE2_NO_AUTO_POSSESS,
        RegexOption::NoDotstarAnchor => PCRE2_NO_DOTSTAR_ANCHOR,
        RegexOption::NoStartOptimize => PCRE2_NO_START_OPTIMIZE,
        RegexOption::Ucp => PCRE2_UCP,
        RegexOption::Ungreedy => PCRE2_UNGREEDY,
        // A page with a byte that is no UTF-8 must not be an error, but a page where that byte matches nothing.
        RegexOption::Utf => PCRE2_UTF | PCRE2_MATCH_INVALID_UTF,
        RegexOption::NeverBackslashC => PCRE2_NEVER_BACKSLASH_C,
        RegexOption::AltCircumflex => PCRE2_ALT_CIRCUMFLEX,
        RegexOption::AltVerbnames => PCRE2_ALT_VERBNAMES,
        RegexOption::UseOffsetLimit => PCRE2_USE_OFFSET_LIMIT,
    }
}

fn message(code: i32) -> String {
    let mut text = [0u8; MESSAGE];
    // SAFETY: the buffer is as long as is said.
    let length = unsafe { pcre2_get_error_message_8(code, text.as_mut_ptr(), text.len()) };
    let text = usize::try_from(length).ok().and_then(|length| text.get(..length)).unwrap_or_default();
    match text {
        [] => format!("error {code}"),
        text => String::from_utf8_lossy(text).into_owned(),
    }
}

impl Code {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What PCRE2 says is wrong with it.
    pub(crate) fn new(regex: &BodyRegex) -> Result<Self, String> {
        let limit = if regex.max_offset.is_some() { PCRE2_USE_OFFSET_LIMIT } else { 0 };
        let options = regex.options.iter().fold(limit, |all, option| all | flag(*option));
        let (mut error, mut at) = (0, 0);
        let pattern = regex.pattern.as_bytes();
        // SAFETY: pattern and length belong together, both results have a place, and no context means the default one.
        let code = unsafe {
            pcre2_compile_8(pattern.as_ptr(), pattern.len(), options, &mut error, &mut at, ptr::null_mut())
        };
        let code = NonNull::new(code).ok_or_else(|| format!("{} (at byte {at})", message(error)))?;
        let mut lookbehind: u32 = 0;
        // JIT code for partial matches heeds neither of these (PCRE2 10.42 and 10.45): only the interpreter does.
        let interpreted = options & (PCRE2_USE_OFFSET_LIMIT | PCRE2_FIRSTLINE) != 0;
        // SAFETY: the code was just compiled and is not shared yet; this piece of information is an u32.
        unsafe {
            if !interpreted {
                // Where there is no JIT compiler, the interpreter does the same.
                pcre2_jit_compile_8(code.as_ptr(), PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
            }
            pcre2_pattern_info_8(code.as_ptr(), PCRE2_INFO_MAXLOOKBEHIND, (&raw mut lookbehind).cast());
        }
        // It is in characters, and a character of UTF-8 has up to four bytes.
        let lookbehind = usize::try_from(lookbehind).unwrap_or(usize::MAX).saturating_mul(4);
        Ok(Self { code, stack: regex.stack, lookbehind })
    }

    /// Room to look for it.
    ///
    /// # Errors
    /// There is no memory.
    pub(crate) fn matcher(&self) -> Result<Matcher, String> {
        let none = || "no memory to match in".to_owned();
        // SAFETY: the code is valid; null stands for the default context.
        let data = unsafe { pcre2_match_data_create_from_pattern_8(self.code.as_ptr(), ptr::null_mut()) };
        let data = NonNull::new(data).ok_or_else(none)?;
        // SAFETY: null stands for the default context.
        let context = unsafe { pcre2_match_context_create_8(ptr::null_mut()) };
        let Some(context) = NonNull::new(context) else {
            // SAFETY: it was just made, and nobody else has it.
            unsafe { pcre2_match_data_free_8(data.as_ptr()) };
            return Err(none());
        };
        let mut matcher = Matcher { data, context, stack: None };
        if let Some(MatcherStack { start, max }) = self.stack {
            let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
            // SAFETY: null stands for the default context. It is null itself where there is no JIT compiler or no memory.
            let stack = unsafe { pcre2_jit_stack_create_8(size(start), size(max), ptr::null_mut()) };
            matcher.stack = NonNull::new(stack);
            if let Some(stack) = matcher.stack {
                // SAFETY: without a callback the last argument is the stack itself; both live as long as the matcher.
                unsafe { pcre2_jit_stack_assign_8(context.as_ptr(), None, stack.as_ptr().cast()) };
            }
        }
        Ok(matcher)
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: it was made by pcre2_compile_8 and is freed once; matchers do not keep it.
        unsafe { pcre2_code_free_8(self.code.as_ptr()) };
    }
}

impl Matcher {
    /// Looks for the pattern in `text`, from byte `from` on. With `last_start` it must begin at that byte at the latest;
    /// that needs a pattern that was compiled with a `max_offset`. `more` says that the text may go on.
    pub(crate) fn find(
        &mut self,
        code: &Code,
        text: &[u8],
        from: usize,
        last_start: Option<usize>,
        more: bool,
    ) -> Found {
        let options = if more { PCRE2_PARTIAL_HARD } else { 0 };
        // SAFETY: text and length belong together, `from` is checked against the length by PCRE2, data was made for this
        // kind of pattern and is used by nobody else; the context is ours, and an offset limit is set only where the
        // pattern was compiled for it (PCRE2 answers with an error otherwise).
        let (result, start) = unsafe {
            if let Some(last) = last_start {
                pcre2_set_offset_limit_8(self.context.as_ptr(), last);
            }
            let result = pcre2_match_8(
                code.code.as_ptr(),
                text.as_ptr(),
                text.len(),
                from,
                options,
                self.data.as_ptr(),
                self.context.as_ptr(),
            );
            let start = match result {
                PCRE2_ERROR_PARTIAL => pcre2_get_ovector_pointer_8(self.data.as_ptr()).read(),
                _ => 0,
            };
            (result, start)
        };
        match result {
            PCRE2_ERROR_NOMATCH => Found::Nothing,
            PCRE2_ERROR_PARTIAL => Found::Partial(start.clamp(from, text.len())),
            0.. => Found::Match,
            error => Found::Error(message(error)),
        }
    }
}

impl Drop for Matcher {
    fn drop(&mut self) {
        // SAFETY: each was made in `Code::matcher` and is freed once; the stack after the context that knows of it.
        unsafe {
            pcre2_match_data_free_8(self.data.as_ptr());
            pcre2_match_context_free_8(self.context.as_ptr());
            if let Some(stack) = self.stack {
                pcre2_jit_stack_free_8(stack.as_ptr());
            }
        }
    }
}
