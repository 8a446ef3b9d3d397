# Hosts on a bridge, and seeds with shorter times.
one=ec90a42b99ea9a2f5ecbe213ac9eba03
two=640205b7b0fc66c1ea91c463fac6334c
wire() { # namespace, bridge, its interface, address…
	local name=$1 bridge=$2 interface=$3 address
	shift 3
	ip netns add $name
	ip link add $name-w type veth peer name $interface netns $name
	ip link set $name-w master $bridge up
	ip -n $name link set lo up
	ip -n $name link set $interface up
	for address in "$@"; do ip -n $name addr add $address dev $interface; done
}
short() { # seed
	sed -e 's/delay_loop [0-9]*/delay_loop 1/' -e 's/delay_before_retry 2/delay_before_retry 1/' -e 's/retry 3/retry 1/' \
		-e "s/$one/$(echo one | md5sum | cut -c1-32)/" -e "s/$two/$(echo two | md5sum | cut -c1-32)/" "$SEEDS/$1"
}
