# Processes that the kernel tells of: fork, exec, exit, and a quorum. Only the first network namespace hears of them, and
# many kernels tell nobody; so this plays in a machine of its own.
set -u
WORK=/run/work
log=$WORK/log
mkdir -p $WORK
chapter() { echo "== $1"; }
until_ok() { # what, within how many tenths of a second, command…
	local what=$1 limit=$2 n
	shift 2
	for n in $(seq "$limit"); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
	echo "it never came so far: $what"
	cat $log
	exit 1
}
times() { [ "$(grep -cF -- "$1" $log)" -ge "$2" ]; }
ip link add lan type bridge
ip link set lan up
ip addr add 10.0.0.2/24 dev lan
cp /bin/bash $WORK/kwforker
cp /bin/sleep $WORK/kwsleeper
cat >$WORK/conf <<'C'
global_defs {
    process_monitor_rcv_bufs 70000
    process_monitor_rcv_bufs_force
}
vrrp_track_process forker {
    process kwforker
    quorum 2
    quorum_max 3
    weight -50
}
vrrp_track_process sleeper {
    process kwsleeper
}
vrrp_instance VI_1 {
    state BACKUP
    interface lan
    virtual_router_id 51
    priority 150
    advert_int 0.3
    version 3
    track_process {
        forker
        sleeper
    }
    virtual_ipaddress { 10.0.0.7 }
}
C
$KEEPWATCHD -n -l -G -D --vrrp -f $WORK/conf -p $WORK/pid --history-file none >$log 2>&1 &
daemon=$!
# Nobody waits for a look at all processes, which comes every ten seconds: each step has five.
until_ok "without the sleeper it is in fault" 100 times 'Entering FAULT STATE' 1
chapter "exec"
$WORK/kwsleeper 1000 &
sleeper=$!
until_ok "a program that is executed counts" 50 times 'Entering MASTER STATE' 1
chapter "fork"
mkfifo $WORK/wait
# One, which is not enough, and its copy, which executes nothing.
$WORK/kwforker -c 'read a <'$WORK'/wait; (read a <'$WORK'/wait; :) ; :' &
forker=$!
sleep 1
times 'Quorum gained for tracked process forker' 1 && echo "one was enough"
echo >$WORK/wait
until_ok "a copy counts" 50 times 'Quorum gained for tracked process forker' 1
chapter "too many"
mkfifo $WORK/never
$WORK/kwforker -c 'read a <'$WORK'/never; :' &
third=$!
$WORK/kwforker -c 'read a <'$WORK'/never; :' &
fourth=$!
until_ok "four are too many" 50 times 'Quorum lost for tracked process forker' 1
kill $fourth
until_ok "three are not" 50 times 'Quorum gained for tracked process forker' 2
kill $third
chapter "exit"
echo >$WORK/wait
until_ok "the copy that ended does not count" 50 times 'Quorum lost for tracked process forker' 2
kill $sleeper
until_ok "the sleeper is missed" 50 times 'Entering FAULT STATE' 2
chapter "name"
# A process may call itself otherwise.
cat >$WORK/named.py <<'P'
import os, sys, threading, time
open("/proc/self/comm", "w").write("kwsleeper")
work = sys.argv[1]
while not os.path.exists(work + "/threads"):
    time.sleep(0.05)
for n in range(50):
    threading.Thread(target=lambda: None).start()
os.close(os.open(work + "/ended", os.O_CREAT))
while not os.path.exists(work + "/execute"):
    time.sleep(0.05)
threading.Thread(target=lambda: os.execv(work + "/kwsleeper", ["kwsleeper", "1000"])).start()
time.sleep(1000)
P
python3 $WORK/named.py $WORK &
named=$!
until_ok "a name counts" 100 times 'Entering MASTER STATE' 2
chapter "threads"
# The end of a thread is the end of no process, and neither is the end of the first one when another executes a program.
touch $WORK/threads
until_ok "threads come and go" 100 test -e $WORK/ended
touch $WORK/execute
until_ok "a thread executes a program" 100 grep -q '^kwsleeper' /proc/$named/cmdline
sleep 1
times 'Quorum lost for tracked process sleeper' 3 && echo "a thread counted as a process"
chapter "buffer"
python3 "$SOCKETS" $daemon | grep 'netlink 11 '
sed -i 's/70000/90000/' $WORK/conf
kill -HUP $daemon
until_ok "another buffer" 50 sh -c "python3 $SOCKETS $daemon | grep 'netlink 11 180000'"
kill $named
kill -TERM $daemon
wait $daemon
chapter "log"
cat $log
