# A kernel that refuses, and takes it later.
. "$NETWORK"
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
log=$WORK/bare.log
until_ok "the kernel refuses" logged 'IPVS refused to add [192.168.2.2]:tcp:80'
ip -n bare link set lo up
until_ok "it is tried again" logged 'Adding service [192.168.2.2]:tcp:80'
chapter "table"
ip netns exec bare ipvsadm -Ln | grep -F 192.168.2.2
kill -TERM $bare
wait $bare
chapter "log"
cat $log
