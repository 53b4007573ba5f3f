# The result of ./tools/bench ipvs as a table.
def left($width): . + " " * ([$width - length, 0] | max);
def right($width): " " * ([$width - length, 0] | max) + .;
def whole: if . == null then "-" else round | tostring end;
def two: if . == null then "-" else
	. * 100 | round | tostring | ("00" + .)[-([length, 3] | max):] | .[:-2] + "." + .[-2:] end;
def named:
	{established: "established", new: "new connection", syn: "  its SYN", "first-ack": "  the ACK that follows"}[.];
"Instructions for a packet, net of \(.dropped_by_xdp | round) that it takes to make, receive and drop it; Linux \(.kernel)",
"                                     IPVS   Riptide   ratio   limit",
(.rows[] | "  \(.mode | left(8))\(.case | named | left(22))\(.ipvs | whole | right(9))\(.riptide | whole | right(10))"
	+ "\(.ratio | two | right(8))\(if .limit then .limit | two else "" end | right(8))"
	+ (if .refused and .case == "established" then "   \(.refused)" elif .kept == false then "   NOT kept" else "" end)),
"",
"The middle rounds differ by \(.spread_percent) % at most. For the kernel alone to receive a packet that is not for it, and drop it, takes"
	+ " \(.dropped_by_the_kernel - .dropped_by_xdp | round).",
"Limits: \(if .kept then "kept" else "NOT kept" end)"
