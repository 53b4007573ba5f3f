# shellcheck shell=bash
# Processes by number and start time: a number alone may by now belong to somebody else.

# When the process began, in clock ticks since boot; fails when there is none (a zombie counts as none).
process_start() { # pid
	local stat
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	stat=${stat##*) } # the name may hold anything, so count from behind it
	local -a fields
	read -ra fields <<<"$stat"
	[[ ${fields[0]} != Z ]] || return 1
	printf '%s\n' "${fields[19]}"
}

process_lives() { # pid start
	[[ $(process_start "$1") == "$2" ]]
}

# Polls until COMMAND succeeds; fails after SECONDS.
wait_until() { # seconds command…
	local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@"; do
		((${EPOCHREALTIME/[.,]/} < deadline)) || return 1
		read -rt 0.02 <> <(:) || true
	done
}

process_gone() { ! process_lives "$@"; }

# SIGTERM, then SIGKILL for one that does not heed it in five seconds.
end_process() { # pid start
	process_lives "$1" "$2" || return 0
	kill -TERM "$1" 2>/dev/null || return 0
	wait_until 5 process_gone "$1" "$2" || kill -KILL "$1" 2>/dev/null || true
	wait_until 2 process_gone "$1" "$2" || warn "process $1 does not end"
}

milliseconds() { printf '%d\n' $((${EPOCHREALTIME/[.,]/} / 1000)); }
