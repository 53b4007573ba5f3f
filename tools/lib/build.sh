# shellcheck shell=bash
# Builds the package in release mode, in .build, so that demo, tests and benchmarks share one build.

# Sets RIPTIDE_BUILD_DIR, RIPTIDED and RIPTIDE. With RIPTIDE_PREBUILT=DIR nothing is built and the programs there are used.
build_riptide() { # [swift build arguments…]
	if [[ -n ${RIPTIDE_PREBUILT:-} ]]; then
		use_programs "$RIPTIDE_PREBUILT"
		return
	fi
	local began=$SECONDS log=$repository/.build/riptide-tools.log status=0
	mkdir -p "$repository/.build"
	# In a group of its own, so that an interrupt ends the compilers too.
	setsid swift build --package-path "$repository" -c release "$@" >"$log" 2>&1 </dev/null &
	build_group=$!
	tail -n +1 -f --pid="$build_group" -s 0.3 "$log" | follow_progress "Building (the first time takes minutes)" &
	local progress=$!
	wait "$build_group" || status=$?
	build_group=''
	wait "$progress" || true
	if ((status != 0)); then
		grep -E '(error|fatal error):' "$log" | awk '!seen[$0]++' | head -n 40 >&2 || true
		grep -qE '(error|fatal error):' "$log" || tail -n 30 "$log" >&2
		die "the build failed after $(elapsed $((SECONDS - began))); all of its output: $log"
	fi
	good "built in $(elapsed $((SECONDS - began)))"
	use_programs "$(swift build --package-path "$repository" -c release --show-bin-path)"
}

use_programs() { # folder
	export RIPTIDE_BUILD_DIR=$1 RIPTIDED=$1/riptided RIPTIDE=$1/riptide
	[[ -x $RIPTIDED && -x $RIPTIDE ]] || die "no riptided and riptide in $1"
}

# For the traps of the tools that build.
interrupt_build() {
	[[ -z ${build_group:-} ]] || kill -TERM -- "-$build_group" 2>/dev/null || true
}
