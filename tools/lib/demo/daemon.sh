# shellcheck shell=bash
# riptided in the balancer's namespace, with a configuration of its own.

web_weights=(100 200 300)

write_configuration() {
	{
		cat <<-END
			version: 1
			node:
			  name: lab-$lab
			interfaces:
			  - name: eth0
			    xdp: auto
			datapath: { flows: 4096 }
			services:
		END
		service_configuration web "$web_vip" 80 tcp wrr off lab_address "${web_weights[@]}"
		service_configuration web6 "$web_vip6" 80 tcp wrr off lab_address6 "${web_weights[@]}"
		service_configuration media "$media_vip" 554,1935,50000-65535 tcp/udp wlc "{ prefix: 32, timeout: 5m }" lab_address
		service_configuration media6 "$media_vip6" 554,1935,50000-65535 tcp/udp wlc "{ prefix: 128, timeout: 5m }" lab_address6
	} >"$lab_configuration"
}

service_configuration() { # name address ports protocol scheduler persistence address-function [weights…]
	local name=$1 address=$2 ports=$3 protocol=$4 scheduler=$5 persistence=$6 of=$7 host
	shift 7
	cat <<-END
		  - name: $name
		    mode: dr
		    address: "$address"
		    ports: $ports
		    protocol: $protocol
		    scheduler: $scheduler
		    persistence: $persistence
		    servers:
	END
	for host in "${lab_servers[@]}"; do
		printf '      - { name: %s, address: "%s", weight: %d }\n' "$host" "$("$of" "$host")" "${1:-100}"
		(($# == 0)) || shift
	done
}

# Starts the daemon and waits until every real server can be reached. Sets daemon_start_time, in milliseconds.
start_daemon() {
	export RIPTIDE_SOCKET=$lab_socket
	local began
	began=$(milliseconds)
	start_on riptided balancer "$RIPTIDED" --config "$lab_configuration" --socket "$lab_socket" \
		--state-directory "$lab_state_directory" --bpffs "$lab_bpffs"
	if ! wait_until 20 daemon_settled || ! lab_process riptided >/dev/null; then
		warn "the last lines of its log:"
		tail -n 20 "$lab_log" | indent >&2
		"$RIPTIDE" status 2>&1 | indent >&2 || true
		die "riptided does not become ready"
	fi
	daemon_start_time=$(($(milliseconds) - began))
}

# Either it is ready, or it has ended and waiting is of no use.
daemon_settled() {
	daemon_ready || ! lab_process riptided >/dev/null
}

daemon_ready() {
	"$RIPTIDE" --format json status 2>/dev/null |
		jq -e '[.services[].servers[].colour] | length > 0 and all(. == "green")' >/dev/null 2>&1
}

# Where a map is pinned: below the folder is one for the version of the maps' layout.
pinned_map() { # name
	find "$lab_bpffs" -name "$1" -print -quit
}
