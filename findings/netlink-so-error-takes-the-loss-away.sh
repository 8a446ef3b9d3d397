#!/usr/bin/env bash
# Asking a netlink socket for SO_ERROR takes the only sign of lost notifications away.
#
# Version:     Linux (seen on 6.18 and, in Debian 12, 6.1); pyroute2 0.9.5 makes the changes that overflow the socket.
# Expectation: after an overflow, recv() fails once with ENOBUFS, whatever is asked of the socket in between: a program
#              that follows links or addresses then knows that it has to read everything anew.
# Behaviour:   getsockopt(SO_ERROR) returns ENOBUFS and clears it. recv() then gives the notifications that were still
#              queued and never fails: the loss is silent. An event loop that looks at SO_ERROR when a descriptor is
#              readable or in error (as many do for TCP) has to treat the answer as the ENOBUFS that it is.
# Seen:        without SO_ERROR: recv fails with ENOBUFS: True
#              with SO_ERROR:    SO_ERROR is ENOBUFS: True, recv fails with ENOBUFS: False
#
# Needs root (it works in a network namespace of its own), python3 with venv.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyroute2==0.9.5
cat >"$folder/try.py" <<'PYTHON'
import errno, socket
from pyroute2 import IPRoute

RTMGRP_IPV4_IFADDR = 0x10


def overflow(ask):
    monitor = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    monitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    monitor.bind((0, RTMGRP_IPV4_IFADDR))
    monitor.setblocking(False)
    with IPRoute() as route:
        lo = route.link_lookup(ifname="lo")[0]
        for verb in ("add", "delete"):
            for i in range(1, 200):
                route.addr(verb, index=lo, address=f"10.9.0.{i}", prefixlen=32)
    asked = monitor.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ask else None
    told = False
    while True:
        try:
            monitor.recv(65536)
        except BlockingIOError:
            return asked, told
        except OSError as error:
            assert error.errno == errno.ENOBUFS, error
            told = True


_, told = overflow(ask=False)
print("without SO_ERROR: recv fails with ENOBUFS:", told)
asked, told_after = overflow(ask=True)
print("with SO_ERROR:    SO_ERROR is ENOBUFS:", f"{asked == errno.ENOBUFS}, recv fails with ENOBUFS:", told_after)
raise SystemExit(0 if told and asked == errno.ENOBUFS and not told_after else 1)
PYTHON
unshare --net "$folder/venv/bin/python" "$folder/try.py"
