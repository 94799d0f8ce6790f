package intake

import "edrpipe/rules"

// otherServer is the reason why a match on an event of a server that is not configured
// makes no job: its endpoint is none of ours, whatever its id and host name are.
const otherServer = "other_server"

// ours splits the matches of a message into those on events of configured servers and
// candidates that are refused. The latter feed no correlation.
func (in *Intake) ours(f *finding) (ours []rules.Match, refused []*candidate) {
	for i := range f.found.Matches {
		m := &f.found.Matches[i]
		if _, err := in.Fleet.Of(m.Event); err != nil {
			in.Metrics.Matches.WithLabelValues(m.Rule.ID).Inc()
			in.Rules.matched(m.Rule.ID, in.Now())
			refused = append(refused, &candidate{set: f.set, match: m, reason: otherServer, detail: err.Error()})
			continue
		}
		ours = append(ours, *m)
	}
	return ours, refused
}
