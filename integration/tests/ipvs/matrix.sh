# Each checker beside servers that fail in every way: who is in the table of keepalived, and who in ours, and that all but the
# closed ports are there when the servers do well.
. "$NETWORK"
PLAYS=$(dirname "$NETWORK")
. "$PLAYS/compare.sh"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=farm -days 9 -keyout $WORK/key -out $WORK/pem 2>/dev/null
cat $WORK/key >>$WORK/pem
python3 "$PLAYS/matrix.py" config >$WORK/director.conf
# Nobody answers a connection or an echo request there, once there are rules for it.
ip -n web2 addr add 192.168.2.3/24 dev eth0
ip netns exec web2 nft 'add table ip lost; add chain ip lost in { type filter hook input priority 0; }'
python3 "$PLAYS/matrix.py" scripts
ulimit -n 4096
# All but the closed ports and, perhaps, the one that resets.
all_are_back() {
	ipvsadm -Sn >$WORK/now
	python3 "$PLAYS/matrix.py" judge $WORK/now >$WORK/judged
	! grep -vE ' down: |TCP_CHECK reset' $WORK/judged | grep -q ': down'
}
for who in keepalived keepwatchd; do
	ip netns exec web2 nft flush chain ip lost in
	ip netns exec web2 nft 'add rule ip lost in tcp dport 2102 tcp flags syn drop; add rule ip lost in ip daddr 192.168.2.3 icmp type echo-request drop'
	rm -f $WORK/well
	python3 "$PLAYS/matrix.py" serve web2 $WORK/pem >$WORK/serve 2>&1 &
	servers=$!
	until_ok "they serve" grep -q serving $WORK/serve
	begin --check
	for n in 2100 2200 2300 2400 2500 2600 2700 2800; do until_ok "$who: the good one of $n is in" has "192.168.2.2:$n "; done
	# Everybody has been judged who is in the table, or of whom something was said.
	said=$WORK/keepalived.log
	[ $who = keepwatchd ] && said=$log
	for n in $(seq 40); do
		ipvsadm -Sn >$WORK/now
		python3 "$PLAYS/matrix.py" told $who $WORK/now $said && break
		sleep 1
	done
	chapter "$who while they fail"
	python3 "$PLAYS/matrix.py" judge $WORK/now
	touch $WORK/well
	kill -USR1 $servers
	ip netns exec web2 nft flush chain ip lost in
	# When keepalived comes back is its own business: it reads two endless bodies to their end.
	if [ $who = keepwatchd ]; then
		until_ok "they are back" all_are_back
		chapter "when they do well"
		cat $WORK/judged
	fi
	end
	kill $servers
	sleep 1
done
complaints
chapter "log"
tail -n 300 $log
chapter "times"
cat $WORK/times
