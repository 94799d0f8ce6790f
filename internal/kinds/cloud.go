package kinds

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/pkg/cbc"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/cloudalerts"
	"edrpipe/pkg/liveresponse"
)

// CloudKind is the kind of Carbon Black Cloud: one organisation on one host.
const CloudKind = "carbonblack-cloud"

func init() {
	Register(Kind{
		Name: CloudKind, Idle: cbc.KeepIdle, Keys: func() config.KindKeys { return newCloud() },
		Open: openCloud, Renew: renewCloud, Files: filesOfCloud, Source: cloudSource,
		Powers: edr.PowersOf((*cbc.Client)(nil), (*cbc.Session)(nil)),
	})
}

// Cloud are the keys of a Carbon Black Cloud.
type Cloud struct {
	URL    string        `yaml:"url,required" doc:"https://host of the console"`
	OrgKey string        `yaml:"org_key,required" doc:"key of the organisation, as the console shows it under API Access"`
	Token  string        `yaml:"token_file,required" doc:"file with the API secret key, a slash, and the API id" secret:"file"`
	CA     string        `yaml:"ca" doc:"certificates to trust"`
	Pin    string        `yaml:"pin" doc:"SHA-256 of the server's certificate, instead of a CA"`
	Rate   float64       `yaml:"rate" doc:"requests a second to the host, of all organisations there together; replicas divide the product's limit among themselves"`
	Burst  int           `yaml:"burst" min:"1" doc:"requests that may be sent at once"`
	Online time.Duration `yaml:"online_within" doc:"how long after its last contact a device counts as online: the product does not say"`
	Alerts CloudAlerts   `yaml:"alerts"`
}

// CloudAlerts says how alerts are read, where no Data Forwarder brings them.
type CloudAlerts struct {
	Poll    time.Duration `yaml:"poll" doc:"pause between two searches for alerts, at least 1m; 0s: off"`
	Updates bool          `yaml:"updates" doc:"also the copies of alerts that changed"`
}

func newCloud() *Cloud {
	return &Cloud{Rate: cbc.DefaultRate, Burst: cbc.DefaultBurst, Online: 15 * time.Minute, Alerts: CloudAlerts{Updates: true}}
}

// Names implements config.Named: events of the organisation carry its key.
func (k *Cloud) Names() []string { return []string{k.OrgKey} }

// Check implements config.KindKeys.
func (k *Cloud) Check(bad func(key, format string, args ...any)) {
	u, err := url.Parse(k.URL)
	switch {
	case k.URL == "":
	case err != nil || u.Host == "":
		bad("url", "is not of the form https://host")
	case u.Scheme != "https" && !(u.Scheme == "http" && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())):
		bad("url", "the token would cross the network in clear text: use https://")
	}
	if k.Rate <= 0 {
		bad("rate", "must be more than 0")
	}
	if k.Alerts.Poll != 0 && k.Alerts.Poll < time.Minute {
		bad("alerts.poll", "must be at least 1m: every search counts towards the host's rate")
	}
}

// openCloud makes the client of a Carbon Black Cloud.
func openCloud(s config.Server, shared *Shared, log zerolog.Logger) (edr.Server, error) {
	keys, ok := s.Own.(*Cloud)
	if !ok {
		return nil, fmt.Errorf("its keys are of type %T", s.Own)
	}
	if keys.URL == "" {
		return nil, errors.New("url is not set")
	}
	token, certificates, err := accessOfCloud(keys)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(keys.URL)
	if err != nil {
		return nil, errors.New("url is not of the form https://host")
	}
	return cbc.New(cbc.Config{
		URL: keys.URL, OrgKey: keys.OrgKey, Token: token, Name: s.Name, SessionLimit: s.Sessions, OnlineWithin: keys.Online,
		Limiter: shared.limiter(u.Host, keys.Rate, keys.Burst), Log: log, TLS: certificates,
	})
}

func renewCloud(s config.Server, server edr.Server) error {
	token, certificates, err := accessOfCloud(s.Own.(*Cloud))
	if err != nil {
		return err
	}
	return server.(*cbc.Client).Renew(token, certificates)
}

func filesOfCloud(s config.Server) []string {
	keys := s.Own.(*Cloud)
	return []string{keys.Token, keys.CA}
}

func accessOfCloud(keys *Cloud) (token string, certificates liveresponse.TLS, err error) {
	certificates = liveresponse.TLS{Pin: keys.Pin}
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

// cloudSource polls for alerts, where that is configured.
func cloudSource(s config.Server, server edr.Server, places string, log zerolog.Logger) events.Source {
	keys, ok := s.Own.(*Cloud)
	client, searches := server.(cloudalerts.Searcher)
	if !ok || !searches || keys.Alerts.Poll == 0 {
		return nil
	}
	return &cloudalerts.Source{
		Server: s.Name, Search: client, Poll: keys.Alerts.Poll, NoUpdates: !keys.Alerts.Updates, Log: log,
		Place: filepath.Join(places, "alerts-"+url.PathEscape(s.Name)+".json"),
	}
}
