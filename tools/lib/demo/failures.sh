# shellcheck shell=bash
# What Riptide does when something changes or dies.

show_changed_mac() {
	local source server mac new file=$lab_folder/changed-mac
	source=$(lab_address client1)
	server=${server_of[$source]}
	[[ -n ${lab_number[$server]:-} ]] || server=server1
	mac=$(lab_mac "$server")
	new=${mac/#02:77:00/02:77:aa}
	begin_chapter "4  A real server's network card is replaced" \
		"$server changes its MAC from $mac to $new, while a UDP packet a millisecond and requests go on."
	start_probe "$media_vip" "$source" 1000 4
	wait_until 2 probe_answers "$source"
	run_on "$server" ip link set dev eth0 address "$new"
	run_on "$server" arping -q -U -c 1 -I eth0 "$(lab_address "$server")"
	send_requests client2 "$web_vip" 300 "$file"
	send_requests client2 "$web_vip6" 300 "$file"
	finish_probe
	count_requests 600 "$file"
	note "  the slowest of them took $(awk '$4 > most { most = $4 } END { printf "%d", most * 1000 }' "$file") ms"
	expect "$server was without answers for $probe_gap ms at most ($probe_answered of $probe_sent UDP packets answered)" \
		test "$probe_gap" -lt 1000 -a "$probe_servers" = "$server"
	run_riptide 12 server show web "$server"
	expect "the daemon uses the new MAC" wait_until 3 server_has_mac "$server" "$new"
}

probe_answers() { # source
	"$RIPTIDE" --format json flows --service media --client "$1" 2>/dev/null |
		jq -e 'any(.flows[]; .protocol == "udp" and .port == 50000 and .packets > 20)' >/dev/null 2>&1
}

server_has_mac() { # server mac
	[[ $("$RIPTIDE" --format json server show web "$1" 2>/dev/null | jq -r .mac) == "$2" ]]
}

show_killed_daemon() {
	local pid source server file=$lab_folder/killed
	source=$(lab_address client1)
	server=${server_of[$source]}
	pid=$(lab_process riptided) || die "riptided has ended by itself; see $lab_log"
	begin_chapter "6  The daemon is killed" \
		"Its program and tables stay in the kernel, so packets do not notice: 2000 UDP packets a second, and requests, go on."
	start_probe "$media_vip" "$source" 2000 5
	prompt balancer kill -9 "$pid"
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	send_requests client1 "$web_vip" 500 "$file"
	send_requests client2 "$web_vip6" 500 "$file"
	count_requests 1000 "$file"
	prompt balancer "riptided --config $lab_configuration --socket … --state-directory … --bpffs …"
	start_daemon
	good "it is back after $daemon_start_time ms and has taken the tables over"
	: >"$file"
	send_requests client1 "$web_vip" 500 "$file"
	send_requests client2 "$web_vip6" 500 "$file"
	count_requests 1000 "$file"
	finish_probe
	expect "$((probe_sent - probe_answered)) of $probe_sent UDP packets lost over kill and restart" test "$probe_sent" -eq "$probe_answered"
	expect "the client $source is still at $server" test "$(ask client1 "$source" "$media_vip" 554/tcp)" = "$server"
}
