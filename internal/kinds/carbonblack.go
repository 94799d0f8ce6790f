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

func init() {
	Register(Kind{
		Name: config.DefaultKind, Open: openCarbonBlack, Renew: renewCarbonBlack, Files: filesOfCarbonBlack,
		Powers: edr.PowersOf((*lr.Client)(nil), (*lr.Session)(nil)),
	})
}

// openCarbonBlack makes the client of a Carbon Black EDR server.
func openCarbonBlack(s config.Server, _ *Shared, log zerolog.Logger) (edr.Server, error) {
	keys, ok := s.Own.(*config.CarbonBlack)
	if !ok {
		return nil, fmt.Errorf("its keys are of type %T", s.Own)
	}
	if keys.URL == "" {
		return nil, errors.New("url is not set: name your EDR server, or try everything with `pipeline demo`")
	}
	token, certificates, err := accessOfCarbonBlack(keys)
	if err != nil {
		return nil, err
	}
	return lr.New(lr.Config{URL: keys.URL, Token: token, Name: s.Name, SessionLimit: s.Sessions, Log: log, TLS: certificates})
}

func renewCarbonBlack(s config.Server, server edr.Server) error {
	token, certificates, err := accessOfCarbonBlack(s.Own.(*config.CarbonBlack))
	if err != nil {
		return err
	}
	return server.(*lr.Client).Renew(token, certificates)
}

func filesOfCarbonBlack(s config.Server) []string {
	keys := s.Own.(*config.CarbonBlack)
	return []string{keys.Token, keys.CA}
}

func accessOfCarbonBlack(keys *config.CarbonBlack) (token string, certificates lr.TLS, err error) {
	certificates = lr.TLS{Pin: keys.Pin, InsecureSkipVerify: keys.Insecure}
	if token, err = Secret(keys.Token); err != nil {
		return "", certificates, fmt.Errorf("token_file: %w", err)
	}
	if keys.CA != "" {
		if certificates.CA, err = os.ReadFile(keys.CA); err != nil {
			return "", certificates, fmt.Errorf("ca: %w", err)
		}
	}
	return token, certificates, nil
}
