package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"edrpipe/internal/config"
	"edrpipe/internal/health"
	"edrpipe/internal/tlsfiles"
	"edrpipe/pkg/events/amqp"
)

// service reads the readiness of the service, if it runs, and reports whether it
// does.
func (d *Doctor) service(ctx context.Context) bool {
	if d.Service == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, d.Within)
	defer cancel()
	client := d.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Service+"/readyz", nil)
	if err != nil {
		return false
	}
	if d.Token != "" { // without one the answer has no reasons
		req.Header.Set("Authorization", "Bearer "+d.Token)
	}
	res, err := client.Do(req)
	if err != nil {
		d.listener()
		return false
	}
	defer res.Body.Close()
	var answer struct {
		Ready  bool
		Checks []health.Check
	}
	if json.NewDecoder(res.Body).Decode(&answer) != nil {
		d.failed("service", "something else than edrpipe answers at "+d.Service, "set web.listen to a free address")
		return false
	}
	if !answer.Ready {
		var why []string
		for _, c := range answer.Checks {
			if !c.Ready() {
				why = append(why, strings.TrimSuffix(fmt.Sprintf("%s %s: %s", c.Name, c.State, c.Evidence), ": "))
			}
		}
		d.failed("service", "it runs and is not ready: "+strings.Join(why, "; "), "pipeline health says more")
		return true
	}
	d.ok("service", "runs and is ready at "+d.Service)
	for _, c := range answer.Checks {
		if c.State != health.OK && c.Evidence != "" {
			d.degraded("service", fmt.Sprintf("its check %s is %s: %s", c.Name, c.State, c.Evidence), c.Cure)
		}
	}
	return true
}

// listener tries whether a service could listen.
func (d *Doctor) listener() {
	l, err := net.Listen("tcp", d.Config.Web.Listen)
	if err != nil {
		d.failed("service", "nothing answers at "+d.Service+", and web.listen is not free: "+err.Error(), "end what uses the address, or set web.listen")
		return
	}
	_ = l.Close() // was only tried
	d.ok("service", "does not run; web.listen "+d.Config.Web.Listen+" is free")
}

// sources tries each way in which events arrive.
func (d *Doctor) sources(ctx context.Context, running bool) {
	s := d.Config.Sources
	if s.HTTP.Enabled && s.HTTP.Token == "" {
		d.degraded("sources", "posts of events are off: sources.http.token_file is not set", "name a file with the token that senders show")
	} else if s.HTTP.Enabled {
		d.ok("sources", "posts at "+d.Service+"/v1/ingest")
	}
	for _, name := range s.Files {
		if _, err := os.Stat(d.path(name)); err != nil {
			d.degraded("sources", "sources.files: "+err.Error(), "it is read as soon as it is there; is the name right?")
		} else {
			d.ok("sources", "file "+name)
		}
	}
	for _, l := range []struct{ key, address string }{{"sources.tcp.listen", s.TCP.Listen}, {"sources.syslog.listen", s.Syslog.Listen}} {
		if l.address == "" || running {
			continue
		}
		conn, err := net.Listen("tcp", l.address)
		if err != nil {
			d.failed("sources", l.key+": "+err.Error(), "end what uses the address, or choose another")
			continue
		}
		_ = conn.Close() // was only tried
		d.ok("sources", l.key+" "+l.address+" is free")
	}
	for i, server := range d.Config.AllServers() {
		key := "sources.amqp"
		if len(d.Config.Servers) > 0 {
			key = fmt.Sprintf("servers[%d].amqp", i)
		}
		if server.AMQP.URL != "" {
			d.rabbit(ctx, server.AMQP, key)
		}
	}
}

// rabbit connects to an EDR server's bus and looks for its exchanges.
func (d *Doctor) rabbit(ctx context.Context, q config.AMQPSource, key string) {
	conf, err := d.rabbitConfig(q)
	if err != nil {
		d.failed("sources", key+": "+err.Error(), "correct "+key)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.Within)
	defer cancel()
	found, err := amqp.Probe(ctx, conf)
	switch {
	case errors.Is(err, amqp.ErrRefused):
		d.failed("sources", key+": "+err.Error(), "on the EDR server make a user of edrpipe's own with cbrabbitmqctl (docs/sources.md); from server 7.7 on, cb.conf may have RabbitMQToken in place of RabbitMQPassword, and a token is not the password")
	case err != nil:
		d.failed("sources", key+": RabbitMQ: "+err.Error(), "on the EDR server: RabbitMQUser and RabbitMQPassword in /etc/cb/cb.conf, and port 5004 open to this machine")
	case len(found) == 0:
		d.failed("sources", key+": RabbitMQ answers and has none of the exchanges api.events, api.rawsensordata", "turn event publishing on: EnableRawSensorDataBroadcast and the like in cb.conf (docs/sources.md)")
	default:
		d.ok("sources", key+": RabbitMQ answers, with "+strings.Join(found, ", "))
	}
}

func (d *Doctor) rabbitConfig(q config.AMQPSource) (amqp.Config, error) {
	u, err := url.Parse(q.URL)
	if err != nil {
		return amqp.Config{}, err
	}
	if q.Password != "" {
		password, err := os.ReadFile(d.path(q.Password))
		if err != nil {
			return amqp.Config{}, err
		}
		u.User = url.UserPassword(u.User.Username(), strings.TrimSpace(string(password)))
	}
	c := amqp.Config{URL: u.String()}
	files := tlsfiles.Client{CA: q.CA, Cert: q.Cert, Key: q.Key}
	if files.Empty() {
		return c, nil
	}
	for _, name := range []*string{&files.CA, &files.Cert, &files.Key} {
		if *name != "" {
			*name = d.path(*name)
		}
	}
	c.TLS, err = files.Config()
	return c, err
}
