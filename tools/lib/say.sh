# shellcheck shell=bash
# What the tools say: headings, results, progress. Colours only where a terminal reads them.

say_colours() { # auto|never
	bold='' dim='' red='' green='' yellow='' blue='' plain=''
	if [[ $1 == auto && -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
		bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' blue=$'\e[36m' plain=$'\e[0m'
	fi
}
say_colours auto

say() { printf '%s\n' "$*"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }
good() { printf '  %s✓%s %s\n' "$green" "$plain" "$*"; }
bad() { printf '  %s✗ %s%s\n' "$red" "$*" "$plain"; }
warn() { printf '%s%s%s\n' "$yellow" "$*" "$plain" >&2; }

# Ends the tool with one clear sentence.
die() {
	printf '%s%s: %s%s\n' "$red" "${tool:-riptide}" "$*" "$plain" >&2
	exit 1
}

heading() { printf '\n%s%s%s\n' "$bold$blue" "$*" "$plain"; }

indent() { sed 's/^/    /'; }

elapsed() { # seconds
	if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi
}

# Reads lines and shows the newest beside LABEL and the time it has taken: one line that is rewritten on a terminal, a line
# every ten seconds elsewhere.
follow_progress() { # label
	local label=$1 line newest='' began=$SECONDS shown=$SECONDS width status
	width=$(tput cols 2>/dev/null || echo 80)
	[[ -t 1 ]] || say "$label …"
	while true; do
		status=0
		IFS= read -r -t 1 line || status=$?
		if ((status == 0)); then newest=$line; elif ((status <= 128)); then break; fi
		if [[ -t 1 ]]; then
			line="$label  $(elapsed $((SECONDS - began)))  $newest"
			printf '\r\e[K%s' "${line:0:width-1}"
		elif ((SECONDS - shown >= 10)); then
			shown=$SECONDS
			say "  $(elapsed $((SECONDS - began)))  $newest"
		fi
	done
	if [[ -t 1 ]]; then printf '\r\e[K'; fi
}
