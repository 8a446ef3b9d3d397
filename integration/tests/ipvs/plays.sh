# Every kind of virtual server, with traffic, and beside keepalived: first that one plays the story and what `ipvsadm -Sn`
# shows after each step is kept, then keepwatchd plays it, and has to come to the same.
. "$NETWORK"
modprobe -a sctp fou ip_gre ip6_tunnel
PLAYS=$(dirname "$NETWORK")
for n in 2 3 4; do serve web$n 80; done
for port in 83 84 85 86 87; do
	mkdir -p $WORK/web5
	ip netns exec web5 busybox httpd -p $port -h $WORK/web5
done
echo web5 >$WORK/web5/index.html
ip -n web5 -6 addr add fd00:c::55/64 dev eth0 nodad
ip -n web5 -6 addr add fd00:c::1/128 dev lo nodad
ip netns exec web5 sh -c '
	echo 0 >/proc/sys/net/ipv6/conf/all/accept_ra
	ip fou add port 6080 gue; ip link set gre0 up; ip link set ip6tnl0 up; ip link set tunl0 up
	for i in gre0 tunl0; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done'
nft -f - <<N
table inet marks {
    chain pre {
        type filter hook prerouting priority mangle
        tcp dport 82 meta mark set 7
        tcp dport 88 meta mark set 8
    }
}
N
# What is tunnelled comes from an address that is not on the other side too.
ip -6 addr add fd00:c::7/64 dev lan nodad
ip -6 addr change fd00:c::1/64 dev lan preferred_lft 0
ip addr add 10.0.0.3/32 dev lan
for n in 11 12 13 14 16 17 18 19; do ip addr add 10.0.0.$n/32 dev lan; done
python3 "$PLAYS/talk.py" serve 53 9000 web2 web3 >$WORK/talk 2>&1 &
talk=$!
until_ok "the others serve" grep -q serving $WORK/talk

schedulers() {
	local port=8000 name
	for name in rr wrr lc wlc lblc lblcr dh sh mh sed nq fo ovf; do
		port=$((port + 1))
		cat <<C
virtual_server 10.0.0.1 $port {
    delay_loop 1
    warmup 0
    retry 1
    delay_before_retry 1
    lvs_sched $name
    lvs_method NAT
    protocol TCP
    real_server 192.168.2.2 80 {
        weight 1
        TCP_CHECK { connect_timeout 3 }
    }
    real_server 192.168.3.3 80 {
        weight 3
        TCP_CHECK { connect_timeout 3 }
    }
}
C
	done
	for name in "sh 2 sh-port" "mh 3 mh-fallback" "wlc 4 hashed"; do
		set -- $name
		echo "virtual_server 10.0.0.1 802$2 {
    lvs_sched $1
    $3
    lvs_method NAT
    protocol TCP
    real_server 192.168.2.2 80 { weight 1 }
}"
	done
}
schedulers >$WORK/schedulers
sed -e "/^SCHEDULERS/{r $WORK/schedulers
d}" "$PLAYS/plays.conf" >$WORK/first.conf
# Another weight, another scheduler and method, servers that go and come, a virtual server that goes and one that comes.
sed -e '/^virtual_server 10.0.0.1 8001 /,/^}/s/weight 3/weight 7/' \
	-e '/^virtual_server 10.0.0.1 8002 /,/^}/s/lvs_sched wrr/lvs_sched wlc/' \
	-e '/^virtual_server 10.0.0.1 8003 /,/^}/{/real_server 192.168.3.3/,/^    }/d}' \
	-e '/^virtual_server 10.0.0.1 83 /,/^}/s/lvs_method DR/lvs_method TUN/' \
	-e '/^virtual_server 10.0.0.1 87 /,/^}/s/uthreshold 100/uthreshold 60/' \
	-e '/^virtual_server 10.0.0.1 91 /,/^}/s/persistence_timeout 50/persistence_timeout 70/' \
	-e 's/10.0.0.11-13 80/10.0.0.12-14 80/' \
	-e '/^virtual_server 10.0.0.1 84 /,/^}/d' $WORK/first.conf >$WORK/second.conf
