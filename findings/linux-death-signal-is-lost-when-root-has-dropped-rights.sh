#!/usr/bin/env bash
# A child that root starts does not get its parent-death signal, once the parent has given capabilities up.
#
# Version:     Linux 6.18; python 3 (its standard library) makes the system calls.
# Expectation: prctl(2) takes PR_SET_PDEATHSIG back at the execve of a program that is set-user-ID, set-group-ID or has file
#              capabilities, and at a change of the user. A daemon of root that keeps only CAP_NET_ADMIN and CAP_NET_RAW and
#              then executes /bin/sleep does neither, so the child should end when the daemon does.
# Behaviour:   for root, execve gives all capabilities of the bounding set back. New credentials that are more than the old
#              ones take the signal back, silently, as a change of the user does: the same child of the same user ends with
#              its parent if that has kept all capabilities, and lives on if it has dropped one. A supervisor that drops
#              rights has to look after its children's children by other means (PR_SET_CHILD_SUBREAPER, a cgroup).
# Seen:        parent with all capabilities: the child ended with it
#              parent without CAP_SYS_TIME:  the child lives on
#
# Needs root, python3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/try.py" <<'PYTHON'
import ctypes, os, signal, struct, time

PR_SET_PDEATHSIG, CAP_SYS_TIME, VERSION_3 = 1, 25, 0x20080522
libc = ctypes.CDLL(None, use_errno=True)


def drop(capability):
    """Takes one capability out of the effective and permitted sets of this process; the bounding set stays."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", VERSION_3, 0))
    data = ctypes.create_string_buffer(24)
    assert libc.capget(header, data) == 0
    words = list(struct.unpack("=6I", data.raw[:24]))
    # Effective, permitted and inheritable, each for capabilities 0 to 31 and then for the others.
    for word in (0, 1):
        words[word] &= ~(1 << capability)
    assert libc.capset(header, ctypes.create_string_buffer(struct.pack("=6I", *words))) == 0


def lives_on(drops):
    read, write = os.pipe()
    parent = os.fork()
    if parent == 0:
        if drops:
            drop(CAP_SYS_TIME)
        child = os.fork()
        if child == 0:
            assert libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM) == 0
            os.execv("/bin/sleep", ["sleep", "60"])
        while open(f"/proc/{child}/comm").read() != "sleep\n":
            time.sleep(0.01)
        os.write(write, str(child).encode())
        signal.pause()
    child = int(os.read(read, 20))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    time.sleep(0.5)
    try:
        state = open(f"/proc/{child}/stat").read().rsplit(") ", 1)[1][0]
    except FileNotFoundError:
        return False
    if state in "ZX":
        return False
    os.kill(child, signal.SIGKILL)
    return True


for drops, who in (False, "with all capabilities:"), (True, "without CAP_SYS_TIME: "):
    print("parent", who, "the child", "lives on" if lives_on(drops) else "ended with it")
PYTHON
python3 "$folder/try.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN' && echo "as it was"
parent with all capabilities: the child ended with it
parent without CAP_SYS_TIME:  the child lives on
SEEN
