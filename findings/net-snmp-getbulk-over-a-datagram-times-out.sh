#!/usr/bin/env bash
# snmpd does not answer a GetBulk at all whose answer would be longer than a datagram.
#
# Version:     net-snmp 5.9.3 (Debian 12).
# Expectation: RFC 3416 section 4.2.3: the agent puts in as many repetitions as fit, and if not even the first does, the
#              answer is tooBig. A manager that asks for many repetitions is given what there is room for.
# Behaviour:   beyond 65,507 octets nothing is sent, whatever serves the rows (a subagent, pass_persist): the manager waits,
#              repeats, and gives up with "Timeout: No Response". A hundred texts of 640 octets are enough. So whoever serves
#              long texts decides whether a walk with many repetitions ends.
# Seen:        95 repetitions: 95 rows; 100 repetitions: Timeout: No Response
#
# Needs snmpd and snmp, and root or user namespaces.
set -euo pipefail
if [ -z "${INSIDE:-}" ]; then
    isolated=(unshare --net)
    [ "$(id -u)" = 0 ] || isolated=(unshare --map-root-user --net)
    INSIDE=1 exec "${isolated[@]}" -- "$0"
fi
ip link set lo up
folder=$(mktemp -d)
snmpd=
trap 'kill $snmpd 2>/dev/null || true; rm -rf "$folder"' EXIT
cat >"$folder/rows" <<'S'
#!/bin/sh
# Rows 1 to 200, each a text of 640 octets.
text=$(head -c 640 /dev/zero | tr '\0' x)
while read -r command; do
    case $command in
    PING) echo PONG ;;
    getnext)
        read -r name
        row=${name#.1.3.6.1.4.1.8072.9999}
        row=${row#.}
        row=$((${row:-0} + 1))
        if [ $row -le 200 ]; then
            printf '.1.3.6.1.4.1.8072.9999.%s\nstring\n%s\n' $row "$text"
        else
            echo NONE
        fi
        ;;
    *) echo NONE ;;
    esac
done
S
chmod +x "$folder/rows"
cat >"$folder/snmpd.conf" <<C
agentaddress udp:127.0.0.1:1161
rocommunity public 127.0.0.1
pass_persist .1.3.6.1.4.1.8072.9999 $folder/rows
C
SNMP_PERSISTENT_DIR=$folder MIBS='' snmpd -f -Lf "$folder/log" -C -c "$folder/snmpd.conf" &
snmpd=$!
ask() { snmpbulkget -v2c -c public -m '' -t 3 -r 0 -Cr"$1" 127.0.0.1:1161 .1.3.6.1.4.1.8072.9999 2>&1 || true; }
for _ in $(seq 50); do
    case $(ask 1) in *x*) break ;; esac
    sleep 0.2
done
few=$(ask 95 | wc -l)
many=$(ask 100 | cut -d' ' -f1-3)
echo "95 repetitions: $few rows; 100 repetitions: $many"
[ "$few" = 95 ] && [ "$many" = "Timeout: No Response" ]
