#!/bin/dash
# The first and only program of the guest of ./tools/bench ipvs: makes a network, measures, tells by the console and ends.
#
#   c0 ── eth0 balancer eth1 ── s0
#
# Packets are made at c0 and counted at s0, both in the namespace "outside". Lines that begin with @ are figures:
# "@ BALANCER MODE CASE NANOSECONDS", or "@ BALANCER MODE refused WHY". Lines that begin with -- tell what is going on.

set -u
PATH=/bin
rounds=5 established_flows=1024 established_packets=20000 new_connections=8192
modes='dr nat tunnel'
server_numbers='11 12 13 14'

say() { echo "-- $*"; }

finish() { # status
	echo "@ end $1"
	poweroff -f
}

die() {
	say "$*"
	finish 1
}

must() { "$@" || die "this failed: $*"; }

outside() { nsenter --net=/run/netns/outside "$@"; }

packets() { outside /packets "$@"; }

mount_file_systems() {
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev
	mount -t bpf bpf /sys/fs/bpf
	mkdir -p /run/netns /sys/fs/bpf/packets
}

# With a table this large no two of the connections share a place, so that IPVS searches no lists.
load_modules() {
	must modprobe veth
	must modprobe ip_vs conn_tab_bits=20
	must modprobe ip_vs_wlc
}

link() { # device mac peer mac
	must ip link add "$1" address "$2" type veth peer name "$3" netns outside address "$4"
	must ip link set "$1" up
	must outside ip link set "$3" up
	# Packets between the two ends have their checksums written, as on real cards.
	ethtool -K "$1" tx off >/dev/null
	outside ethtool -K "$3" tx off >/dev/null
}

make_network() {
	local number
	must ip netns add outside
	local each
	for each in '' outside; do
		$each sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	done
	must ip link set lo up
	link eth0 02:00:00:00:00:01 c0 02:00:00:00:00:02
	link eth1 02:00:00:00:00:03 s0 02:00:00:00:00:04
	must ip address add 10.0.0.1/24 dev eth0
	must ip address add 10.0.1.1/24 dev eth1
	must ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent
	for number in $server_numbers; do
		must ip neighbour add 10.0.1."$number" lladdr 02:00:00:00:00:04 dev eth1 nud permanent
	done
	must ip route add 10.64.0.0/10 via 10.0.0.2
	must sysctl -qw net.ipv4.ip_forward=1
	must /packets load /packets.o
	must packets attach s0 sink
}

vip_of() { # mode
	case $1 in
	dr) echo 10.0.0.101 ;;
	nat) echo 10.0.0.102 ;;
	tunnel) echo 10.0.0.103 ;;
	esac
}

# The figure of one run of packets; the clients' numbers begin anew for each VIP.
measure() { # balancer mode case packets-arguments…
	local figure who="$1 $2 $3"
	shift 3
	figure=$(packets send "$@") || die "measuring $who failed"
	echo "@ $who $figure"
}

establish() { # vip
	packets send syn "$1" 0 $established_flows $established_flows 0 >/dev/null &&
		packets send ack "$1" 0 $established_flows $established_flows 0 >/dev/null
}

# Whether a server gets what it should in this mode.
forwards() { # balancer mode
	local seen vip
	vip=$(vip_of "$2")
	seen=$(establish "$vip" 2>&1 && /packets seen 2>&1)
	case "$2 $seen" in
	"dr $vip:80" | "nat 10.0.1.1"[1-4]":8080" | "tunnel 10.0.1.1"[1-4]" in $vip:80") return 0 ;;
	esac
	echo "@ $1 $2 refused what arrives is not right: $(echo "$seen" | tail -n 1)"
	return 1
}

