# shellcheck shell=bash
# The lab's wires: six hosts on one switch, which is a namespace of its own, so that the machine's own network stays as it is.
#
#   client1  10.77.0.201 fd77::201  (and .210-.229 fd77::210-::229)   ┐
#   client2  10.77.0.202 fd77::202  (and .230-.249 fd77::230-::249)   │
#   balancer 10.77.0.2   fd77::2                                      ├ switch
#   server1  10.77.0.11  fd77::11   ┐ VIPs on lo,                     │
#   server2  10.77.0.12  fd77::12   ├ silent to ARP for them          │
#   server3  10.77.0.13  fd77::13   ┘                                 ┘
#
# A host with the address 10.77.0.N has the MAC 02:77:00:00:00:N, its digits written as they are (11 is :11, 201 is 02:01).

lab_hosts=(client1 client2 balancer server1 server2 server3 switch)
lab_servers=(server1 server2 server3)
declare -A lab_number=([client1]=201 [client2]=202 [balancer]=2 [server1]=11 [server2]=12 [server3]=13)
web_vip=10.77.0.100 web_vip6=fd77::100
media_vip=10.77.0.101 media_vip6=fd77::101
lab_vips=("$web_vip" "$media_vip")
lab_vips6=("$web_vip6" "$media_vip6")

lab_address() { printf '10.77.0.%d\n' "${lab_number[$1]}"; }
lab_address6() { printf 'fd77::%d\n' "${lab_number[$1]}"; }

lab_mac() { # host
	local digits
	printf -v digits '%04d' "${lab_number[$1]}"
	printf '02:77:00:00:%s:%s\n' "${digits:0:2}" "${digits:2:2}"
}

# The addresses beside its own that a client can send from, to be many clients.
client_addresses() { # host
	local first=210
	[[ $1 != client2 ]] || first=230
	seq -f '10.77.0.%.0f' "$first" $((first + 19))
}

create_network() {
	local host
	for host in "${lab_hosts[@]}"; do
		ip netns add "$(lab_namespace "$host")" || die "cannot make the network namespace of $host"
		set_host_switches "$host"
	done
	ip -n "$(lab_namespace switch)" -batch - <<-'END'
		link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
		link set br0 up
	END
	for host in "${!lab_number[@]}"; do
		connect_host "$host"
	done
	accept_transmitted_frames balancer
	for host in "${lab_servers[@]}"; do
		solve_arp_problem "$host"
	done
	for host in "${!lab_number[@]}"; do
		wait_until 10 link_is_up "$host" || die "the link of $host does not come up"
	done
}

# Duplicate address detection would keep IPv6 addresses unusable for the first seconds.
set_host_switches() { # host
	local off=1
	[[ $1 == switch ]] || off=0
	on "$1" sysctl -qw net.ipv6.conf.{all,default}.{accept_dad=0,dad_transmits=0,accept_ra=0} \
		net.ipv6.conf.{all,default}.disable_ipv6=$off
	ip -n "$(lab_namespace "$1")" link set lo up
}

connect_host() { # host
	local host=$1 here switch
	here=$(lab_namespace "$host")
	switch=$(lab_namespace switch)
	ip -n "$switch" link add "$host" type veth peer name eth0 netns "$here" address "$(lab_mac "$host")"
	# Real cards write the checksum into what they send; a veth passes it on unwritten, and XDP would forward it so. Off at the
	# switch's port, the checksum is written before the frame reaches the host.
	on switch ethtool -K "$host" tx off >/dev/null
	ip -n "$switch" link set "$host" master br0 up
	{
		printf 'address add %s/24 dev eth0\n' "$(lab_address "$host")"
		printf 'address add %s/64 dev eth0 nodad\n' "$(lab_address6 "$host")"
		if [[ $host == client* ]]; then
			client_addresses "$host" | while IFS=. read -r _ _ _ number; do
				printf 'address add 10.77.0.%d/24 dev eth0\naddress add fd77::%d/64 dev eth0 nodad\n' "$number" "$number"
			done
		fi
		printf 'link set eth0 up\n'
	} | ip -n "$here" -batch -
}

# What a host sends by XDP_TX out of its veth reaches the switch only if the switch's end runs an XDP program too, one that
# passes all. Measured on 6.18: `ethtool -K … gro on` there is not enough.
accept_transmitted_frames() { # host
	local object=$lab_folder/pass.o pin=$lab_bpffs-pass
	clang -target bpf -O2 -c "$repository/tools/lib/pass.bpf.c" -o "$object" || die "clang cannot compile for BPF"
	# By bpftool, since `ip link set … xdp` leaves folders of its own in /sys/fs/bpf. The pin is not needed once it is attached.
	if ! bpftool prog load "$object" "$pin" type xdp 2>"$lab_folder/bpftool.log" ||
		! on switch bpftool net attach xdpdrv pinned "$pin" dev "$1" 2>"$lab_folder/bpftool.log"; then
		die "the switch's port for $1 takes no XDP program: $(head -n 1 "$lab_folder/bpftool.log")"
	fi
	rm "$pin"
}

# A real server has the VIPs to accept their packets, but must leave ARP for them to the balancer. IPv6 needs no switch for
# this: neighbour solicitations are answered only for addresses of the interface that they come in by.
solve_arp_problem() { # host
	local vip
	on "$1" sysctl -qw net.ipv4.conf.{all,eth0}.{arp_ignore=1,arp_announce=2} net.ipv6.conf.eth0.ndisc_notify=1
	{
		for vip in "${lab_vips[@]}"; do printf 'address add %s/32 dev lo\n' "$vip"; done
		for vip in "${lab_vips6[@]}"; do printf 'address add %s/128 dev lo nodad\n' "$vip"; done
	} | ip -n "$(lab_namespace "$1")" -batch -
}

link_is_up() { # host
	[[ $(ip -n "$(lab_namespace "$1")" -j link show dev eth0 2>/dev/null) == *'"operstate":"UP"'* ]]
}
