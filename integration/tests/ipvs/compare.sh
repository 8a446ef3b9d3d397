# The same steps for keepalived and for keepwatchd, one after the other. What keepalived's table shows after each step is
# kept; keepwatchd has to come to the same. `in` says in which namespace the table is, `who` whose turn it is.
in=
who=
part=
# Printed where something does not happen.
touch "$log" "$WORK/times"
table_now() {
	{
		$in ipvsadm -Sn | sort
		$in ipvsadm -Ln --thresholds | awk '$1 == "->" && $3 + $4 > 0 { print $2, $3, $4 }'
		$in ipvsadm -l --timeout
	} 2>&1
}
has() { $in ipvsadm -Sn | grep -qE -- "$1"; }
hasnt() { ! has "$1"; }
# The table, when it has been the same twice, a second apart.
settle() {
	local before= now n=0
	while [ $n -lt 2 ]; do
		now=$(table_now)
		if [ "$now" = "$before" ]; then n=$((n + 1)); else n=0; fi
		before=$now
		sleep 1
	done
	echo "$now"
}
step() { # name, what keepalived has to come to…
	local name=$1 n
	shift
	if [ $who = keepalived ]; then
		until_ok "keepalived: $part $name" "$@"
		settle >"$WORK/table $part $name"
		return
	fi
	for n in $(seq 80); do
		table_now >"$WORK/now"
		cmp -s "$WORK/table $part $name" "$WORK/now" && { echo "$name: same"; return; }
		sleep 0.5
	done
	echo "$name: differs"
	diff "$WORK/table $part $name" "$WORK/now"
}
# Starts the one whose turn it is with $WORK/director.conf, and with these flags.
begin() {
	rm -f /run/ka.pid /run/kac.pid /run/kar.pid
	if [ $who = keepalived ]; then
		$in keepalived -n -l -G -D -f $WORK/director.conf -p /run/ka.pid -c /run/kac.pid -r /run/kar.pid "$@" \
			>>$WORK/keepalived.log 2>&1 &
		daemon=$!
	else
		echo "-- start" >>$log
		$in "$KEEPWATCHD" -n -l -G -D -f $WORK/director.conf -p /run/keepwatchd.pid --history-file none "$@" >>$log 2>&1 &
		daemon=$!
	fi
}
end() {
	kill -TERM $daemon
	wait $daemon
}
complaints() {
	chapter "log of keepalived"
	grep -iE 'error|fail|unknown|invalid|unable|refus' $WORK/keepalived.log | sort | uniq -c | head -40
}
