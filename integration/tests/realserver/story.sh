# A director by the file of the documents, and real servers that `keepwatch realserver` sets up from the same file.
#
#   client  125.38.38.200 ─┐          ┌─ first   125.38.38.101 and .99    (up and down)
#                          ├─── lan ──┼─ second  125.38.38.102 and .104   (in the foreground)
#   director 125.38.38.1 ──┘          └─ third   125.38.38.103, fd00::103 (a tunnel and IPv6, another file)
set -u
WORK=/run/work
mkdir -p $WORK
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad

ip link add lan type bridge mcast_snooping 0
ip link set lan up
plug() { # namespace, its addresses
	local name=$1 address
	ip netns add "$name"
	ip link add "c-$name" type veth peer name eth0 netns "$name"
	ip link set "c-$name" master lan up
	ip -n "$name" link set lo up
	ip -n "$name" link set eth0 up
	shift
	for address; do ip -n "$name" addr add "$address" dev eth0; done
}
plug client 125.38.38.200/24 fd00::200/64
plug director 125.38.38.1/24 fd00::1/64
plug first 125.38.38.101/24 125.38.38.99/24
plug second 125.38.38.102/24 125.38.38.104/24
plug third 125.38.38.103/24 fd00::103/64
# As most distributions have it.
for name in first second third; do
	ip netns exec $name sh -c 'for f in all default eth0 lo; do echo 1 >/proc/sys/net/ipv4/conf/$f/rp_filter; done'
	mkdir -p $WORK/$name
	echo $name >$WORK/$name/index.html
	ip netns exec $name busybox httpd -f -p '[::]:80' -h $WORK/$name &
done

chapter() { echo "== $1"; }
die() { echo "$1"; echo "== logs"; cat $WORK/*.log; ip netns exec director ipvsadm -Ln; exit 1; }
until_ok() { # what, command…
	local what=$1 n
	shift
	for n in $(seq 150); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
	die "it never came so far: $what"
}
ask() { # url
	ip netns exec client curl -s -m 5 --no-keepalive -H 'Connection: close' "$1" | sort | uniq -c | tr -s ' '
}
# All that a host has of addresses and settings, but for ends of tunnels that the kernel has made meanwhile, and what it
# does with IPv6 addresses by itself some time after an interface is up.
all_of() {
	ip -n "$1" -o addr | grep -v -e tunl0 -e sit0 -e ip6tnl0 -e 'inet6 fe80:' | sed 's/ tentative//; s/ *valid_lft.*//'
	ip netns exec "$1" sh -c 'cd /proc/sys/net; grep -H . ipv4/conf/*/arp_* ipv4/conf/*/rp_filter' | grep -v -e tunl0 -e sit0 -e ip6tnl0
}
for name in first second third; do all_of $name >$WORK/$name.before; done
real() { local name=$1; shift; ip netns exec "$name" "$KEEPWATCH" realserver "$@"; }

chapter "who am I"
ip netns exec client "$KEEPWATCH" realserver up "$FILE" --record $WORK/client.json 2>&1
echo "exit $?"
chapter "dry run"
real first "$FILE" --dry-run --record $WORK/first.json
all_of first | cmp - $WORK/first.before && echo "nothing was done"
chapter "up"
real first up "$FILE" --record $WORK/first.json
ip netns exec second "$KEEPWATCH" realserver "$FILE" --record $WORK/second.json >$WORK/second.log 2>&1 &
second=$!
until_ok "the second is set up" grep -q 'put 125.38.38.64/32 on lo as lo:0' $WORK/second.log
ip -n first -o addr show dev lo | grep -o 'inet 125.*lo:0'

ip netns exec director "$KEEPWATCHD" -n -l -G -D -f "$FILE" -p /run/keepwatchd.pid --history-file none >$WORK/director.log 2>&1 &
director=$!
until_ok "the director has the address" sh -c 'ip -n director addr show dev eth0 | grep -q 125.38.38.64/32'
until_ok "all four are in the table" sh -c '[ $(ip netns exec director ipvsadm -Ln | grep -c Route) = 4 ]'

chapter "direct routing"
ask 'http://125.38.38.64/?[1-8]'
chapter "who has the address"
[ "$(ip -n client neigh show 125.38.38.64 | grep -o 'lladdr [^ ]*' | cut -d' ' -f2)" = \
	"$(ip netns exec director cat /sys/class/net/eth0/address)" ] && echo "the director"

chapter "somebody removes it"
ip -n second addr del 125.38.38.64/32 dev lo
until_ok "it is back" sh -c 'ip -n second addr show dev lo | grep -q 125.38.38.64/32'
echo "it is back"
chapter "status"
real first status --record $WORK/first.json | head -n 2
echo 0 | ip netns exec first tee /proc/sys/net/ipv4/conf/all/arp_ignore >/dev/null
real first status --record $WORK/first.json | tail -n 1
real first up "$FILE" --record $WORK/first.json
real first status --record $WORK/first.json >/dev/null
echo "exit $?"

chapter "undone"
real first down --record $WORK/first.json >/dev/null
real first status --record $WORK/first.json
kill -TERM $second
wait $second
echo "exit $?"
for name in first second; do all_of $name | diff $WORK/$name.before - && echo "$name is as it was"; done
ls $WORK/*.json 2>/dev/null

chapter "tunnels"
kill $director
wait $director
cat >$WORK/tunnel.conf <<'C'
virtual_server 125.38.38.65 80 {
    lvs_method TUN
    protocol TCP
    real_server 125.38.38.103 80 {
    }
}
virtual_server fd00::65 80 {
    lvs_method DR
    protocol TCP
    real_server fd00::103 80 {
    }
}
C
ip -n director addr add 125.38.38.65/32 dev eth0
ip -n director addr add fd00::65/128 dev eth0 nodad
real third up $WORK/tunnel.conf --record $WORK/third.json >$WORK/third.log 2>&1 || cat $WORK/third.log
ip netns exec director "$KEEPWATCHD" -n -l -G -D --check -f $WORK/tunnel.conf -p /run/keepwatchd.pid --history-file none >$WORK/tunnels.log 2>&1 &
director=$!
until_ok "both are in the table" sh -c '[ $(ip netns exec director ipvsadm -Ln | grep -c -e Tunnel -e Route) = 2 ]'
ask 'http://125.38.38.65/?[1-2]'
ask 'http://[fd00::65]/?[1-3]'
real third down --record $WORK/third.json >/dev/null
all_of third | diff $WORK/third.before - && echo "third is as it was"
ip -n third -o link show | grep -E '(tunl0|ip6tnl0).*[<,]UP' && echo "a tunnel's end is up"
kill $director
wait $director
exit 0
