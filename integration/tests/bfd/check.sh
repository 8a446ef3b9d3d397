# Real servers that follow BFD sessions with bird, beside keepalived: first that one plays the story and its table after each
# step is kept, then keepwatchd plays it, and has to come to the same.
. "$NETWORK"
serve web2 80
serve web3 80
serve web4 80
bird_in() { # namespace, the director's address there
	cat >$WORK/bird-$1.conf <<C
router id 10.9.9.9;
protocol device {}
protocol bfd {
    interface "eth0" { min rx interval 200 ms; min tx interval 200 ms; idle tx interval 1 s; multiplier 5; };
    neighbor $2 dev "eth0";
}
C
	ip netns exec "$1" bird -f -c $WORK/bird-$1.conf -s $WORK/bird-$1.ctl -P $WORK/bird-$1.pid >>$WORK/bird.log 2>&1 &
	eval "bird_$1=$!"
}
sessions() {
	local n
	for n in 2 3; do
		echo "bfd_instance b$n {
    neighbor_ip 192.168.$n.$n
    source_ip 192.168.$n.1
    min_rx 200
    min_tx 200
    multiplier 5
}"
	done
}
server() { # address, lines
	echo "    real_server $1 80 {
        weight 1
        $2
    }"
}
director() { # what the last real server has
	sessions
	echo "virtual_server 10.0.0.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    quorum 1
    sorry_server 192.168.4.4 80"
	server 192.168.2.2 "BFD_CHECK {
            name b2
        }"
	server 192.168.3.3 "BFD_CHECK {
            name b3
        }"
	echo "}
virtual_server 10.0.0.1 81 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP"
	server 192.168.2.2 "inhibit_on_failure
        BFD_CHECK {
            name b2
        }"
	server 192.168.4.4 "$1"
	echo "}"
}
in_vs() { ipvsadm -Sn | grep -qE -- "-t 10.0.0.1:$1 -r $2"; }
both() { in_vs 80 192.168.2.2:80 && in_vs 80 192.168.3.3:80 && in_vs 81 '192.168.2.2:80 .*-w 1'; }
only_3() { ! in_vs 80 192.168.2.2:80 && in_vs 80 192.168.3.3:80 && in_vs 81 '192.168.2.2:80 .*-w 0'; }
. "$(dirname "$NETWORK")/compare.sh"
play() {
	director "" >$WORK/director.conf
	begin --check
	step start in_vs 80 192.168.4.4:80
	bird_in web2 192.168.2.1
	bird_in web3 192.168.3.1
	step up both
	[ $who = keepwatchd ] && { echo "answers:" $(ask 4 http://10.0.0.1/); }
	kill -9 $bird_web2
	step "one dies" only_3
	bird_in web2 192.168.2.1
	step "it returns" both
	ip link set web2-eth0 down
	step "a cable is cut" only_3
	ip link set web2-eth0 up
	step "it is mended" both
	director "BFD_CHECK {
            name b3
        }" >$WORK/director.conf
	kill -HUP $daemon
	step reload in_vs 81 192.168.4.4:80
	kill -9 $bird_web2 $bird_web3
	step "all die" in_vs 80 192.168.4.4:80
	end
	step stop hasnt '10.0.0.1:80'
}
part=bfd
for who in keepalived keepwatchd; do
	chapter "$who"
	play
done
complaints
chapter "log"
cat $log
