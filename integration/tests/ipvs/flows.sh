# Where connections and flows go whose server rests or goes, with the kernel's settings for that; and synchronisation whose
# interface goes and comes back. Health is what files say: the servers serve all the time.
. "$NETWORK"
PLAYS=$(dirname "$NETWORK")
. "$PLAYS/compare.sh"
python3 "$PLAYS/talk.py" serve 53 9000 web2 web3 >$WORK/datagrams 2>&1 &
python3 "$PLAYS/talk.py" echo 7 web2 web3 >$WORK/streams 2>&1 &
until_ok "they answer datagrams" grep -q serving $WORK/datagrams
until_ok "they answer connections" grep -q serving $WORK/streams
server() { # address, port, more
	echo "    real_server $1 $2 {
        weight 1
        ${3:-}
        FILE_CHECK {
            track_file $(echo "$1" | tr . _)
            weight 0
        }
    }"
}
service() { # port, protocol, port of the servers, more, more of each server
	echo "virtual_server 10.0.0.1 $1 {
    lvs_sched rr
    lvs_method NAT
    protocol $2
    ${4:-}"
	server 192.168.2.2 $3 "${5:-}"
	server 192.168.3.3 $3 "${5:-}"
	echo "}"
}
# Of multiplier 0: 0 is well, all else is not.
files() {
	for address in 192_168_2_2 192_168_3_3; do
		echo "track_file $address {
    file $WORK/$address
    weight 0
}"
	done
}
{
	files
	service 53 UDP 53 "" inhibit_on_failure
	service 54 UDP 53
	service 7 TCP 7 "" inhibit_on_failure
	service 8 TCP 7
	service 9 TCP 7 "persistence_timeout 50" inhibit_on_failure
	service 10 TCP 7 "persistence_timeout 50"
} >$WORK/director.conf
health() { echo "$2" >"$WORK/192_168_$1_$1"; } # number of the server, 0 or 1
health 2 0
health 3 0
who=keepwatchd
begin --check
until_ok "all is there" has '10.0.0.1:10 -r 192.168.3.3'

# A flow or a connection that lasts, to the first server of a service.
hold() { # name, protocol, port
	mkfifo $WORK/$1.ask
	ip netns exec client python3 "$PLAYS/talk.py" hold $2 10.0.0.1 $3 $WORK/$1.ask >$WORK/$1.told &
	eval "exec $4>$WORK/$1.ask"
	say $1 $4 first
}
say() { # name, descriptor, what
	echo "$3" >&$2
	until_ok "$1 has an answer to $3" grep -q "^$3 " $WORK/$1.told
}
# Who serves those that come now: each once, four of them.
now() { # port
	ip netns exec client python3 -c '
import socket, sys
for _ in range(4):
    one = socket.create_connection(("10.0.0.1", int(sys.argv[1])), 5)
    one.send(b"?")
    print(one.recv(100).decode())
    one.close()' $1 2>&1 | sort | uniq -c | tr -s ' '
}
new_flows() { ip netns exec client python3 "$PLAYS/talk.py" ask udp 10.0.0.1 $1 4 | sort | uniq -c | tr -s ' '; }
first() { sed -n 's/^first web//p' $WORK/$1.told; }

hold flow udp 53 11
rests=$(first flow)
other=$((5 - rests))
# The other ones are made to go to the same server.
meet() { # name, protocol, port, descriptor
	local n
	for n in 1 2 3; do
		hold $1 $2 $3 $4
		[ "$(first $1)" = $rests ] && return
		eval "exec $4>&-"
		rm $WORK/$1.ask
	done
	die "$1 never met web$rests"
}
meet dropped udp 54 12
meet stream tcp 7 13
meet cut tcp 8 14
meet loyal tcp 9 15
health $rests 1
until_ok "it rests" has "10.0.0.1:7 -r 192.168.$rests.$rests:7 -m -w 0"
until_ok "it is out" hasnt "10.0.0.1:8 -r 192.168.$rests.$rests:7"
named() { sed "s/web$rests/who rests/g; s/web$other/the other/g"; }

