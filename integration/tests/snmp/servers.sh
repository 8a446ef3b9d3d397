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
    walk
    echo "== end of $1"
}
first() { cp "$CONF" /run/servers.conf; }
second() { sed -e '/# goes/,/# stays/d' -e 's/# comes //' "$CONF" >/run/servers.conf; }
story() {
    show "$1" told
    second; kill -HUP $pid
    show "$1 after a reload" told_again
    first; kill -HUP $pid
    show "$1 as before" told
}
flags="-n -l -D -C -f /run/servers.conf"
mkdir /run/k /run/w
first
$KEEPALIVED $flags -p /run/k/p -r /run/k/r -c /run/k/c >/run/k/log 2>&1 &
pid=$!
story keepalived
kill $pid; wait $pid
ipvsadm -C
"$KEEPWATCHD" $flags -p /run/w/p -r /run/w/r -c /run/w/c --control-socket /run/w/control >/run/w/log 2>&1 &
pid=$!
story keepwatch
for table in $TABLES; do
    echo "== $table"
    snmptable -v2c -c public -t 30 -m KEEPALIVED-MIB -M "$MODULES" 127.0.0.1:1161 "KEEPALIVED-MIB::$table" 2>&1 | head -4
    echo "== end of $table"
done
kill $pid; wait $pid
echo "== logs"
cat /run/k/log /run/w/log
