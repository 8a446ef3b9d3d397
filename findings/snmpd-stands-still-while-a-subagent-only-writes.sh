#!/usr/bin/env bash
# A subagent that sends notifications and does not read the answers stops snmpd, for everybody who asks it anything.
#
# Version:     net-snmp 5.9.3 (Debian 12: snmpd, snmp).
# Expectation: an AgentX-Notify is fire and forget: its Response carries nothing, so a subagent in a hurry may write a few
#              hundred and read later. At worst its own session suffers.
# Behaviour:   snmpd answers each packet before it reads the next, with a write that waits. After about 280 small answers the
#              receive buffer of a Unix socket is full (each takes far more of it than its 28 bytes), and the one thread of
#              snmpd waits for the subagent to read: it answers nobody, over SNMP either. If the subagent has a high-water
#              mark above which it reads no more until it has written, both wait for each other until somebody gives up.
#              So: never more than a window of notifications without an answer (RFC 2741 leaves that open).
# Seen:        the socket takes no more after 351 notifications
#              snmpd answers others: False
#              350 answers had come when we read
#              snmpd answers others: True
#
# Needs snmpd, snmp, python3, root (a network namespace of its own).
set -euo pipefail
if [ "${INSIDE:-}" != yes ]; then
    exec env INSIDE=yes unshare --net -- bash "$0"
fi
ip link set lo up
folder=$(mktemp -d)
snmpd=
trap 'kill "$snmpd" 2>/dev/null || true; rm -rf "$folder"' EXIT
cat >"$folder/snmpd.conf" <<CONF
agentaddress udp:127.0.0.1:1161
rocommunity public 127.0.0.1
master agentx
agentXSocket unix:$folder/agentx.sock
CONF
SNMP_PERSISTENT_DIR=$folder MIBS= snmpd -f -Lo -C -c "$folder/snmpd.conf" >"$folder/log" 2>&1 &
snmpd=$!
for _ in $(seq 100); do
    [ -S "$folder/agentx.sock" ] && break
    sleep 0.1
done
python3 - "$folder/agentx.sock" <<'PYTHON'
import socket, struct, subprocess, sys, time


def pdu(kind, session, packet, payload):
    return struct.pack(">BBBBIIII", 1, kind, 0x10, 0, session, packet, packet, len(payload)) + payload


def oid(*numbers):
    return struct.pack(">BBBB", len(numbers), 0, 0, 0) + b"".join(struct.pack(">I", n) for n in numbers)


def exactly(count):
    data = b""
    while len(data) < count:
        more = master.recv(count - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


def answer():
    head = exactly(20)
    exactly(struct.unpack(">I", head[16:])[0])
    return head


def others():
    get = ["snmpget", "-On", "-m", "", "-v2c", "-c", "public", "-t", "2", "-r", "0", "127.0.0.1:1161", ".1.3.6.1.2.1.1.3.0"]
    print("snmpd answers others:", subprocess.run(get, capture_output=True).returncode == 0)


master = socket.socket(socket.AF_UNIX)
master.connect(sys.argv[1])
master.send(pdu(1, 0, 1, struct.pack(">BBBB", 5, 0, 0, 0) + oid() + struct.pack(">I", 4) + b"test"))
session = struct.unpack(">I", answer()[4:8])[0]
trap = struct.pack(">HH", 6, 0) + oid(1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0) + oid(1, 3, 6, 1, 4, 1, 8072, 9999, 1)
master.settimeout(3)
sent = 0
try:
    while sent < 5000:
        master.sendall(pdu(12, session, sent + 2, trap))
        sent += 1
    print("all were taken")
except TimeoutError:
    print(f"the socket takes no more after {sent + 1} notifications")
others()
came = 0
master.settimeout(2)
try:
    while True:
        answer()
        came += 1
except (TimeoutError, OSError):
    pass
print(f"{came} answers had come when we read")
time.sleep(1)
others()
PYTHON
