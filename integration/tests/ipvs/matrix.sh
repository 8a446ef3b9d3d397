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
for who in keepalived keepwatchd; do
	ip netns exec web2 nft flush chain ip lost in
	ip netns exec web2 nft add rule ip lost in tcp dport 2102 tcp flags syn drop
	python3 "$PLAYS/matrix.py" serve web2 $WORK/pem >$WORK/serve 2>&1 &
	servers=$!
	until_ok "they serve" grep -q serving $WORK/serve
	begin --check
	for n in 2100 2200 2300 2400 2500 2600; do until_ok "$who: the good one of $n is in" has "192.168.2.2:$n "; done
	# Everybody has been judged by then, those with a time limit of ten times two seconds too.
	sleep 15
	ipvsadm -Sn >$WORK/now
	chapter "$who while they fail"
	python3 "$PLAYS/matrix.py" judge $WORK/now
	kill -USR1 $servers
	ip netns exec web2 nft flush chain ip lost in
	# All but six closed ports and, perhaps, the one that resets; keepalived reads two endless bodies to their end.
	if [ $who = keepalived ]; then back=47; else back=49; fi
	until_ok "$who: they are back" sh -c '[ $(ipvsadm -Sn | grep -c -- "-r 192.168.2.2:2") -ge '$back' ]'
	ipvsadm -Sn >$WORK/now
	chapter "$who when they do well"
	python3 "$PLAYS/matrix.py" judge $WORK/now
	end
	kill $servers
	sleep 1
done
complaints
chapter "log"
tail -n 300 $log
chapter "times"
cat $WORK/times
