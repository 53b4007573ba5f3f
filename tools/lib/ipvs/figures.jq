# Makes the result of ./tools/bench ipvs of the guest's lines: medians of the rounds, net of what takes no balancer. The spread
# is that of the middle rounds: in the others the kernel did something else as well.

# How often IPVS must need what Riptide needs, at least. A new connection is its SYN and the ACK that follows.
{
	"dr established": 5, "nat established": 4.5, "tunnel established": 4.5,
	"dr new": 3.5
} as $limits
| [inputs | split(" ")] as $lines
| def median: sort | .[length / 2 | floor];
def tenth: . * 10 | round / 10;
def values($balancer; $mode; $case):
	[$lines[] | select(.[0:3] == [$balancer, $mode, $case]) | .[3] | tonumber];
def refusal($mode):
	[$lines[] | select(.[1:3] == [$mode, "refused"]) | .[0] + ": " + (.[3:] | join(" "))] | first;
(values("none"; "xdp"; "drop") | median) as $drop
| def net($balancer; $mode; $case):
	values($balancer; $mode; $case) | if length == 0 then null else (median - $drop | tenth) end;
def sum($balancer; $mode):
	[net($balancer; $mode; "syn"), net($balancer; $mode; "first-ack")] | if any(. == null) then null else add | tenth end;
def row($mode; $case; $ipvs; $riptide):
	{
		mode: $mode, case: $case, ipvs: $ipvs, riptide: $riptide,
		ratio: (if $ipvs and $riptide then $ipvs / $riptide * 100 | round / 100 else null end),
		limit: $limits["\($mode) \($case)"]
	}
	| .kept = (if .limit then .ratio != null and .ratio >= .limit else null end)
	| .refused = (if .ratio then null else refusal($mode) // "not measured" end);
[("dr", "nat", "tunnel") as $mode
	| row($mode; "established"; net("ipvs"; $mode; "established"); net("riptide"; $mode; "established")),
	row($mode; "new"; sum("ipvs"; $mode); sum("riptide"; $mode)),
	(("syn", "first-ack") as $case | row($mode; $case; net("ipvs"; $mode; $case); net("riptide"; $mode; $case)))
] as $rows
| [$lines | map(select(length == 4 and .[2] != "refused")) | group_by(.[0:3])[]
	| map(.[3] | tonumber) | (length / 4 | floor) as $outer
	| sort | .[$outer:length - $outer] | (max - min) / median * 100] as $spreads
| {
	kernel: [$lines[] | select(.[0] == "kernel")][0][1],
	unit: "instructions",
	dropped_by_xdp: $drop,
	dropped_by_the_kernel: (values("none"; "kernel"; "drop") | median),
	rows: $rows,
	spread_percent: ($spreads | max * 100 | round / 100),
	repeatable: ($spreads | max <= 1),
	kept: all($rows[]; .kept != false)
}
