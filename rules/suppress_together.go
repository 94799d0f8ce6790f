package rules

import (
	"context"
	"errors"
	"slices"

	"edrpipe/pkg/shares"
)

// The keys of suppression are made of what events say, so an endpoint can make up any
// number. A key for which the endpoint's share has no room is not remembered by itself.
// All such keys of a rule and an endpoint count as one: the first may act, the others are
// suppressed as long as the rule says. No job acts twice for one key, and other endpoints
// do not notice.

// decideTogether answers the questions about a key that has no room, by the record of all
// such keys of its owner.
func (s *Suppressor) decideTogether(ctx context.Context, k *keyed, full *shares.Full, asks []Ask, answers []Answer) error {
	all := *k
	all.record = crowd("suppress", k.record.Owner)
	err := s.claim(ctx, &all, asks, answers)
	var none *shares.Full
	for _, i := range k.asks {
		if errors.As(err, &none) {
			answers[i].Suppression = Suppression{Suppressed: true}
		}
		answers[i].Full = full
	}
	if none != nil {
		return nil
	}
	return err
}

// byOwner splits the questions by the owner of the record that each would make.
func (k *keyed) byOwner(asks []Ask) (all []*keyed) {
	for _, i := range k.asks {
		owner := ownerOf(shares.Suppression, asks[i].Match.Rule.ID, asks[i].Match.Event)
		at := slices.IndexFunc(all, func(of *keyed) bool { return of.record.Owner == owner })
		if at < 0 {
			of := *k
			of.record.Owner, of.asks = owner, nil
			at, all = len(all), append(all, &of)
		}
		all[at].asks = append(all[at].asks, i)
	}
	return all
}
