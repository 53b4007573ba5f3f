# shellcheck shell=bash
# What the real servers serve: nginx on the TCP ports, udp.pl on the UDP ports, each answering with its name.

server_tcp_ports=(80 554 1935 50000 50001 50002 65535)
server_udp_ports=554,1935,50000-50010,65535
download_bytes=3145728

start_servers() {
	local host
	head -c "$download_bytes" /dev/urandom >"$lab_folder/download"
	chmod 644 "$lab_folder/download"
	for host in "${lab_servers[@]}"; do
		write_nginx_configuration "$host"
		start_on "nginx-$host" "$host" nginx -p "$lab_folder/$host/" -c nginx.conf -e error.log
		start_on "udp-$host" "$host" perl "$repository/tools/lib/udp.pl" serve "$host" \
			"$(lab_address "$host"),$(lab_address6 "$host"),$(printf '%s,' "${lab_vips[@]}" "${lab_vips6[@]}")" "$server_udp_ports"
	done
	for host in "${lab_servers[@]}"; do
		wait_until 10 server_answers "$host" || die "$host does not answer; see $lab_folder/nginx-$host.log and udp-$host.log"
	done
}

write_nginx_configuration() { # host
	local folder=$lab_folder/$1 port listens=''
	mkdir -m 755 "$folder"
	for port in "${server_tcp_ports[@]}"; do
		listens+="		listen $port; listen [::]:$port;"$'\n'
	done
	cat >"$folder/nginx.conf" <<-END
		daemon off;
		worker_processes 1;
		pid nginx.pid;
		error_log error.log;
		events { worker_connections 4096; }
		http {
			access_log off;
			client_max_body_size 0;
			client_body_temp_path tmp-body;
			proxy_temp_path tmp-proxy;
			fastcgi_temp_path tmp-fastcgi;
			uwsgi_temp_path tmp-uwsgi;
			scgi_temp_path tmp-scgi;
			add_header X-Server $1;
			default_type text/plain;
			server {
		$listens
				location / { return 200 "$1\n"; }
				# Slow at the server, so that the download really lasts and is not waiting in the client's buffer.
				location = /download { root $lab_folder; limit_rate 512k; }
			}
		}
	END
}

server_answers() { # host
	[[ $(on client1 curl -s --max-time 1 "http://$(lab_address "$1")/") == "$1" ]] &&
		[[ $(on client1 curl -s --max-time 1 "http://[$(lab_address6 "$1")]/") == "$1" ]] &&
		[[ $(on client1 perl "$repository/tools/lib/udp.pl" ask "$(lab_address "$1")" 65535 2>/dev/null) == "$1" ]]
}
