# A director's life: start, traffic, death and return of servers, drift, reload, crash, clean stop.
. "$NETWORK"
for n in 2 3 4; do serve web$n 80; done
serve web5 83
ip netns exec web5 busybox httpd -p 84 -h $WORK/web5
nft -f - <<N
table inet marks {
    chain pre {
        type filter hook prerouting priority mangle
        tcp dport 82 meta mark set 7
    }
}
N
cat >$WORK/director.conf <<'C'
virtual_server 10.0.0.1 80 {
    delay_loop 1
    lvs_sched wrr
    lvs_method NAT
    protocol TCP
    retry 1
    delay_before_retry 1
    warmup 0
    sorry_server 192.168.4.4 80
    real_server 192.168.2.2 80 {
        weight 1
        TCP_CHECK { connect_timeout 3 }
    }
    real_server 192.168.3.3 80 {
        weight 3
        TCP_CHECK { connect_timeout 3 }
    }
}
virtual_server 10.0.0.1 81 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    persistence_timeout 50
    persistence_granularity 255.255.255.0
    real_server 192.168.2.2 80 { weight 1 }
    real_server 192.168.3.3 80 { weight 1 }
}
virtual_server fwmark 7 {
    lvs_sched lc
    lvs_method NAT
    real_server 192.168.3.3 80 { weight 1 }
}
virtual_server 10.0.0.1 83 {
    lvs_sched rr
    lvs_method DR
    protocol TCP
    real_server 10.0.0.55 83 { weight 1 }
}
virtual_server 10.0.0.1 84 {
    lvs_sched rr
    lvs_method TUN
    protocol TCP
    real_server 10.0.0.55 84 { weight 1 }
}
virtual_server fd00:c::1 80 {
    delay_loop 1
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    warmup 0
    real_server fd00:2::2 80 {
        weight 1
        inhibit_on_failure
        TCP_CHECK { connect_timeout 3 }
    }
}
C
ipvsadm -A -t 10.9.9.9:99 -s rr
start
until_ok "the table is there" listed 'TCP \[fd00:c::1\]:80'
until_ok "the first checks have succeeded" logged 'TCP connection to [192.168.3.3]:tcp:80 success.'

chapter "table at the start"
table
chapter "weighted"
ask 8 http://10.0.0.1/
chapter "persistent"
ask 4 http://10.0.0.1:81/
chapter "by mark"
ask 2 http://10.0.0.2:82/
chapter "direct routing"
ask 2 http://10.0.0.1:83/
chapter "tunnel"
ask 2 http://10.0.0.1:84/
chapter "version 6"
ask 2 'http://[fd00:c::1]/'

chapter "a server dies"
kill $httpd_web2
until_ok "web2 is told to be out" logged 'Removing service [192.168.2.2]:tcp:80 from VS [10.0.0.1]:tcp:80'
ask 4 http://10.0.0.1/
chapter "inhibited"
until_ok "the inhibited server has weight 0" listed '-> \[fd00:2::2\]:80 Masq 0'
table | grep -F 'fd00:2::2'
chapter "the last one dies"
kill $httpd_web3
until_ok "the sorry server serves" logged 'Adding sorry server [192.168.4.4]:tcp:80 to VS [10.0.0.1]:tcp:80'
ask 2 http://10.0.0.1/
chapter "they come back"
serve web2 80
serve web3 80
until_ok "both are in" listed '-> 192.168.3.3:80 Masq 3'
until_ok "web2 is back" logged 'Adding service [192.168.2.2]:tcp:80 to VS [10.0.0.1]:tcp:80'
sleep 2
ask 8 http://10.0.0.1/
until_ok "the inhibited server has its weight again" listed '-> \[fd00:2::2\]:80 Masq 1'

chapter "drift"
ipvsadm -d -t 10.0.0.1:80 -r 192.168.3.3:80
ipvsadm -e -t 10.0.0.1:80 -r 192.168.2.2:80 -m -w 9
ipvsadm -E -t 10.0.0.1:81 -s lc
ipvsadm -D -f 7
ipvsadm -a -t 10.0.0.1:83 -r 10.0.0.66:83 -g
until_ok "the mark is back" listed 'FWM 7 lc'
until_ok "all is as it was" unlisted '10.0.0.66'
table

chapter "metrics"
curl -s http://127.0.0.1:9165/metrics >$WORK/metrics
grep -E 'keepwatch_(virtual|real)_server_connections_total.*(81|10.0.0.55:83)' $WORK/metrics

chapter "reload"
before=$(ipvsadm -Ln --stats | tr -s ' ' | grep -F 'TCP 10.0.0.1:83')
sed -i 's/weight 3/weight 2/' $WORK/director.conf
kill -HUP $daemon
until_ok "the new weight is in" listed '-> 192.168.3.3:80 Masq 2'
after=$(ipvsadm -Ln --stats | tr -s ' ' | grep -F 'TCP 10.0.0.1:83')
[ "$before" = "$after" ] && echo "what did not change was not touched"

