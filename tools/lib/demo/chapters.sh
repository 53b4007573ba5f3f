# shellcheck shell=bash
# What Riptide does while all is well.

show_spread() {
	local address file
	begin_chapter "1  Requests, over IPv4 and IPv6" \
		"Each request is a connection of its own. wrr gives the servers turns by weight 100, 200 and 300."
	run_on client1 curl -s "$(url "$web_vip")"
	run_on client2 curl -s "$(url "$web_vip6")"
	requests=$((requests + 2))
	worst_spread=0
	for address in "$web_vip" "$web_vip6"; do
		file=$lab_folder/spread-$address
		note "  client1 and client2, 750 times each: curl -s '$(url "$address")'"
		send_requests client1 "$address" 750 "$file"
		send_requests client2 "$address" 750 "$file"
		draw_spread "$file"
		count_requests 1500 "$file"
	done
	expect "every share is within 1 % of what its weight wants" test "$worst_spread" -le 10
}

show_persistence() {
	local host source port server first same=yes row media_ports=(554/tcp 50000/udp 50007/udp 65535/udp 65535/tcp)
	begin_chapter "2  Persistence: one client, one server" \
		"The service takes 554, 1935 and 50000-65535, TCP and UDP. RTSP control and its media must meet at one server."
	printf '    %-14s' client
	printf '%-11s' "${media_ports[@]}"
	printf '\n'
	declare -gA server_of=()
	while read -r host source; do
		row='' first=''
		for port in "${media_ports[@]}"; do
			server=$(ask "$host" "$source" "$media_vip" "$port")
			: "${first:=$server}"
			[[ $server == "$first" && $server == server* ]] || same=''
			printf -v row '%s%-11s' "$row" "$server"
		done
		server_of[$source]=$first
		printf '    %-14s%s\n' "$source" "$row"
	done < <(
		echo "client1 $(lab_address client1)"
		client_addresses client1 | head -n 3 | sed 's/^/client1 /'
		client_addresses client2 | head -n 2 | sed 's/^/client2 /'
	)
	expect "each client met one server on all ports, by TCP and by UDP" test -n "$same"
	run_riptide 8 persistence list --service media
	server=$(ask client1 "$(lab_address6 client1)" "$media_vip6" 554/tcp)
	expect "over IPv6 too: 554/tcp and 65535/udp at $server" \
		test "$server" = "$(ask client1 "$(lab_address6 client1)" "$media_vip6" 65535/udp)"
}

show_drain() {
	local server file=$lab_folder/drained began
	begin_chapter "3  Drain: a server leaves without cutting anyone off" \
		"A download of $((download_bytes / 1048576)) MiB, at 512 KiB/s, runs while its server is drained."
	prompt client1 "curl -o file http://$web_vip/download &"
	began=$(milliseconds)
	start_on download client1 curl -s --max-time 30 -D "$lab_folder/headers" -o "$lab_folder/downloaded" "http://$web_vip/download"
	requests=$((requests + 1))
	if ! wait_until 5 grep -qis '^x-server:' "$lab_folder/headers"; then
		failures+=("$chapter: the download did not begin")
		bad "the download did not begin"
		return
	fi
	server=$(sed -nE 's/^x-server: *([a-z0-9]+).*/\1/Ip' "$lab_folder/headers")
	good "the download comes from $server"
	run_riptide 3 server drain web "$server"
	send_requests client2 "$web_vip" 300 "$file"
	expect "$server got $(answers_of "$server" "$file") of the next 300 requests" test "$(answers_of "$server" "$file")" -eq 0
	count_requests 300 "$file"
	await_process download
	expect "the download ended after $(($(milliseconds) - began)) ms, complete and unharmed" \
		cmp -s "$lab_folder/download" "$lab_folder/downloaded"
	run_riptide 3 server online web "$server"
	: >"$file"
	send_requests client2 "$web_vip" 300 "$file"
	expect "$server is back and took $(answers_of "$server" "$file") of 300" test "$(answers_of "$server" "$file")" -gt 0
	count_requests 300 "$file"
}

show_tables() {
	local flows
	begin_chapter "5  What the balancer knows" "All of it lies in the kernel's maps; the daemon only reads it."
	run_riptide 40 status
	run_riptide 8 flows --service media --client "$(lab_address client1)"
	run_riptide 30 counters
	flows=$(pinned_map flows)
	prompt balancer "bpftool -j map dump pinned $flows | jq 'first(.[].formatted | select(.value.state > 0))'"
	bpftool -j map dump pinned "$flows" 2>"$lab_folder/bpftool.log" |
		jq '[.[] | select(.formatted.value.state > 0)]' >"$lab_folder/flows.json" || echo '[]' >"$lab_folder/flows.json"
	jq -r '.[0].formatted // {} | to_entries[] | "\(.key)  \(.value | tojson)"' "$lab_folder/flows.json" |
		sed 's/"//g; s/,\([a-z]\)/, \1/g' | fold -s -w 110 | indent
	expect "the flow table holds $(jq length "$lab_folder/flows.json") flows, and bpftool names their fields" flow_fields_are_named
}

flow_fields_are_named() {
	[[ $(jq '.[0].formatted.value.server > 0' "$lab_folder/flows.json") == true ]]
}

show_summary() {
	heading "Summary"
	say "  $requests requests and UDP packets; failures: ${#failures[@]}; $(elapsed "$SECONDS") in all"
	if ((${#failures[@]})); then
		printf "  $red✗ %s$plain\n" "${failures[@]}"
		exit 1
	fi
	good "everything that had to hold did"
}