cat >>$WORK/second.conf <<'C'
virtual_server 10.0.0.1 99 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.168.4.4 80 { weight 9 }
}
C
. "$PLAYS/compare.sh"
play() {
	cp $WORK/first.conf $WORK/director.conf
	begin --check
	step start has '10.0.0.1:97 -r 192.168.2.2'
	[ $who = keepwatchd ] && traffic
	kill $httpd_web2
	step down has '10.0.0.1:95 -r 192.168.4.4'
	kill $httpd_web3
	step sorry has '10.0.0.1:96 -r 192.168.4.4:80 -m -w 1'
	[ $who = keepwatchd ] && { chapter "sorry"; ask 2 http://10.0.0.1:95/; ask 2 http://10.0.0.1:96/; }
	serve web2 80
	serve web3 80
	step back has '10.0.0.1:95 -r 192.168.3.3'
	cp $WORK/second.conf $WORK/director.conf
	kill -HUP $daemon
	step reload has '10.0.0.1:99 -r'
	# What keepalived does not do at a reload: docs/differences.md.
	[ $who = keepalived ] && sed -i '/^-A -t 10.0.0.11:80 /d; s/ 100 50$/ 60 50/' "$WORK/table all reload"
	[ $who = keepwatchd ] && { chapter "after the reload"; ask 2 http://10.0.0.14/; ask 2 http://10.0.0.1:99/; }
	end
	step stop hasnt '10.0.0.1:99'
	[ $who = keepalived ] && sed -i '/^-A -t 10.0.0.1[1-4]:80 /d' "$WORK/table all stop"
}
talk() { ip netns exec client python3 "$PLAYS/talk.py" ask "$@" | sort | uniq -c | tr -s ' '; }
traffic() {
	chapter "schedulers"
	local port=8000 name
	for name in rr wrr lc wlc lblc lblcr dh sh mh sed nq fo ovf; do
		port=$((port + 1))
		echo $name $(ask 4 http://10.0.0.1:$port/)
	done
	chapter "methods"
	for port in 83 84 85 86; do echo $port $(ask 2 http://10.0.0.1:$port/); done
	echo 87 $(ask 3 http://10.0.0.1:87/)
	chapter "marks and groups"
	echo mark $(ask 2 http://10.0.0.2:82/)
	echo range $(ask 2 http://10.0.0.12/) $(ask 2 http://10.0.0.17:8080/)
	echo group mark $(ask 2 http://10.0.0.2:88/)
	chapter "persistence"
	echo $(ask 4 http://10.0.0.1:91/)
	echo $(ask 4 http://10.0.0.3/)
	chapter "datagrams and SCTP"
	echo udp $(talk udp 10.0.0.1 53 4)
	echo sctp $(talk sctp 10.0.0.1 9000 4)
	echo udp6 $(talk udp fd00:c::1 53 2)
	chapter "version 6"
	for port in 80 83 84; do echo $port $(ask 2 "http://[fd00:c::1]:$port/"); done
	chapter "steps"
}
ipvsadm -A -t 10.9.9.9:99 -s rr
ipvsadm --set 900 120 300
part=all
who=keepalived
play
ipvsadm -C
ipvsadm -A -t 10.9.9.9:99 -s rr
ipvsadm --set 900 120 300
who=keepwatchd
play

chapter "sync daemon"
for who in keepalived keepwatchd; do
	cat >$WORK/director.conf <<'C'
global_defs {
    lvs_sync_daemon lan VI_1 id 9 maxlen 1400 port 8899 ttl 2 group 224.0.0.90
}
vrrp_instance VI_1 {
    state BACKUP
    interface lan
    virtual_router_id 51
    priority 150
    advert_int 0.3
    version 3
    virtual_ipaddress { 10.0.0.7 }
}
C
	begin
	until_ok "$who is master" sh -c 'ipvsadm -L --daemon | grep -q master'
	ipvsadm -L --daemon >$WORK/sync-$who
	end
	ipvsadm -L --daemon >>$WORK/sync-$who
	cat $WORK/sync-$who
done
cmp $WORK/sync-keepalived $WORK/sync-keepwatchd && echo "the same"
complaints
chapter "log"
cat $log
chapter "times"
cat $WORK/times
kill $talk
