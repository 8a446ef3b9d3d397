#!/usr/bin/env bash
# A macvlan of mode private takes multicast frames away from the interface below it if they come from its own hardware address.
#
# Version:     Linux 6.18.44 (drivers/net/macvlan.c, macvlan_handle_frame).
# Expectation: a frame to a group that comes in by an interface reaches whoever has joined the group there, and each macvlan
#              above it as well; that is so for every other source address.
# Behaviour:   if the source address is that of a macvlan on the interface (mode private or passthru), the frame goes to that
#              macvlan alone. Two VRRP routers with one virtual hardware address (RFC 9568 section 7.3) have just that: a backup
#              that listens on the interface below its macvlan never hears its master, and becomes a second one.
# Seen:        from another address: heard
#              from the macvlan's own address: not heard
#
# Needs root, iproute2, python3.
set -euo pipefail
tag=mv$$
trap 'ip netns delete "$tag" 2>/dev/null || true; ip netns delete "${tag}b" 2>/dev/null || true' EXIT
ip netns add "$tag"
ip netns add "${tag}b"
ip -n "$tag" link add eth0 type veth peer name eth0 netns "${tag}b"
ip -n "$tag" addr add 10.9.0.1/24 dev eth0
ip -n "$tag" link set eth0 up
ip -n "${tag}b" link set eth0 up
ip -n "$tag" link add vrrp.51 link eth0 type macvlan mode private
ip -n "$tag" link set vrrp.51 address 00:00:5e:00:01:33 up
cat >"/tmp/$tag.py" <<'PYTHON'
import socket, struct, subprocess, sys

tag = sys.argv[1]
send = """
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0x0800))
ip = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 255, 112, 0, bytes([10, 9, 0, 2]), bytes([224, 0, 0, 18])))
total = sum(struct.unpack(">10H", ip)); total = (total & 0xffff) + (total >> 16)
ip[10:12] = struct.pack(">H", ~total & 0xffff)
s.send(bytes.fromhex("01005e000012" + sys.argv[1] + "0800") + bytes(ip) + b"\\0" * 26)
"""
hear = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
hear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                socket.inet_aton("224.0.0.18") + socket.inet_aton("10.9.0.1"))
hear.settimeout(1)
for what, source in [("another", "020000000002"), ("the macvlan's own", "00005e000133")]:
    subprocess.run(["ip", "netns", "exec", tag + "b", "python3", "-c", send, source], check=True)
    try:
        hear.recv(100)
        print(f"from {what} address: heard")
    except TimeoutError:
        print(f"from {what} address: not heard")
PYTHON
ip netns exec "$tag" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0
ip netns exec "$tag" python3 "/tmp/$tag.py" "$tag"
rm -f "/tmp/$tag.py"
