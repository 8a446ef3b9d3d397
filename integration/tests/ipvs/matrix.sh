# Each checker beside servers that fail in every way: who is in the table of keepalived, and who in ours, and that all but the
# closed ports are there when the servers do well.
. "$NETWORK"
PLAYS=$(dirname "$NETWORK")
. "$PLAYS/compare.sh"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=farm -days 9 -keyout $WORK/key -out $WORK/pem 2>/dev/null
cat $WORK/key >>$WORK/pem
python3 "$PLAYS/matrix.py" config >$WORK/director.conf
# Nobody answers a connection there.
ip netns exec web2 nft 'add table ip lost; add chain ip lost in { type filter hook input priority 0; }; add rule ip lost in tcp dport 2102 tcp flags syn drop'
ulimit -n 4096
# All but the closed ports and, perhaps, the one that resets.
all_are_back() {
	ipvsadm -Sn >$WORK/now
	python3 "$PLAYS/matrix.py" judge $WORK/now >$WORK/judged
	! grep -vE ' down: |TCP_CHECK reset' $WORK/judged | grep -q ': down'
}
for who in keepalived keepwatchd; do
	ip netns exec web2 nft flush chain ip lost in
	ip netns exec web2 nft add rule ip lost in tcp dport 2102 tcp flags syn drop
	python3 "$PLAYS/matrix.py" serve web2 $WORK/pem >$WORK/serve 2>&1 &
	servers=$!
	until_ok "they serve" grep -q serving $WORK/serve
	begin --check
	for good in $(python3 "$PLAYS/matrix.py" good); do until_ok "$who: $good is in" has "$good "; done
	# Everybody has been judged once nothing has changed for longer than the longest check takes.
	same=0
	for n in $(seq 60); do
		ipvsadm -Sn | sort >$WORK/next
		if cmp -s $WORK/next $WORK/now; then same=$((same + 1)); else same=0; fi
		mv $WORK/next $WORK/now
		[ $same -ge 15 ] && break
		sleep 1
	done
	chapter "$who while they fail"
	python3 "$PLAYS/matrix.py" judge $WORK/now
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