chapter "resting"
for n in 1 2 3; do say flow 11 again$n; done
say stream 13 again
{ cat $WORK/flow.told $WORK/stream.told; echo new $(new_flows 53) $(now 7); } | named
chapter "out"
say dropped 12 again
say cut 14 again
{ cat $WORK/dropped.told $WORK/cut.told; echo new $(new_flows 54) $(now 8); } | named

chapter "persistent"
# The client has a template for the service, which sends it to the server that rests.
echo $(now 9) | named
echo 1 >/proc/sys/net/ipv4/vs/expire_quiescent_template
echo $(now 9) | named
echo 0 >/proc/sys/net/ipv4/vs/expire_quiescent_template
echo $(now 10) | named

chapter "back"
health $rests 0
until_ok "it is back" has "10.0.0.1:8 -r 192.168.$rests.$rests:7"
# What was dropped only meanwhile goes on.
say dropped 12 back
say cut 14 back
grep -h '^back' $WORK/dropped.told $WORK/cut.told | named

chapter "expiring"
echo 1 >/proc/sys/net/ipv4/vs/expire_nodest_conn
health $rests 1
until_ok "it is out again" hasnt "10.0.0.1:8 -r 192.168.$rests.$rests:7"
say dropped 12 expired
say cut 14 expired
grep -h '^expired' $WORK/dropped.told $WORK/cut.told | named
health $rests 0
end

chapter "sync daemon"
nft -f - <<'N'
table ip watch {
	chain out {
		type filter hook output priority 0
		oifname "syn" udp dport 8848 counter
	}
}
N
sent() { nft list table ip watch | grep -o 'packets [0-9]*'; }
interface() { ip link add syn type dummy && ip link set syn up && ip addr add 10.7.0.1/24 dev syn; }
# Whether the other director would hear of connections.
tells() { # what
	local before=$(sent) n
	for n in $(seq 50); do
		[ $((n % 10)) = 1 ] && now 80 >/dev/null
		[ "$(sent)" != "$before" ] && { echo "$who, $1: tells"; return; }
		sleep 0.2
	done
	echo "$who, $1: silent, $(ipvsadm -L --daemon | grep -c master) listed"
}
for who in keepalived keepwatchd; do
	interface
	cat >$WORK/director.conf <<'C'
global_defs {
    lvs_sync_daemon syn VI_1 id 9
}
vrrp_instance VI_1 {
    state BACKUP
    interface lan
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress { 10.0.0.7 }
}
virtual_server 10.0.0.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.168.2.2 7 { weight 1 }
}
C
	begin
	until_ok "$who is master" sh -c 'ipvsadm -L --daemon | grep -q master'
	until_ok "$who serves" has '10.0.0.1:80 -r 192.168.2.2:7'
	tells "at first"
	ip link del syn
	if [ $who = keepwatchd ]; then
		until_ok "it is told" logged 'IPVS: keep the sync daemon running: there is no interface syn'
		until_ok "it is tried" logged 'IPVS: switch the sync daemon: No such device'
	fi
	interface
	[ $who = keepwatchd ] && until_ok "it works again" logged 'IPVS works again'
	tells "when its interface is back"
	ipvsadm --stop-daemon master
	if [ $who = keepwatchd ]; then
		until_ok "it is told" logged 'IPVS: keep the sync daemon running: its master half does not run'
		until_ok "it runs again" sh -c 'ipvsadm -L --daemon | grep -q master'
	fi
	tells "stopped by somebody"
	end
	ip link del syn
	ipvsadm --stop-daemon master 2>/dev/null
done
# Where there is no interface at the start it begins when there is one.
who=keepwatchd
cp $log $WORK/log-before
: >$log
begin
until_ok "it is tried" logged 'IPVS: switch the sync daemon: No such device'
interface
until_ok "it works" logged 'IPVS works again'
tells "with an interface that came later"
end
cat $log >>$WORK/log-before
complaints
chapter "log"
cat $WORK/log-before
chapter "times"
cat $WORK/times
