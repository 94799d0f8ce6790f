package intake

import (
	"context"
	"errors"

	"edrpipe/pkg/seal"
	"edrpipe/rules"
)

// What correlation, suppression and limits answered to an event is remembered until the
// event is settled: a batch that comes again, after an error or a crash, has the same
// answers, whatever was decided in between.

// settled ends that memory for messages whose jobs are recorded. An error costs nothing
// but memory, which is bounded.
func (in *Intake) settled(ctx context.Context, asked []*candidate, back []error) {
	var suppressed []rules.Ask
	limited, made := map[*rules.Rule][]string{}, map[string][]string{}
	for _, a := range asked {
		if back[a.message] != nil {
			continue
		}
		if a.match.Correlated != nil {
			in.unsettled(a.match.Rule.ID, "a correlation", in.correlator.Settled(ctx, a.set, []rules.Match{*a.match}))
		}
		if a.asked && a.job != nil {
			suppressed = append(suppressed, a.ask())
		}
		if a.counted {
			limited[a.match.Rule] = append(limited[a.match.Rule], a.job.ID)
		}
		if a.ofEndpoint {
			endpoint := endpointOf(a.match.Event)
			made[endpoint] = append(made[endpoint], a.job.ID)
		}
	}
	if len(suppressed) > 0 {
		in.unsettled(suppressed[0].Match.Rule.ID, "suppression", in.suppressor.Settled(ctx, suppressed))
	}
	for rule, units := range limited {
		in.unsettled(rule.ID, "a limit", in.Guard.Settled(ctx, rule.ID, rule.Limits.Per, units))
	}
	for endpoint, ids := range made {
		in.unsettled("", "the jobs of endpoint "+endpoint, in.settleJobs(ctx, endpoint, ids))
	}
}

func (in *Intake) unsettled(rule, of string, err error) {
	if err != nil && !errors.Is(err, seal.ErrForeign) {
		in.Log.Warn().Err(err).Str("rule", rule).Msg("the answer of " + of + " stays remembered although its event is settled")
	}
}
