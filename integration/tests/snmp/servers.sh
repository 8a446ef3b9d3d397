# The checker part of the MIB, as keepalived and as keepwatch serve it, one after the other on the same kernel: with one
# configuration, with another after a reload (servers go and come), and with the first again.
ip link set lo up
ip addr add 192.168.3.1/24 dev lo
cat >/run/snmpd.conf <<'C'
agentaddress udp:127.0.0.1:1161
rocommunity public 127.0.0.1
master agentx
agentXSocket unix:/run/agentx.sock
C
SNMP_PERSISTENT_DIR=/run/snmp snmpd -f -Lf /run/snmpd.log -C -c /run/snmpd.conf &
# Something that answers to TCP_CHECK.
mkdir -p /run/web && busybox httpd -p 2049 -h /run/web
walk() {
    snmpbulkwalk -On -m "" -v2c -c public -t 30 127.0.0.1:1161 .1.3.6.1.4.1.9586.100.5
}
# What a walk shows of a keepalived whose checker does not survive every read: each object but the checkers of sorry servers
# that have not run (2.4.3 dies of that one).
careful_walk() {
    local entry=.1.3.6.1.4.1.9586.100.5.3.4.1
    local row rows
    rows=$(snmpwalk -Onq -m "" -v2c -c public -t 30 127.0.0.1:1161 $entry.2)
    snmpwalk -CE $entry.62 -On -m "" -v2c -c public -t 30 127.0.0.1:1161 .1.3.6.1.4.1.9586.100.5
    while read -r row type; do
        row=${row#$entry.2}
        snmpget -On -m "" -v2c -c public -t 30 127.0.0.1:1161 $entry.62$row
        [ "$type" = 2 ] || snmpget -On -m "" -v2c -c public -t 30 127.0.0.1:1161 $entry.63$row
    done <<<"$rows"
    for row in 6 7; do
        snmpwalk -On -m "" -v2c -c public -t 30 127.0.0.1:1161 .1.3.6.1.4.1.9586.100.5.3.$row
    done
}
get() {
    snmpget -Oqv -m "" -v2c -c public -t 30 127.0.0.1:1161 .1.3.6.1.4.1.9586.100.5.$1
}
# Two real servers of the first virtual server are up and the third is down: every check has ended.
told() {
    [ "$(get 3.3.1.21.1)" = 2 ] && [ "$(get 3.4.1.6.1.4)" = 2 ] && [ "$(get 3.4.1.13.1.4)" = 1 ]
}
# The third is another one, and up.
told_again() {
    [ "$(get 3.3.1.21.1)" = 3 ] && [ "$(get 3.4.1.7.1.4)" = 9 ]
}
show() {
    local tries
    for tries in $(seq 40); do $2 && break; sleep 0.5; done
    echo "== $1"
    $walk
    echo "== end of $1"
}
# Walks until told to stop: only names, since what they show changes meanwhile.
walk_on() {
    : >/run/walks
    while [ ! -e /run/enough ]; do
        echo "-- " >>/run/walks
        $walk 2>&1 | sed 's/ = .*//' >>/run/walks
    done
}
first() { cp "$CONF" /run/servers.conf; }
second() { sed -e '/# goes/,/# stays/d' -e 's/# comes //' "$CONF" >/run/servers.conf; }
story() {
    local walker
    show "$1" told
    rm -f /run/enough; walk_on & walker=$!
    second; kill -HUP $pid
    show "$1 after a reload" told_again
    first; kill -HUP $pid
    show "$1 as before" told
    touch /run/enough; wait $walker
    echo "== walks of $1 during reloads"
    cat /run/walks
    echo "== end of walks of $1 during reloads"
}
flags="-n -l -G -D -C -f /run/servers.conf"
mkdir /run/k /run/w
first
$KEEPALIVED $flags -p /run/k/p -r /run/k/r -c /run/k/c >/run/k/log 2>&1 &
pid=$!
walk=walk
[ -z "$CAREFUL" ] || walk=careful_walk
story keepalived
kill $pid; wait $pid
ipvsadm -C
"$KEEPWATCHD" $flags -p /run/w/p -r /run/w/r -c /run/w/c --control-socket /run/w/control >/run/w/log 2>&1 &
pid=$!
walk=walk
story keepwatch
for table in $TABLES; do
    echo "== $table"
    snmptable -v2c -c public -t 30 -m KEEPALIVED-MIB -M "$MODULES" 127.0.0.1:1161 "KEEPALIVED-MIB::$table" 2>&1 | head -4
    echo "== end of $table"
done
# How often the kernel's table is read while nobody asks for figures, and while somebody asks for them all the time: they may
# be 4 s old. The kernel counts.
sed 's/^    router_id R1/&\n    snmp_vs_stats_update_interval 4\n    snmp_rs_stats_update_interval 5/' "$CONF" >/run/servers.conf
kill -HUP $pid
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
# One of the calls that a look takes is the last, which has nothing more to tell.
echo 'r:looks ip_vs_genl_dump_services ret=$retval:s32' >>/sys/kernel/tracing/kprobe_events
echo 'ret == 0' >/sys/kernel/tracing/events/kprobes/looks/filter
echo 1 >/sys/kernel/tracing/events/kprobes/looks/enable
hits() { grep -c ' looks: ' /sys/kernel/tracing/trace; }
uptime() { cut -d ' ' -f 1 /proc/uptime; }
sleep 12
none=$(hits); ipvsadm -Ln >/dev/null; one=$(($(hits) - none))
looks() {
    local before began
    before=$(hits) began=$(uptime)
    $2
    echo "$1 $(($(hits) - before)) $one $began $(uptime)"
}
ask() {
    local times
    for times in $(seq 40); do get 3.3.1.27.1; get 3.4.1.14.1.2; sleep 0.2; done >/run/asked
}
echo "== looks"
looks unasked "sleep 25"
looks asked ask
echo "== end of looks"
kill $pid; wait $pid
echo "== logs"
cat /run/k/log /run/w/log
