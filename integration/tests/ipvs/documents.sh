# The health-check case study of real-life documents (daemon/config/tests/seeds): a farm with pages, TLS and mail behind NAT,
# whose checkers compare digests. Its times are shortened, and the digests are those of the pages here.
. "$NETWORK"
PLAYS=$(dirname "$NETWORK")
. "$PLAYS/compare.sh"
. "$PLAYS/wire.sh"
# The health-check case study.
ip link add farm type bridge
ip link set farm up
ip addr add 192.168.100.1/24 dev farm
ip addr add 192.168.200.15/24 dev lan
ip -n client addr add 192.168.200.9/24 dev eth0
for n in 2 3 4 5 100; do
	wire f$n farm eth0 192.168.100.$n/24
	ip -n f$n route add default via 192.168.100.1
	mkdir -p $WORK/f$n/testurl $WORK/f$n/testurl2
	echo f$n >$WORK/f$n/index.html
done
echo one >$WORK/f2/testurl/test.jsp
echo two >$WORK/f2/testurl2/test.jsp
echo two >$WORK/f3/testurl/test.jsp
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=farm -days 9 -keyout $WORK/key -out $WORK/pem 2>/dev/null
cat $WORK/key >>$WORK/pem
python3 "$PLAYS/talk.py" pages $WORK $WORK/pem f2 f3 f100 >$WORK/pages 2>&1 &
pages=$!
for n in 4 5; do ip netns exec f$n busybox nc -lk -p 25 -e echo "220 f$n" & done 2>/dev/null
until_ok "the pages are there" grep -q serving $WORK/pages
case_study() {
	begin --check
	step start hasnt '192.168.100.3:443.*-w 9'
	[ $who = keepwatchd ] && { chapter "case study: served"; ask 3 http://192.168.200.15/index.html | cut -d' ' -f3; chapter "case study, failing"; }
	echo another >$WORK/f2/testurl2/test.jsp
	step 'another page' hasnt '200.15:80 -r 192.168.100.2'
	echo another >$WORK/f3/testurl/test.jsp
	step sorry has '200.15:80 -r 192.168.100.100:80'
	[ $who = keepwatchd ] && { chapter "case study: sorry"; ask 2 http://192.168.200.15/index.html; chapter "case study, the end"; }
	echo two >$WORK/f2/testurl2/test.jsp
	echo two >$WORK/f3/testurl/test.jsp
	step back has '200.15:80 -r 192.168.100.3'
	end
	step stop hasnt '200.15:80'
}
chapter "case study"
part="case study"
(short 004-healthcheck.conf) >$WORK/director.conf
for who in keepalived keepwatchd; do case_study; done
chapter "SSL_GET"
part=tls
{ short 004-ssl_get.conf | sed -e 's/retry 1/retry 0/'; } >$WORK/director.conf
for who in keepalived keepwatchd; do
	begin --check
	step start has '200.15:443 -r 192.168.100.3'
	echo another >$WORK/f3/testurl/test.jsp
	step 'another page' hasnt '200.15:443 -r 192.168.100.3'
	echo two >$WORK/f3/testurl/test.jsp
	step back has '200.15:443 -r 192.168.100.3'
	end
done
kill $pages
complaints
chapter "log"
cat $log
chapter "times"
cat $WORK/times
