# shellcheck shell=bash
# A lab has a name, an owner, a folder of state, network namespaces named riptide-NAME-HOST and recorded processes.

lab_root=/tmp # folders are riptide-lab-NAME
lab_prefix=riptide

# Sets what belongs to the lab NAME.
# shellcheck disable=SC2034 # not every tool uses all of it
use_lab() { # name
	[[ $1 =~ ^[a-z0-9][a-z0-9-]{0,19}$ ]] || die "a lab's name is 1 to 20 of a-z, 0-9 and -, not '$1'"
	lab=$1
	lab_folder=$lab_root/riptide-lab-$1
	lab_bpffs=/sys/fs/bpf/riptide-$1
	lab_socket=$lab_folder/admin.sock
	lab_configuration=$lab_folder/riptide.yaml
	lab_state_directory=$lab_folder/state
	lab_log=$lab_folder/riptided.log
}

lab_namespace() { printf '%s-%s-%s\n' "$lab_prefix" "$lab" "$1"; }

# Runs a command in a host's network only: `ip netns exec` would hide /sys/fs/bpf behind a mount namespace.
on() { # host command…
	local host=$1
	shift
	nsenter --net="/run/netns/$(lab_namespace "$host")" -- "$@"
}

# The folder is made here and never taken over: /tmp is everybody's.
create_lab_folder() { # name owner-pid|kept
	use_lab "$1"
	mkdir -m 711 "$lab_folder" 2>/dev/null ||
		die "there is already a lab '$lab' ($lab_folder): end it with ./tools/lab down --name $lab"
	set_lab_owner "$2"
	mkdir -m 700 "$lab_state_directory" "$lab_folder/processes"
}

# A lab belongs to the process that made it, or is kept until somebody takes it down.
set_lab_owner() { # pid|kept
	if [[ $1 == kept ]]; then echo kept; else echo "$1 $(process_start "$1")"; fi >"$lab_folder/owner"
}

# kept, owned (its maker still runs) or orphaned.
lab_ownership() {
	local pid start=''
	read -r pid start <"$lab_folder/owner" 2>/dev/null || { echo orphaned && return; }
	if [[ $pid == kept ]]; then
		echo kept
	elif process_lives "$pid" "$start"; then
		echo owned
	else
		echo orphaned
	fi
}

# By their folders, and by the switch's namespace where a folder was lost.
lab_names() {
	local path
	for path in "$lab_root"/riptide-lab-*/; do
		[[ ! -O $path || ! -d ${path}processes ]] || basename "${path#"$lab_root"/riptide-lab-}"
	done
	for path in /run/netns/"$lab_prefix"-*-switch; do
		path=${path#/run/netns/"$lab_prefix"-}
		[[ $path == *'*'* || -d $lab_root/riptide-lab-${path%-switch} ]] || printf '%s\n' "${path%-switch}"
	done
}

# The lab that is meant when none is named: the only one.
only_lab() {
	local names
	mapfile -t names < <(lab_names)
	case ${#names[@]} in
	0) die "there is no lab: ./tools/lab up" ;;
	1) printf '%s\n' "${names[0]}" ;;
	*) die "there are several labs, name one with --name: ${names[*]}" ;;
	esac
}

record_process() { # role pid
	local start
	start=$(process_start "$2") || die "$1 ended at once; see $lab_folder/$1.log"
	echo "$2 $start" >"$lab_folder/processes/$1"
}

# The pid of a recorded process that lives.
lab_process() { # role
	local pid start
	read -r pid start 2>/dev/null <"$lab_folder/processes/$1" || return 1
	process_lives "$pid" "$start" && printf '%s\n' "$pid"
}

# Starts a command on a host in the background, its output in ROLE.log.
start_on() { # role host command…
	local role=$1 host=$2
	shift 2
	# Each step replaces the one before, so $! is the command's own pid. A session of its own keeps the terminal's signals off.
	exec setsid nsenter --net="/run/netns/$(lab_namespace "$host")" -- "$@" >>"$lab_folder/$role.log" 2>&1 </dev/null &
	record_process "$role" "$!"
}

exec_on() { # host command…
	local host=$1
	shift
	exec nsenter --net="/run/netns/$(lab_namespace "$host")" -- "$@"
}

# Waits for a process that this shell started.
await_process() { # role
	local pid
	read -r pid _ <"$lab_folder/processes/$1"
	wait "$pid" 2>/dev/null || true
	rm "$lab_folder/processes/$1"
}

end_lab_process() { # role
	local pid start
	read -r pid start 2>/dev/null <"$lab_folder/processes/$1" || return 0
	end_process "$pid" "$start"
	rm -f "$lab_folder/processes/$1"
}

# Removes all of the lab; what is not there is passed over.
remove_lab() {
	local file host
	for file in "$lab_folder"/processes/*; do
		[[ ! -e $file ]] || end_lab_process "$(basename "$file")"
	done
	rm -rf "$lab_bpffs" "$lab_bpffs-pass"
	for host in "${lab_hosts[@]}"; do
		[[ ! -e /run/netns/$(lab_namespace "$host") ]] || ip netns delete "$(lab_namespace "$host")" || true
	done
	rm -rf "$lab_folder"
}

# Clears away what interrupted runs left.
remove_orphaned_labs() {
	local name
	for name in $(lab_names); do
		use_lab "$name"
		[[ $(lab_ownership) != orphaned ]] || { remove_lab && note "removed the lab '$name' that an interrupted run had left"; }
	done
}
