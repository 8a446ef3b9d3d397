# Keywords of global_defs that concern IPVS: marks for groups, the table of another namespace, receive buffers.
. "$NETWORK"
. "$(dirname "$NETWORK")/compare.sh"
for n in 2 3; do serve web$n 80; done
for n in 11 12 13 16 17; do ip addr add 10.0.0.$n/32 dev lan; done
ip -6 addr add fd00:c::2/128 dev lan nodad
cat >$WORK/groups.conf <<'C'
global_defs {
    nftables_ipvs marks_of_ipvs
    nftables_ipvs_priority -5
    nftables_ipvs_start_fwmark 2000
    nftables_counters
    lvs_netlink_cmd_rcv_bufs 70000
    lvs_netlink_cmd_rcv_bufs_force
    lvs_netlink_monitor_rcv_bufs 60000
    lvs_netlink_monitor_rcv_bufs_force
}
virtual_server_group A {
    10.0.0.11-13 80
    10.0.0.16/31 8080
}
virtual_server_group B {
    10.0.0.12 81
}
virtual_server_group SIX {
    fd00:c::1-2 80
}
virtual_server_group UDP {
    10.0.0.12 82
}
virtual_server group A {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    ha_suspend
    real_server 192.168.2.2 80 { weight 1 }
}
virtual_server group B {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.168.3.3 80 { weight 1 }
}
virtual_server group SIX {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server fd00:2::2 80 { weight 1 }
}
virtual_server group UDP {
    lvs_sched rr
    lvs_method NAT
    protocol UDP
    real_server 192.168.3.3 82 { weight 1 }
}
C
part=groups
cp $WORK/groups.conf $WORK/director.conf
chapter "steps"
for who in keepalived keepwatchd; do
	begin --check
	step start has "-f 2002.*fd00:2::2"
	[ $who = keepalived ] && { end; nft list tables >$WORK/left; }
done
ask_all() {
	echo $(ask 2 http://10.0.0.11/) $(ask 2 http://10.0.0.17:8080/) $(ask 2 http://10.0.0.12:81/) $(ask 2 'http://[fd00:c::2]/')
}
chapter "marked"
nft list table ip marks_of_ipvs
nft list table ip6 marks_of_ipvs | grep 'type filter'
ask_all
chapter "buffers"
python3 "$SOCKETS" $daemon | sort | uniq -c
chapter "crash"
kill -9 $(pgrep -P $daemon)
ask_all
until_ok "adopted" logged 'Adopting Virtual Server FWM 2000'
chapter "reload"
# A group before the others, and one line less: the marks of those that stay are what they were.
sed -e 's/^virtual_server_group A {/virtual_server_group NEW {\n    10.0.0.11 90\n}\n&/' \
	-e '0,/^virtual_server group A/s//virtual_server group NEW {\n    protocol TCP\n    lvs_sched rr\n    lvs_method NAT\n    real_server 192.168.3.3 80 { weight 1 }\n}\n&/' \
	-e 's/11-13 80/11-12 80/' -e 's/cmd_rcv_bufs 70000/cmd_rcv_bufs 50000/' $WORK/groups.conf >$WORK/director.conf
kill -HUP $daemon
until_ok "the new group is there" has '-f 2004 -r 192.168.3.3'
until_ok "its packets are marked" sh -c 'nft list map ip marks_of_ipvs tcp_map | grep -q "10.0.0.11 . 90"'
ipvsadm -Sn | grep -- -A | sort
nft list map ip marks_of_ipvs tcp_map | grep -c 10.0.0.13
ask_all
echo $(ask 2 http://10.0.0.11:90/)
python3 "$SOCKETS" $daemon | grep 100000
chapter "without a mark"
# While the marks change again and again not one packet is without its own.
nft -f - <<'N'
table ip watch {
	chain in {
		type filter hook input priority 0
		udp dport 82 meta mark 2003 counter
		udp dport 82 meta mark != 2003 counter
	}
}
N
ip netns exec client python3 -c '
import socket, time
flood, end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), time.time() + 60
while time.time() < end:
    time.sleep(0.005)
    for _ in range(20):
        flood.sendto(b"x", ("10.0.0.12", 82))' &
flood=$!
for n in 1 2 3 4; do
	for last in 13 12; do
		sed -i "s/11-1[23] 80/11-$last 80/" $WORK/director.conf
		kill -HUP $daemon
		until_ok "up to $last" sh -c "nft list map ip marks_of_ipvs tcp_map | grep -q '10.0.0.11-10.0.0.$last'"
	done
done
kill $flood
nft list table ip watch | awk '/counter/ { print ($6 == "!=" ? "unmarked " $10 : ($9 > 1000 ? "marked" : "too few: " $0)) }'
nft delete table ip watch
chapter "repaired"
nft delete table ip marks_of_ipvs
until_ok "marked again" sh -c 'nft list map ip marks_of_ipvs tcp_map | grep -q "10.0.0.11 . 90"'
until_ok "told" logged 'IPVS table repaired: VS FWM 2000 had packets without a mark'
ask_all
chapter "stop"
end
nft list tables | grep ipvs
ipvsadm -Sn

chapter "elsewhere"
ip netns add elsewhere
ip -n elsewhere link set lo up
cat >$WORK/director.conf <<'C'
net_namespace_ipvs elsewhere
global_defs {
    nftables_ipvs
}
virtual_server 10.0.0.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    delay_loop 1
    warmup 0
    real_server 192.168.2.2 80 {
        weight 1
        TCP_CHECK { connect_timeout 3 }
    }
    real_server 192.168.2.9 80 {
        weight 1
        TCP_CHECK { connect_timeout 1 }
    }
}
virtual_server_group A {
    10.0.0.11 80
}
virtual_server group A {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.168.2.2 80 { weight 1 }
}
C
part=elsewhere
in="ip netns exec elsewhere"
for who in keepalived keepwatchd; do
	in= begin --check
	step start hasnt '192.168.2.9'
	[ $who = keepalived ] && in= end
done
$in nft list tables
ipvsadm -Sn
in= end
$in ipvsadm -Sn
chapter "elsewhere that is not there"
sed -i s/elsewhere/nowhere/ $WORK/director.conf
in= begin --check
until_ok "what is missing is told" logged 'IPVS: read the table: there is no network namespace nowhere'
ip netns add nowhere
ip -n nowhere link set lo up
until_ok "it comes" sh -c 'ip netns exec nowhere ipvsadm -Sn | grep -q 192.168.2.2'
in= end
complaints
chapter "log"
cat $log
chapter "times"
cat $WORK/times
