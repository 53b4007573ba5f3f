# shellcheck shell=bash
# What the machine must have: each lack is one sentence that says what to do.

build_packages=(
	libbpf-dev libelf-dev zlib1g-dev clang libnl-3-dev libnl-route-3-dev linux-libc-dev libc6-dev
	pkgconf # SwiftPM asks it where the libraries' .pc files are
	git ca-certificates
)
lab_packages=(clang bpftool iperf3 nginx-light curl iproute2 tcpdump jq ethtool nftables socat iputils-ping iputils-arping procps)

need_root() {
	((EUID == 0)) || die "this makes network namespaces and loads BPF, so it needs root: sudo ./tools/$tool"
}

need_linux() {
	[[ $(uname -s) == Linux ]] || die "this needs Linux 6.1 or newer; here is $(uname -s)"
	local major minor
	IFS=.- read -r major minor _ < <(uname -r)
	((major > 6 || (major == 6 && minor >= 1))) || die "the kernel is $(uname -r), and 6.1 or newer is needed"
	[[ -r /sys/kernel/btf/vmlinux ]] ||
		die "the kernel has no BTF (/sys/kernel/btf/vmlinux): use one built with CONFIG_DEBUG_INFO_BTF, as Debian's are"
}

# Sets PATH so that `swift` is found, also where sudo has cut PATH down.
need_swift() {
	local folder version home=''
	[[ -z ${SUDO_USER:-} ]] || home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
	if ! type -P swift >/dev/null; then
		for folder in /opt/swift/usr/bin /usr/local/swift/usr/bin ${home:+"$home/.local/share/swiftly/bin"}; do
			[[ ! -x $folder/swift ]] || { PATH=$folder:$PATH && break; }
		done
	fi
	type -P swift >/dev/null ||
		die "no Swift in PATH or /opt/swift: install 6.2 or newer from https://www.swift.org/install/linux/"
	version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' | head -n 1)
	[[ -n $version ]] || die "$(type -P swift) --version does not work: is the toolchain for this machine?"
	((${version%.*} > 6 || (${version%.*} == 6 && ${version#*.} >= 2))) ||
		die "Swift is $version ($(type -P swift)), and 6.2 or newer is needed"
}

package_installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Installs by apt what of the named packages is missing, and says so.
ensure_packages() { # name…
	local name missing=()
	type -P dpkg-query apt-get >/dev/null ||
		die "no apt-get here: install the counterparts of these Debian packages by hand: $*"
	for name in "$@"; do
		[[ " ${missing[*]} " == *" $name "* ]] || package_installed "$name" || missing+=("$name")
	done
	((${#missing[@]})) || return 0
	((EUID == 0)) || die "packages are missing; run: sudo apt-get install -y ${missing[*]}"
	say "Installing what is missing: ${missing[*]}"
	local log
	log=$(mktemp /tmp/riptide-apt.XXXXXX)
	apt_quietly "$log" "fetching the package lists" update ||
		warn "apt-get update failed (see $log); trying with the lists that are here"
	silence_new_services "${missing[@]}"
	if ! apt_quietly "$log" "installing" install -y --no-install-recommends "${missing[@]}"; then
		allow_new_services
		tail -n 15 "$log" >&2
		die "apt-get could not install them (all of it: $log); try: apt-get install ${missing[*]}"
	fi
	allow_new_services
	rm -f "$log"
	good "installed: ${missing[*]}"
}

# apt-get with its status as progress and everything else in the log.
apt_quietly() { # log label arguments…
	local log=$1 label=$2
	shift 2
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -o DPkg::Lock::Timeout=120 -o APT::Status-Fd=3 "$@" \
		3>&1 >>"$log" 2>&1 </dev/null | while IFS=: read -r _ _ percent what; do
		printf '%3d %%  %s\n' "${percent%%.*}" "$what"
	done | follow_progress "$label"
}

# Debian starts a newly installed nginx on port 80 and at every boot; the lab wants the program only.
silence_new_services() { # name…
	services_silenced='' policy_made=''
	[[ " $* " == *" nginx-light "* ]] || return 0
	services_silenced=yes
	[[ -e /usr/sbin/policy-rc.d ]] && return 0
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	policy_made=yes
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

allow_new_services() {
	[[ -n $services_silenced ]] || return 0
	if [[ -d /run/systemd/system ]]; then systemctl --quiet disable nginx.service 2>/dev/null || true; fi
	[[ -n $policy_made ]] || return 0
	rm -f /usr/sbin/policy-rc.d
	trap - EXIT
}

need_namespaces() {
	local name=riptide-probe-$$ why
	if ! why=$(ip netns add "$name" 2>&1 && ip -n "$name" link add v0 type veth peer name v1 2>&1); then
		ip netns delete "$name" 2>/dev/null || true
		die "network namespaces with veth cannot be made here (${why##*$'\n'}): run it on the machine itself, or in a container with --privileged"
	fi
	ip netns delete "$name"
}

need_bpf() {
	local pin why
	mountpoint -q /sys/fs/bpf || why=$(mount -t bpf bpf /sys/fs/bpf 2>&1) ||
		die "the BPF file system cannot be mounted on /sys/fs/bpf (${why##*$'\n'}): a privileged container or the machine itself is needed"
	pin=/sys/fs/bpf/riptide-probe-$$
	why=$(bpftool map create "$pin" type array key 4 value 4 entries 1 name probe 2>&1) ||
		die "the kernel refuses BPF here (${why##*$'\n'}): a privileged container or the machine itself is needed"
	rm -f "$pin"
}

# Everything that the demo and the tests need.
ensure_machine() {
	need_linux
	need_root
	need_swift
	ensure_packages "${build_packages[@]}" "${lab_packages[@]}"
	need_namespaces
	need_bpf
}
