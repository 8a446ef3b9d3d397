# Clients of virtual servers of TCP, of UDP and of a mark, before and after a reload that takes the first virtual server and
# the first real servers away: for keepalived, and then for keepwatch.
set -u
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link set lo up
cat >/run/snmpd.conf <<'C'
agentaddress udp:127.0.0.1:1161
rocommunity public 127.0.0.1
rwcommunity private 127.0.0.1
master agentx
agentXSocket unix:/run/agentx.sock
C
SNMP_PERSISTENT_DIR=/run/snmp MIBS= snmpd -f -Lf /run/snmpd.log -C -c /run/snmpd.conf &
plug() { # namespace, its address, the director's
    ip netns add "$1"
    ip link add "$1-eth0" type veth peer name eth0 netns "$1"
    ip link set "$1-eth0" up
    ip addr add "$3/24" dev "$1-eth0"
    ip -n "$1" link set lo up
    ip -n "$1" link set eth0 up
    ip -n "$1" addr add "$2/24" dev eth0
    ip -n "$1" route add default via "$3"
}
plug client 10.1.0.2 10.1.0.1
plug web2 192.168.2.2 192.168.2.1
plug web3 192.168.3.3 192.168.3.1
ip addr add 10.1.0.9/32 dev client-eth0
ip addr add 10.1.0.10/32 dev client-eth0
# One program answers to both protocols.
cat >/run/serve.py <<'P'
import select, socket
tcp = [socket.create_server(("", port)) for port in (80, 81)]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", 53))
while True:
    for ready in select.select([*tcp, udp], [], [])[0]:
        if ready is udp:
            data, peer = udp.recvfrom(100)
            udp.sendto(data, peer)
        else:
            ready.accept()[0].close()
P
serve() { ip netns exec "$1" python3 /run/serve.py & }
serve web3
cat >/run/ask.py <<'P'
import socket
# Until there is an answer: the virtual servers may be new, and the real servers just about to listen.
def tcp(address, port):
    for attempt in range(50):
        try:
            with socket.create_connection((address, port), 2) as peer:
                peer.recv(1)
                return
        except OSError:
            pass
def udp(address, port):
    for attempt in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(2)
            peer.sendto(b"hello", (address, port))
            try:
                peer.recv(100)
                return
            except OSError:
                pass
for _ in range(3):
    tcp("10.1.0.9", 80)
for _ in range(6):
    udp("10.1.0.9", 53)
for _ in range(4):
    tcp("10.1.0.10", 81)
P
nft -f - <<'N'
table ip marks {
    chain in {
        type filter hook prerouting priority -150
        ip daddr 10.1.0.10 meta mark set 7
    }
}
N
real() { # address, port, its checker
    printf ' real_server 192.168.%s %s {\n  weight 1\n %s\n }\n' "$1" "$2" "${3:-}"
}
service() { # head, protocol; then its real servers from standard input
    printf 'virtual_server %s {\n lvs_sched rr\n lvs_method NAT\n protocol %s\n' "$1" "$2"
    cat
    printf '}\n'
}
CHECK='delay_loop 1
  retry 1
  delay_before_retry 1
  TCP_CHECK {
   connect_timeout 3
  }'
config() { # with what a reload takes away, or without
    printf 'global_defs {\n router_id R1\n enable_snmp_checker\n snmp_socket unix:/run/agentx.sock\n'
    printf ' snmp_vs_stats_update_interval 1\n snmp_rs_stats_update_interval 1\n}\n'
    [ "$1" = all ] && real 2.2 80 "$CHECK" | service '10.1.0.9 80' TCP
    { [ "$1" = all ] && real 2.2 53; real 3.3 53; } | service '10.1.0.9 53' UDP
    { [ "$1" = all ] && real 2.2 0; real 3.3 0; } | service 'fwmark 7' TCP
}
walk() { snmpbulkwalk -On -m '' -v2c -c public -t 30 127.0.0.1:1161 .1.3.6.1.4.1.9586.100.5.3; }
rows() { snmpwalk -On -m '' -v2c -c public -t 30 127.0.0.1:1161 .1.3.6.1.4.1.9586.100.5.3.3.1.20 | grep -c Gauge32; }
status() { snmpget -Oqv -m '' -v2c -c public -t 30 127.0.0.1:1161 .1.3.6.1.4.1.9586.100.5.3.4.1.6.1.1; }
until_status() { local tries; for tries in $(seq 60); do [ "$(status)" = "$1" ] && break; sleep 0.5; done; }
until_rows() { local tries; for tries in $(seq 60); do [ "$(rows)" = "$1" ] && break; sleep 0.5; done; }
# The kernel counts up to two seconds late, and figures may be as old as their interval.
show() {
    walk >/dev/null
    sleep 6
    walk >/dev/null
    sleep 3
    echo "== kernel, $1"; ipvsadm -Ln --stats --exact; echo "== end of kernel, $1"
    echo "== snmp, $1"; walk; echo "== end of snmp, $1"
}
play() { # who, program, further flags
    local flags="-n -l -G -D -C -f /run/servers.conf -p /run/$1.p -r /run/$1.r -c /run/$1.c $3"
    config all >/run/servers.conf
    serve web2
    local web2=$!
    "$2" $flags >/run/$1.log 2>&1 &
    local pid=$!
    until_rows 3
    ip netns exec client python3 /run/ask.py
    show "$1 at first"
    # The one that is checked falls, and leaves the table.
    kill $web2
    wait $web2
    until_status 2
    show "$1 after a fall"
    config some >/run/servers.conf
    kill -HUP $pid
    until_rows 2
    # What a reload takes away may serve its connections to their end.
    sleep 6
    show "$1 after a reload"
    echo "== weight of $1"
    snmpset -On -m '' -v2c -c private -t 30 127.0.0.1:1161 .1.3.6.1.4.1.9586.100.5.3.4.1.7.1.1 i 9
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ipvsadm -Ln | grep -q ' 9  ' && break
        sleep 1
    done
    ipvsadm -Ln
    echo "== end of weight of $1"
    kill $pid
    wait $pid
    ipvsadm -C
    echo "== log of $1"; cat /run/$1.log; echo "== end of log of $1"
}
play keepalived "$KEEPALIVED" ""
play keepwatch "$KEEPWATCHD" "--control-socket /run/control"
