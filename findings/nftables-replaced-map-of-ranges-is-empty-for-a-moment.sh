#!/usr/bin/env bash
# A table of nftables that is replaced in one transaction loses the marks of some packets, if its map has ranges of several fields.
#
# Version:     Linux 6.18.44 (net/netfilter/nft_set_pipapo.c), nftables 1.0.6.
# Expectation: "delete table; add table" in one transaction is whole: each packet meets the old rules with the old map or the
#              new rules with the new map. Both give this one the same mark.
# Behaviour:   the new rules are in force some microseconds before their maps have their elements: packets in between find
#              nothing. Where the mark leads to an IPVS service the packet goes to the host itself, which refuses the
#              connection. (A map of single values has the moment too, but about 20 times less often.)
# Seen:        packets without a mark: some
#              packets without a mark when a second table marked them meanwhile: 0
#
# Needs root, nftables, python3.
set -euo pipefail
replaced() { # 1 when another table marks the packets while this one is replaced
	unshare --net sh -s "$1" <<'IN'
ip link set lo up
table() {
	echo "table ip $1
delete table ip $1
table ip $1 {
	map m {
		type ipv4_addr . inet_service : mark
		flags interval
		elements = { 127.0.0.1-127.0.0.9 . 80-81 : 7, 127.0.1.1 . 9999 : 9 }
	}
	chain in {
		type filter hook input priority -5
		ip protocol udp meta mark set ip daddr . udp dport map @m
	}
}"
}
echo 'table ip watch {
	chain in {
		type filter hook input priority 0
		udp dport 9999 meta mark 9 counter
		udp dport 9999 meta mark != 9 counter
	}
}' | nft -f -
table marks | nft -f -
python3 -c '
import socket, time
flood, end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), time.time() + 60
while time.time() < end:
    try:
        flood.sendto(b"x", ("127.0.1.1", 9999))
    except OSError:
        pass' &
flood=$!
for n in $(seq 300); do
	[ "$1" = 1 ] && table meanwhile | nft -f -
	table marks | nft -f -
	[ "$1" = 1 ] && nft delete table ip meanwhile
done
kill $flood
nft list table ip watch | awk '/!=/ { print $10 }'
IN
}
seen=$(
	[ "$(replaced 0)" -gt 0 ] && echo "packets without a mark: some" || echo "packets without a mark: 0"
	echo "packets without a mark when a second table marked them meanwhile: $(replaced 1)"
)
echo "$seen"
[ "$seen" = "packets without a mark: some
packets without a mark when a second table marked them meanwhile: 0" ]
