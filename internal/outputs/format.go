package outputs

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A Format makes the body that a destination gets of a notice.
type Format func(Notice) ([]byte, error)

// Notice is a CloudEvent of the bus.
type Notice struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Source  string          `json:"source"`
	Subject string          `json:"subject"`
	Time    time.Time       `json:"time"`
	Data    json.RawMessage `json:"data"`

	whole []byte
}

// CloudEvents passes the notice on as it is.
func CloudEvents(n Notice) ([]byte, error) { return n.whole, nil }

// message is what the output sends for a message of the bus; keep is false where its
// rule is not among those that are forwarded.
func (o *Output) message(m jetstream.Msg) (out Message, keep bool, err error) {
	n := Notice{whole: m.Data()}
	if err := json.Unmarshal(n.whole, &n); err != nil {
		return out, false, fmt.Errorf("no CloudEvent: %w", err)
	}
	if len(o.c.Rules) > 0 {
		var of struct {
			Rule string `json:"rule"`
		}
		if err := json.Unmarshal(n.Data, &of); err != nil {
			return out, false, fmt.Errorf("the data of %s: %w", n.ID, err)
		}
		if !slices.Contains(o.c.Rules, of.Rule) {
			return out, false, nil
		}
	}
	body, err := o.c.Format(n)
	if err != nil {
		return out, false, fmt.Errorf("notice %s: %w", n.ID, err)
	}
	return Message{ID: n.ID, Time: n.Time, Body: body}, true, nil
}
