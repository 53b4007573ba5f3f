# shellcheck shell=bash
# Builds the package in release mode, in .build, so that demo, tests and benchmarks share one build.

# Sets RIPTIDE_BUILD_DIR, RIPTIDED and RIPTIDE. With RIPTIDE_PREBUILT=DIR nothing is built and the programs there are used.
build_riptide() { # programs|tests
	if [[ -n ${RIPTIDE_PREBUILT:-} ]]; then
		use_programs "$RIPTIDE_PREBUILT"
		return
	fi
	local what=()
	[[ $1 != tests ]] || what=(--build-tests)
	local began=$SECONDS log=$repository/.build/riptide-tools.log status=0
	mkdir -p "$repository/.build"
	: >"$log"
	# In a session of its own: this shell ends it, in its own way, when it is interrupted.
	setsid swift build --package-path "$repository" -c release "${what[@]}" >"$log" 2>&1 </dev/null &
	build_process=$!
	tail -n +1 -f --pid="$build_process" -s 0.3 "$log" | follow_progress "Building (the first time takes minutes)" &
	local progress=$!
	wait "$build_process" || status=$?
	build_process=''
	wait "$progress" || true
	if ((status != 0)); then
		grep -E '(error|fatal error):' "$log" | awk '!seen[$0]++' | head -n 40 >&2 || true
		grep -qE '(error|fatal error):' "$log" || tail -n 30 "$log" >&2
		die "the build failed after $(elapsed $((SECONDS - began))); all of its output: $log"
	fi
	good "built in $(elapsed $((SECONDS - began)))"
	use_programs "$(swift build --package-path "$repository" -c release --show-bin-path 2>/dev/null)"
}

use_programs() { # folder
	export RIPTIDE_BUILD_DIR=$1 RIPTIDED=$1/riptided RIPTIDE=$1/riptide
	[[ -x $RIPTIDED && -x $RIPTIDE ]] || die "no riptided and riptide in $1"
}

# For the traps of the tools that build. SwiftPM ends its compilers on SIGINT, and leaves them running on SIGTERM.
interrupt_build() {
	[[ -n ${build_process:-} ]] || return 0
	kill -INT "$build_process" 2>/dev/null || return 0
	wait "$build_process" 2>/dev/null || true
	build_process=''
}
