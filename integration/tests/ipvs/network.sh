# The network inside the machine: the machine itself is the director, everybody else is a namespace.
#
#   client 10.0.0.9 ─┐                        ┌─ web2 192.168.2.2, fd00:2::2   (NAT)
#                    ├─ lan ── director ──────┼─ web3 192.168.3.3              (NAT)
#   web5 10.0.0.55 ──┘   10.0.0.2, 10.0.0.1   └─ web4 192.168.4.4              (sorry server)
#   (DR and TUN)         fd00:c::1, the VIPs
#
# Every web server answers each request with its name.
set -u
log=/run/keepwatchd.log
WORK=/run/work
sides=--check
mkdir -p $WORK
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad

plug() { # namespace, its interface, address, default gateway
	ip netns add "$1" 2>/dev/null
	ip link add "$1-$2" type veth peer name "$2" netns "$1"
	ip link set "$1-$2" up
	ip -n "$1" link set lo up
	ip -n "$1" link set "$2" up
	ip -n "$1" addr add "$3" dev "$2"
}

serve() { # namespace, port
	mkdir -p "$WORK/$1"
	echo "$1" >"$WORK/$1/index.html"
	ip netns exec "$1" busybox httpd -f -p "$2" -h "$WORK/$1" &
	eval "httpd_$1=$!"
}

ip link add lan type bridge
ip link set lan up
ip addr add 10.0.0.2/24 dev lan
ip addr add 10.0.0.1/32 dev lan
ip -6 addr add fd00:c::1/64 dev lan nodad
plug client eth0 10.0.0.9/24
ip -n client -6 addr add fd00:c::9/64 dev eth0 nodad
ip link set client-eth0 master lan
plug web5 eth0 10.0.0.55/24
ip link set web5-eth0 master lan
for n in 2 3 4; do
	plug web$n eth0 192.168.$n.$n/24
	ip addr add 192.168.$n.1/24 dev web$n-eth0
	ip -n web$n route add default via 192.168.$n.1
done
ip -6 addr add fd00:2::1/64 dev web2-eth0 nodad
ip -n web2 -6 addr add fd00:2::2/64 dev eth0 nodad
ip -n web2 -6 route add default via fd00:2::1
# The VIP is on web5 too, silently: DR and TUN leave the packets' destination as it is.
modprobe -a ipip ip_vs_rr ip_vs_wrr ip_vs_lc
ip netns exec web5 sh -c '
	echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce
	echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; ip addr add 10.0.0.1/32 dev lo
	ip link set tunl0 up; echo 0 >/proc/sys/net/ipv4/conf/tunl0/rp_filter'

chapter() { echo "== $1"; echo "$SECONDS $1" >>$WORK/times; }
die() { echo "$1"; echo "== log"; cat $log; cat $WORK/times; ipvsadm -Ln; exit 1; }
until_ok() { # what, command…
	local what=$1 n
	shift
	for n in $(seq 150); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
	die "it never came so far: $what"
}
table() { ipvsadm -Ln | tail -n +4 | tr -s ' ' | sed 's/ $//'; }
listed() { ipvsadm -Ln | tr -s ' ' | grep -qE -- "$1"; }
unlisted() { ! listed "$1"; }
logged() { grep -qF -- "$1" $log; }
# Who answers so many requests: each name with its count.
ask() { # requests, url
	ip netns exec client curl -s -m 20 --no-keepalive -H 'Connection: close' "$2?[1-$1]" | sort | uniq -c | tr -s ' '
}
start() {
	echo "-- start" >>$log
	"$KEEPWATCHD" -n -l -G -D $sides -f $WORK/director.conf -p /run/keepwatchd.pid --history-file none \
		"$@" >>$log 2>&1 &
	daemon=$!
}
