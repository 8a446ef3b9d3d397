# Reloads under load; who asks and who answers is in load.rs.
. "$NETWORK"
export CONFIG=$WORK/director.conf
cat >$CONFIG <<'C'
virtual_server 10.0.0.1 80 {
    lvs_sched wrr
    lvs_method NAT
    protocol TCP
    real_server 192.168.2.2 8001 { weight 1 }
}
C
ulimit -n 65536
sysctl -q net.ipv4.ip_local_port_range='1025 65535' net.ipv4.tcp_tw_reuse=1
ip netns exec client sysctl -q net.ipv4.ip_local_port_range='1025 65535'
start
until_ok "the table is there" listed 'TCP 10.0.0.1:80 wrr'
export DAEMON=$daemon
chapter "load"
"$TEST" --ignored --exact load::inside --nocapture
code=$?
kill -TERM $daemon
wait $daemon
chapter "log"
tail -n 30 $log
exit $code
