# The pairs of directors of real-life documents (daemon/config/tests/seeds): one for caches, and one of which each is master
# of one address.
. "$NETWORK"
PLAYS=$(dirname "$NETWORK")
. "$PLAYS/compare.sh"
. "$PLAYS/wire.sh"
# The pairs: each director is a namespace with its own table; the farm has all addresses, and the virtual ones silently.
pair() { # network, its mask, left seed, left interface, right seed, right interface
	local net=$1 mask=$2
	ip link add wan type bridge
	ip link set wan up
	wire left wan $4 $net.1/$mask
	wire right wan $6 $net.2/$mask
	wire user wan eth0 $net.9/$mask
	for n in left right; do
		for f in all default; do ip netns exec $n sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter"; done
	done
	short $3 | sed 's/advert_int 5/advert_int 1/' >$WORK/left.conf
	short $5 | sed 's/advert_int 5/advert_int 1/' >$WORK/right.conf
}
servers() { # virtual addresses; then -- real addresses; -- ports
	wire store wan eth0
	ip netns exec store sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce'
	while [ "$1" != -- ]; do ip -n store addr add $1/32 dev lo; shift; done
	shift
	while [ "$1" != -- ]; do ip -n store addr add $1 dev eth0; shift; done
	shift
	mkdir -p $WORK/store
	for port in "$@"; do
		echo $port >$WORK/store/$port
		ip netns exec store busybox httpd -p $port -h $WORK/store
	done
}
begin_on() { # namespace
	in="ip netns exec $1"
	cp $WORK/$1.conf $WORK/director.conf
	if [ $who = keepalived ]; then
		$in keepalived -n -l -G -D -f $WORK/$1.conf -p /run/ka-$1 -c /run/kac-$1 -r /run/kar-$1 >>$WORK/keepalived.log 2>&1 &
	else
		$in "$KEEPWATCHD" -n -l -G -D -f $WORK/$1.conf -p /run/kw-$1 --history-file none --listen none \
			--control-socket /run/control-$1 >>$log 2>&1 &
	fi
	eval "daemon_$1=$!"
}
end_on() { kill -TERM $(eval echo \$daemon_$1); wait $(eval echo \$daemon_$1); }
on() { ip -n $1 -4 addr | grep -qF "$2/"; }
sync_of() { ip netns exec $1 ipvsadm -L --daemon | sed 's/,.*syncid/ syncid/; s/maxlen.*//' | cut -d, -f1; }
fetch() { ip netns exec user curl -s -m 5 "$1"; }
clean() {
	# A namespace may take its time to go, with the interfaces in it.
	for n in left right user store; do ip link del $n-w; ip netns del $n; done
	ip link del wan
}

chapter "caches"
pair 125.38.38 24 000-cdn-master.conf eth0 000-cdn-backup.conf eth1
servers 125.38.38.64 -- 125.38.38.{99,101,102,104}/24 -- 80
for who in keepalived keepwatchd; do
	part=left
	begin_on left
	step start on left 125.38.38.64
	begin_on right
	part=right
	step start has 125.38.38.104
	sync_of left
	sync_of right
	[ $who = keepalived ] && { end_on left; end_on right; continue; }
	fetch http://125.38.38.64/80
	ip -n store addr del 125.38.38.102/24 dev eth0
	in="ip netns exec left"
	until_ok "the cache that died is out" hasnt '125.38.38.102'
	fetch http://125.38.38.64/80
	ip -n left link set eth0 down
	until_ok "the backup took over" on right 125.38.38.64
	fetch http://125.38.38.64/80
	end_on left
	end_on right
done
clean

chapter "each master of one"
pair 61.135.93 24 000-multi-lvs_1.conf eth0 000-multi-lvs_2.conf eth0
servers 61.135.93.99 61.135.93.100 -- 61.135.93.{80,81,82,83,84,85,86,87,88,89,90,91}/24 -- 80 3000 4000
for who in keepalived keepwatchd; do
	for name in left right; do begin_on $name; done
	for name in left right; do
		in="ip netns exec $name"
		part="one of two, $name"
		step start has '61.135.93.100:4000 -r'
	done
	until_ok "$who: each has one" on left 61.135.93.99
	until_ok "$who: each has one" on right 61.135.93.100
	[ $who = keepalived ] && { end_on left; end_on right; continue; }
	fetch http://61.135.93.99/80
	fetch http://61.135.93.100:3000/3000
	fetch http://61.135.93.100:4000/4000
	end_on left
	until_ok "the other one has both" on right 61.135.93.99
	fetch http://61.135.93.99/80
	end_on right
done
complaints
chapter "log"
cat $log
chapter "times"
cat $WORK/times
