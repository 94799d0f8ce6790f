package buswatch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/rs/zerolog"
)

// monitors are the monitoring addresses of the bus's servers: a server knows of each
// stream whether it can write it.
type monitors struct {
	addresses []string
	copies    int // of each stream
	ours      []string
	client    *http.Client
	log       zerolog.Logger
}

// stuck says of which of our streams too few copies can be written, and why not.
func (m monitors) stuck(ctx context.Context) map[string]string {
	why, copies := map[string]string{}, map[string]int{}
	for _, address := range m.addresses {
		broken, err := m.ask(ctx, address)
		if err != nil {
			m.log.Debug().Err(err).Msg("a server of the bus does not tell how it is")
		}
		for stream, text := range broken {
			if copies[stream]++; copies[stream] > (m.copies-1)/2 {
				why[stream] = text
			}
		}
	}
	return why
}

// maxHealth is how much is read of what a server says about itself.
const maxHealth = 1 << 20

// ask asks a server which of our streams it cannot write.
func (m monitors) ask(ctx context.Context, address string) (map[string]string, error) {
	url := strings.TrimSuffix(address, "/") + "/healthz?details=true"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	var answer struct {
		Errors []struct{ Type, Stream, Error string }
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxHealth)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	broken := map[string]string{}
	for _, e := range answer.Errors {
		if e.Type == "STREAM" && slices.Contains(m.ours, e.Stream) {
			broken[e.Stream] = e.Error
		}
	}
	return broken, nil
}
