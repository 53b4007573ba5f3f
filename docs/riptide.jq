# For reading Riptide's maps: bpftool -j map dump pinned MAP | jq -L docs -r 'include "riptide"; …'   (docs/maps.md)

# The entries, with their fields by name.
def rows: .[].formatted;

def hex: [(. / 16 | floor), . % 16] | map("0123456789abcdef"[. : . + 1]) | add;

# Sixteen octets in network order. IPv4 stands in the last four of ::ffff:a.b.c.d.
def address:
  if .[0:12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]
  then .[12:16] | map(tostring) | join(".")
  else [range(0; 16; 2) as $i | ((.[$i] | hex) + (.[$i + 1] | hex)) | sub("^0{1,3}"; "")] | join(":")
  end;

# Of an element of `vips`: its address. Of a free place, and of one from which a VIP was removed, nothing comes.
def vip_address: .address | select(all(. == 0) or all(. == 255) | not) | address;

# Six octets.
def mac: map(hex) | join(":");

# A port in network order (be16), which bpftool prints as the machine reads it: little-endian.
def port: . % 256 * 256 + (. / 256 | floor);

def protocol: {"6": "tcp", "17": "udp"}["\(.)"] // "\(.)";
def flow_state: ["", "established", "closing", "udp", "beginning"][.];
def mode: ["", "dr", "nat", "snat", "tunnel"][.];
def server_state: ["", "online", "drain", "halt"][.];
def scheduler: ["", "wlc", "lc", "wrr", "rr", "sh", "maglev"][.];

# What a service's flags say, by the names of RIPTIDE_SERVICE_ in riptide_abi.h.
def service_flags: . as $flags
  | ["resets-orphans", "has-rules", "denies", "is-source", "persistent", "restricted", "translates"]
  | [to_entries[] | select($flags / pow(2; .key) % 2 | floor == 1) | .value] | join(",");