measure_mode() { # balancer mode
	local round vip first
	vip=$(vip_of "$2")
	say "$1, $2"
	forwards "$1" "$2" || return 0
	for round in $(seq $rounds); do
		first=$((round * new_connections + established_flows))
		measure "$1" "$2" established ack "$vip" 0 $established_flows $established_packets
		measure "$1" "$2" syn syn "$vip" $first $new_connections $new_connections
		measure "$1" "$2" first-ack ack "$vip" $first $new_connections $new_connections
	done
}

# What takes no balancer: the packet is made, received, and dropped. By XDP; and by the kernel, which finds that it is not for
# this machine. The former is taken off all figures.
measure_without_balancer() {
	local round
	say "no balancer"
	must packets detach s0
	must /packets attach eth0 sink
	for round in $(seq $rounds); do measure none xdp drop ack 10.0.0.101 0 1 $established_packets; done
	must /packets detach eth0
	must /packets attach eth0 pass
	for round in $(seq $rounds); do measure none kernel drop ack nobody 0 1 $established_packets; done
	must /packets detach eth0
	must packets attach s0 sink
}

# A veth takes live frames only with XDP or GRO on. A program that passes all is the cheaper one for IPVS.
measure_ipvs() {
	local mode vip number
	must /packets attach eth0 pass
	for mode in $modes; do
		vip=$(vip_of "$mode")
		must ip address add "$vip"/32 dev eth0
		must ipvsadm -A -t "$vip:80" -s wlc
		for number in $server_numbers; do
			case $mode in
			dr) must ipvsadm -a -t "$vip:80" -r 10.0.1."$number" -g ;;
			nat) must ipvsadm -a -t "$vip:80" -r 10.0.1."$number":8080 -m ;;
			tunnel) must ipvsadm -a -t "$vip:80" -r 10.0.1."$number" -i ;;
			esac
		done
	done
	for mode in $modes; do measure_mode ipvs "$mode"; done
	ipvsadm -C
	for mode in $modes; do must ip address delete "$(vip_of "$mode")"/32 dev eth0; done
	must /packets detach eth0
}

write_configuration() { # mode…
	local mode number port
	cat <<-END
		version: 1
		node: { name: guest }
		interfaces: [{ name: eth0, xdp: native }, { name: eth1, xdp: native }]
		services:
	END
	for mode in "$@"; do
		port=''
		[ "$mode" != nat ] || port=', port: 8080'
		cat <<-END
			  - name: $mode
			    mode: $mode
			    address: $(vip_of "$mode")
			    ports: 80
			    scheduler: wlc
			    persistence: off
			    check: { type: none }
			    servers:
		END
		for number in $server_numbers; do echo "      - { name: s$number, address: 10.0.1.$number$port }"; done
	done
}

# Sets `able` to the modes that this build of Riptide takes.
find_modes() {
	local mode why
	able=''
	for mode in $modes; do
		write_configuration "$mode" >/tmp/riptide.yaml
		if why=$(riptide config check /tmp/riptide.yaml 2>&1); then
			able="$able $mode"
		else
			echo "@ riptide $mode refused $(echo "$why" | grep -m 1 "yaml:[0-9]" || echo "$why" | tail -n 1)"
		fi
	done
	[ -n "$able" ] || die "Riptide takes none of the modes"
}

start_riptide() {
	# shellcheck disable=SC2086 # one word for each mode
	write_configuration $able >/etc/riptide/riptide.yaml
	riptided >/tmp/riptided.log 2>&1 &
	daemon=$!
	for _ in $(seq 120); do
		riptide status >/dev/null 2>&1 && return 0
		kill -0 "$daemon" 2>/dev/null || break
		sleep 1
	done
	tail -n 40 /tmp/riptided.log
	die "riptided does not come up on $(uname -r)"
}

measure_riptide() {
	local mode
	find_modes
	say "riptided starts"
	start_riptide
	for mode in $able; do measure_mode riptide "$mode"; done
	kill "$daemon"
}

mount_file_systems
echo "@ kernel $(uname -r)"
say "Linux $(uname -r) has started"
load_modules
make_network
measure_without_balancer
measure_ipvs
measure_riptide
finish 0
