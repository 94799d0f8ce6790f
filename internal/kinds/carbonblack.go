package kinds

import (
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/lr"
)

func init() { Register(Kind{Name: config.DefaultKind, Open: openCarbonBlack}) }

// openCarbonBlack makes the client of a Carbon Black EDR server.
func openCarbonBlack(s config.Server, _ *Shared, log zerolog.Logger) (edr.Server, error) {
	keys, ok := s.Own.(*config.CarbonBlack)
	if !ok {
		return nil, fmt.Errorf("its keys are of type %T", s.Own)
	}
	if keys.URL == "" {
		return nil, errors.New("url is not set: name your EDR server, or try everything with `pipeline demo`")
	}
	token, err := Secret(keys.Token)
	if err != nil {
		return nil, fmt.Errorf("token_file: %w", err)
	}
	c := lr.Config{URL: keys.URL, Token: token, Name: s.Name, SessionLimit: s.Sessions, Log: log, TLS: lr.TLS{Pin: keys.Pin, InsecureSkipVerify: keys.Insecure}}
	if keys.CA != "" {
		if c.TLS.CA, err = os.ReadFile(keys.CA); err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
	}
	return lr.New(c)
}
