package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/pkg/lr"
)

// edrFlags name an EDR server on the command line. The token is never a flag's
// value: other users of the machine can read those.
type edrFlags struct {
	url       string
	tokenFile string
	ca        string
	pin       string
	insecure  bool
}

func (f *edrFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", os.Getenv("EDRPIPE_EDR_URL"), "EDR server, https://host[:port] (also $EDRPIPE_EDR_URL)")
	flags.StringVar(&f.tokenFile, "token-file", os.Getenv("EDRPIPE_EDR_TOKEN_FILE"), "file with the API token (instead of $EDRPIPE_EDR_TOKEN)")
	flags.StringVar(&f.ca, "ca", os.Getenv("EDRPIPE_EDR_CA"), "PEM file of the authorities to trust instead of the system's (also $EDRPIPE_EDR_CA)")
	flags.StringVar(&f.pin, "pin", "", "the server's certificate: PEM file, or its SHA-256 in hex")
	flags.BoolVar(&f.insecure, "insecure", false, "accept any certificate and plain http: the token can be read on the way")
}

// client returns a client of the server that the flags name.
func (f *edrFlags) client() (*lr.Client, error) {
	if f.url == "" {
		return nil, &usageError{errors.New("no EDR server: give --url or set EDRPIPE_EDR_URL")}
	}
	token, err := f.token()
	if err != nil {
		return nil, err
	}
	c := lr.Config{URL: f.url, Token: token, AllowPlain: f.insecure, TLS: lr.TLS{Pin: f.pin, InsecureSkipVerify: f.insecure}}
	if f.ca != "" {
		if c.TLS.CA, err = os.ReadFile(f.ca); err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
	}
	if pem, err := os.ReadFile(f.pin); err == nil {
		c.TLS.Pin = string(pem)
	}
	return lr.New(c)
}

func (f *edrFlags) token() (string, error) {
	if f.tokenFile == "" {
		if token := strings.TrimSpace(os.Getenv("EDRPIPE_EDR_TOKEN")); token != "" {
			return token, nil
		}
		return "", &usageError{errors.New("no API token: give --token-file or set EDRPIPE_EDR_TOKEN")}
	}
	b, err := os.ReadFile(f.tokenFile)
	if err != nil {
		return "", fmt.Errorf("API token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
