#!/usr/bin/env bash
# PCRE2's JIT code for partial matching forgets PCRE2_FIRSTLINE and the offset limit.
#
# Version:     PCRE2 10.42 (Debian 12) and 10.45 (in pcre2-sys 0.2.10).
# Expectation: a pattern with an offset limit (pcre2_set_offset_limit: the match begins here at the latest) or with
#              PCRE2_FIRSTLINE is found in the same places whether it is compiled by the JIT compiler or not; pcre2jit(3)
#              and pcre2partial(3) mention no exception.
# Behaviour:   with PCRE2_PARTIAL_HARD, which a text that comes in pieces needs, JIT code answers with a match beyond the
#              limit, and with one in the second line. The interpreter does not, nor does JIT code without that option.
# Seen:        JIT, partial: limit 5, match at 6: MATCH; first line, match in the second: MATCH (none in the other three)
#
# Needs a C compiler, and apt of Debian 12, by which the library is fetched (and not installed). Exit status 0 while it is so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -q libpcre2-dev=10.42-1+deb12u2 libpcre2-8-0=10.42-1+deb12u2 >/dev/null && for package in *.deb; do dpkg -x "$package" .; done)
libraries=$(dirname "$(find "$work/usr/lib" -name libpcre2-8.a)")
cat > "$work/try.c" <<'C'
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

static int try(const char *pattern, const char *text, uint32_t options, size_t limit, int jit, uint32_t how)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), options, &error, &at, NULL);
    if (jit && pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD) != 0)
        return -99;
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (options & PCRE2_USE_OFFSET_LIMIT)
        pcre2_set_offset_limit(context, limit);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    return pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, how, data, context);
}

int main(void)
{
    int forgotten = 0;
    for (int jit = 0; jit < 2; jit++)
        for (int partial = 0; partial < 2; partial++) {
            uint32_t how = partial ? PCRE2_PARTIAL_HARD : 0;
            int limit = try("abc", "......abc..", PCRE2_USE_OFFSET_LIMIT, 5, jit, how);
            int first = try("b", "a\nb", PCRE2_FIRSTLINE, 0, jit, how);
            printf("%s, %s: limit 5, match at 6: %s; first line, match in the second: %s\n",
                   jit ? "JIT" : "interpreter", partial ? "partial" : "whole",
                   limit > 0 ? "MATCH" : "none", first > 0 ? "MATCH" : "none");
            forgotten += (limit > 0) + (first > 0);
        }
    return forgotten > 0 ? 0 : 1;
}
C
cc -I "$work/usr/include" -o "$work/try" "$work/try.c" "$libraries/libpcre2-8.a"
"$work/try"
