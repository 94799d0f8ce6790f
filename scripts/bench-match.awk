# Makes docs/performance-matching.md of the output of go test -bench.
/^cpu:/ { cpu = substr($0, 6) }
/^Benchmark/ {
	name = $1
	sub(/^Benchmark/, "", name)
	sub(/-[0-9]+$/, "", name)
	for (i = 3; i < NF; i += 2) m[name, $(i + 1)] = $i
	if (!(name in seen)) { seen[name] = 1; names[++n] = name }
}
function time(ns) {
	if (ns == "") return "–"
	if (ns >= 1e9) return sprintf("%.2f s", ns / 1e9)
	if (ns >= 1e6) return sprintf("%.2f ms", ns / 1e6)
	if (ns >= 1e3) return sprintf("%.2f µs", ns / 1e3)
	return sprintf("%.0f ns", ns)
}
function ratio(a, b) { return b > 0 ? a / b : 0 }
function row(what, value, target, ok) { printf "| %s | %s | %s | %s |\n", what, value, target, ok ? "met" : "**missed**" }
END {
	ns = "best-ns"
	print "# How fast matching is"
	print ""
	print "Written by `make bench-match`; do not edit. How the matcher works: package `rules/index`."
	print ""
	printf "%s; %s, %s cores, load %s at the end; %s, expr %s, nats-server %s.\n", date, cpu, cores, load, go, expr, nats
	print "Events and rules are made by `internal/workload`. Times are those of the fastest of many passes over the stream, in chunks of 64"
	print "events, since other work on the machine would decide a comparison of means (of the plain loop with 1,000 and more rules: the"
	print "mean). D is `encoding/json` decoding the same events into a map, measured likewise in the same run."
	if (load + 0 > cores / 2) {
		print ""
		print "**The machine was not idle.** Figures that are means suffer from it: those of the plain loop with 1,000 and more rules (its"
		print "ratio to the index is flattered), and loading. End to end suffers most: what runs beside each other on idle cores takes turns."
	}
	print ""
	print "| benchmark | time per event | D | events/s |"
	print "|---|---|---|---|"
	for (i = 1; i <= n; i++) {
		b = names[i]
		if (b ~ /^(Load|EndToEnd)/) continue
		d = m[b, "D"]
		printf "| `%s` | %s | %s | %.0f |\n", b, time(m[b, ns]), d == "" ? "–" : sprintf("%.2f", d), ratio(1e9, m[b, ns])
	}
	big = "rules=10000"
	print ""
	printf "End to end, `BenchmarkEndToEnd`: the service\047s source alone, settling each message, reads at %.2f of a bare consumer, with 10 rules\n", m["EndToEnd", "source-of-consume"]
	printf "at %.2f, each by its fastest turn; by the median turns %.2f and %.2f.\n", m["EndToEnd", "rules=10-of-consume"], m["EndToEnd", "source-of-consume-median"], m["EndToEnd", "rules=10-of-consume-median"]
	print ""
	print "| target | measured | wanted | |"
	print "|---|---|---|---|"
	r = ratio(m["MatchLoop/rules=1000", ns], m["Match/rules=1000", ns]); row("plain loop ÷ index, 1,000 rules", sprintf("%.0f ×", r), "≥ 50 ×", r >= 50)
	r = ratio(m["MatchLoop/" big, ns], m["Match/" big, ns]); row("plain loop ÷ index, 10,000 rules", sprintf("%.0f ×", r), "≥ 1,000 ×", r >= 1000)
	r = m["Match/" big, "D"]; row("match a decoded event, 10,000 rules", sprintf("%.2f D", r), "≤ 0.35 D", r <= 0.35)
	r = ratio(m["Decode/event", ns] + m["Match/" big, ns], m["Decode/event", ns]); row("decode and match ÷ decode only, 10,000 rules", sprintf("%.2f ×", r), "≤ 1.35 ×", r <= 1.35)
	r = m["Pipeline/" big, "D"]; row("message to matches, lazy, 10,000 rules", sprintf("%.2f D", r), "≤ 0.40 D", r <= 0.40)
	r = ratio(m["Decode/event", ns] + m["Match/" big, ns], m["Decode/event", ns] + m["Match/rules=10", ns]); row("growth from 10 to 10,000 rules, decoding all", sprintf("%.2f ×", r), "≤ 1.4 ×", r <= 1.4)
	r = ratio(m["Pipeline/" big, ns], m["Pipeline/rules=10", ns]); row("growth from 10 to 10,000 rules, lazy", sprintf("%.2f ×", r), "≤ 3.5 ×", r <= 3.5)
	r = m["Protobuf/kinds=unnamed", "events/s"]; row("sensor events of kinds that no rule names, one core", sprintf("%.0f/s", r), "≥ 1,000,000/s", r >= 1e6)
	r = m["Protobuf/rules=1000", "events/s"]; row("sensor events, 1,000 rules, one core", sprintf("%.0f/s", r), "≥ 200,000/s", r >= 2e5)
	r = m["Enrich/rules=1000", "ratio"]; row("message to matches with the facts of 100,000 endpoints ÷ without, 1,000 rules", sprintf("%.2f ×", r), "≤ 1.05 ×", r > 0 && r <= 1.05)
	r = m["Enrich/rules=1000+facts", "ratio"]; row("the same where a rule asks for a fact of each process that starts", sprintf("%.2f ×", r), "≤ 1.05 ×", r > 0 && r <= 1.05)
	r = m["EndToEnd", big "-of-consume"]; row(sprintf("end to end from a file stream, 10,000 rules (%.0f/s) ÷ a bare consumer without acknowledgements (%.0f/s), fastest turns; by the median turns %.2f", m["EndToEnd", big "-events/s"], m["EndToEnd", "consume-events/s"], m["EndToEnd", big "-of-consume-median"]), sprintf("%.2f", r), "≥ 0.60", r >= 0.60)
	r = m["Load/" big, "ns/op"] / 1e9; row("load 10,000 rules from files", sprintf("%.1f s", r), "≤ 2 s", r <= 2)
	r = m["Load/" big, "peak-MB"]; if (r != "") row("memory in use after loading them", sprintf("%.0f MB", r), "< 1 GiB", r < 1024)
}