chapter "crash"
raised() { grep -cE 'ing service .192.168.2.2.:tcp:80 (to|of) VS .10.0.0.1.:tcp:80' $log; }
conns=$(ipvsadm -Ln --stats | tr -s ' ' | grep -F 'TCP 10.0.0.1:80' | cut -d' ' -f3)
kill $httpd_web2
until_ok "web2 is out again" sh -c "[ \$(grep -c 'Removing service .192.168.2.2.* from VS .10.0.0.1.:tcp:80' $log) = 2 ]"
kill -9 $(pgrep keepwatchd)
until_ok "it is dead" sh -c '! pgrep keepwatchd'
listed 'TCP 10.0.0.1:80 wrr' && echo "the table stays"
ask 4 http://10.0.0.1/
before=$(raised)
start
until_ok "it adopts" logged 'Adopting Virtual Server [10.0.0.1]:tcp:80'
until_ok "it checks again" sh -c "[ \$(grep -c 'TCP connection to .192.168.3.3.* success' $log) -ge 3 ]"
until_ok "it sees the dead" sh -c "[ \$(grep -c 'TCP_CHECK on service .192.168.2.2.* failed' $log) -ge 3 ]"
[ "$(raised)" = "$before" ] && echo "the dead stays out"
serve web2 80
until_ok "web2 is back" sh -c "ipvsadm -Ln -t 10.0.0.1:80 | grep -q 192.168.2.2:80"
sleep 2
again=$(ipvsadm -Ln --stats | tr -s ' ' | grep -F 'TCP 10.0.0.1:80' | cut -d' ' -f3)
[ "$again" -ge "$((conns + 4))" ] && echo "the kernel has counted on"

chapter "the worker dies"
conns=$again
kill -9 $(pgrep -P $daemon)
until_ok "the next one adopts" sh -c "[ \$(grep -c 'Adopting Virtual Server .10.0.0.1.:tcp:80' $log) = 2 ]"
ask 3 http://10.0.0.1/ | wc -l
sleep 2
again=$(ipvsadm -Ln --stats | tr -s ' ' | grep -F 'TCP 10.0.0.1:80' | cut -d' ' -f3)
[ "$again" -ge "$((conns + 3))" ] && echo "the kernel has counted on"

chapter "clean stop"
kill -TERM $daemon
wait $daemon
echo "exit $?"
table

chapter "kept"
start -I
until_ok "it serves" logged 'Adding Virtual Server [fd00:c::1]:tcp:80'
until_ok "the table is there" listed 'TCP 10.0.0.1:83'
kill -TERM $daemon
wait $daemon
listed 'TCP 10.0.0.1:83' && echo "the table stays"

chapter "sync daemon"
cat >>$WORK/director.conf <<'C'
vrrp_instance VI_1 {
    state MASTER
    interface lan
    virtual_router_id 51
    priority 150
    advert_int 1
    lvs_sync_daemon_interface lan
    virtual_ipaddress { 10.0.0.7 }
}
C
sides=
start
until_ok "it is master" logged '(VI_1) Entering MASTER STATE'
until_ok "the sync daemon runs" sh -c "ipvsadm -L --daemon | grep master"
ipvsadm -L --daemon
kill -TERM $daemon
wait $daemon
ipvsadm -L --daemon
table

chapter "sync daemon that follows nobody"
cat >>$WORK/director.conf <<'C'
global_defs {
    lvs_sync_daemon lan id 9
}
C
start
until_ok "both halves run" sh -c "ipvsadm -L --daemon | grep backup"
ipvsadm -L --daemon
kill -TERM $daemon
wait $daemon
ipvsadm -L --daemon

chapter "flush, timeouts and groups"
timeouts() { ipvsadm -l --timeout; }
timeouts
sides=--check
cat >$WORK/director.conf <<'C'
global_defs {
    lvs_flush
    lvs_flush_on_stop
    lvs_timeouts tcp 1234 udp 17
}
virtual_server_group G {
    10.0.1.1-2 80
    fwmark 8
}
virtual_server group G {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.168.2.2 80 {
        weight 1
        TCP_CHECK { connect_timeout 3 }
    }
}
C
start
until_ok "the group is there" listed 'FWM 8 rr'
until_ok "it has its server" sh -c 'ipvsadm -Ln -f 8 | grep -q 192.168.2.2:80'
table
timeouts
kill -TERM $daemon
wait $daemon
table
timeouts

chapter "refused"
# Where lo is down and there is no address, the kernel takes services, but no real servers.
ip netns add bare
cat >$WORK/bare.conf <<'C'
virtual_server 10.0.1.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.168.2.2 80 { weight 1 }
}
C
ip netns exec bare "$KEEPWATCHD" -n -l -G -D --check -f $WORK/bare.conf -p $WORK/bare.pid --history-file none \
	--listen none >$WORK/bare.log 2>&1 &
bare=$!
until_ok "the kernel refuses" grep -qF 'IPVS refused to add [192.168.2.2]:tcp:80' $WORK/bare.log
ip -n bare link set lo up
until_ok "it is tried again" grep -qF 'Adding service [192.168.2.2]:tcp:80' $WORK/bare.log
ip netns exec bare ipvsadm -Ln | grep -F 192.168.2.2
kill -TERM $bare
wait $bare
cat $WORK/bare.log

chapter "log"
cat $log
chapter "times"
cat $WORK/times
