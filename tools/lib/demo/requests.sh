# shellcheck shell=bash
# Requests that are counted, and what must hold of their answers.

requests=0
failures=()

# One fact that must hold; what does not is shown, and named again at the end.
expect() { # text command…
	local text=$1
	shift
	if "$@"; then
		good "$text"
	else
		bad "$text"
		failures+=("$chapter: $text")
	fi
}

chapter=''
begin_chapter() { # title text…
	chapter=$1
	heading "$1"
	shift
	printf '  %s\n' "$@"
}

# A command as it could be typed on a host.
prompt() { printf '  %s%s$ %s%s\n' "$dim" "$1" "${*:2}" "$plain"; }

# Shows a command as run on a host, runs it there and shows what it says.
run_on() { # host command…
	local host=$1 status=0
	shift
	prompt "$host" "$(quoted "$@")"
	on "$host" "$@" 2>&1 | indent || status=$?
	((status == 0)) || failures+=("$chapter: '$*' on $host ended with status $status")
}

# Shows and runs `riptide …`, at most so many lines of what it says.
run_riptide() { # lines arguments…
	local lines=$1 output status=0
	shift
	prompt balancer riptide "$(quoted "$@")"
	output=$("$RIPTIDE" "$@" 2>&1) || status=$?
	head -n "$lines" <<<"$output" | indent
	((status == 0)) || failures+=("$chapter: riptide $* ended with status $status")
}

quoted() {
	local word
	for word in "$@"; do
		if [[ $word =~ ^[A-Za-z0-9_./:=,%@+-]+$ ]]; then printf '%s ' "$word"; else printf "'%s' " "$word"; fi
	done | sed 's/ $//'
}

url() { # address [port]
	local host=$1
	[[ $host != *:* ]] || host="[$host]"
	printf 'http://%s%s/\n' "$host" "${2:+:$2}"
}

# COUNT requests, a connection each; a line "exit-status http-status server seconds" for each goes to FILE.
send_requests() { # host address count file
	local host=$1 count=$3 file=$4
	on "$host" curl -s --max-time 10 -H 'Connection: close' -o /dev/null \
		-w '%{exitcode} %{http_code} %header{x-server} %{time_total}\n' "$(url "$2")?[1-$count]" >>"$file" || true
}

count_requests() { # count file
	requests=$((requests + $1))
	failed=$(($1 - $(awk '$1 == 0 && $2 == 200' "$2" | wc -l)))
	expect "$1 requests, $failed failed" test "$failed" -eq 0
}

answers_of() { # server file
	awk -v server="$1" '$3 == server' "$2" | wc -l
}

# Asks a service for the name of the server that answers, from one address of a client.
ask() { # host source address port/protocol
	local host=$1 source=$2 address=$3 port=${4%/*}
	requests=$((requests + 1))
	if [[ $4 == */tcp ]]; then
		on "$host" curl -s --max-time 5 --interface "$source" "$(url "$address" "$port")" || echo nobody
	else
		on "$host" perl "$repository/tools/lib/udp.pl" ask "$address" "$port" "$source" 2>/dev/null || echo nobody
	fi
}

# Starts numbered UDP packets in the background; finish_probe waits for their end.
start_probe() { # address source rate seconds
	start_on probe client1 perl "$repository/tools/lib/udp.pl" probe "$1" 50000 "$2" "$3" "$4"
}

# Sets probe_sent, probe_answered, probe_gap (milliseconds) and probe_servers.
finish_probe() {
	await_process probe
	read -r _ probe_sent _ probe_answered _ probe_gap _ probe_servers < <(tail -n 1 "$lab_folder/probe.log") ||
		die "the UDP probe did not report; see $lab_folder/probe.log"
	requests=$((requests + probe_sent))
}

bar() { # share-in-tenths-of-a-percent
	local cells=$(($1 * 40 / 500)) i
	for ((i = 0; i < cells; i++)); do printf '█'; done
	printf '%*s' $((40 - (cells < 40 ? cells : 40))) ''
}

tenths() { printf '%d.%d %%' $(($1 / 10)) $(($1 % 10)); }

# A bar for each server, the share that its weight wants beside the share that it had.
draw_spread() { # file
	local all=0 weights=0 i count share wanted weight
	for weight in "${web_weights[@]}"; do weights=$((weights + weight)); done
	all=$(wc -l <"$1")
	((all > 0)) || return 0
	for i in "${!lab_servers[@]}"; do
		count=$(answers_of "${lab_servers[i]}" "$1")
		share=$(((count * 2000 + all) / (2 * all)))
		wanted=$(((web_weights[i] * 2000 + weights) / (2 * weights)))
		printf '    %-8s weight %3d  %s%s%s %7s  (wanted %s)\n' "${lab_servers[i]}" "${web_weights[i]}" \
			"$blue" "$(bar "$share")" "$plain" "$(tenths "$share")" "$(tenths "$wanted")"
		spread_error=$((share > wanted ? share - wanted : wanted - share))
		((spread_error <= worst_spread)) || worst_spread=$spread_error
	done
}
