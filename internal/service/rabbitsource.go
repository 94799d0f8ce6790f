package service

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/health"
	"edrpipe/internal/tlsfiles"
	"edrpipe/pkg/events/amqp"
)

// rabbitSource is the source that reads the RabbitMQ of an EDR server.
type rabbitSource struct {
	server string // configured name
	queue  string
	source *amqp.Source
}

// openAMQP opens the source of a server's RabbitMQ. It reads its files again before each
// attempt to connect. A broker that refuses it is tried again: the other sources and the
// jobs of a service do not depend on it.
func openAMQP(q config.AMQPSource, server string, log zerolog.Logger) (*amqp.Source, error) {
	at, conf, err := amqpAccess(q)
	if err != nil {
		return nil, err
	}
	bindings := []amqp.Binding{{Exchange: amqp.ExchangeEvents, Keys: q.Keys}}
	if q.Raw {
		bindings = append(bindings, amqp.Binding{Exchange: amqp.ExchangeRaw})
	}
	return amqp.New(amqp.Config{
		URL: at, TLS: conf, Bindings: bindings, Queue: amqp.Queue{Name: q.Queue}, Prefetch: q.Prefetch, Server: server,
		Persist: true, Access: func() (string, *tls.Config, error) { return amqpAccess(q) }, Log: log,
	})
}

// amqpAccess reads the files that a client of RabbitMQ signs in with.
func amqpAccess(q config.AMQPSource) (string, *tls.Config, error) {
	u, err := url.Parse(q.URL)
	if err != nil {
		return "", nil, errors.New("amqp.url is not a URL such as amqp://cb@host:5004/")
	}
	if q.Password != "" {
		password, err := secret(q.Password)
		if err != nil {
			return "", nil, fmt.Errorf("amqp.password_file: %w", err)
		}
		u.User = url.UserPassword(u.User.Username(), password)
	}
	if !strings.HasPrefix(q.URL, "amqps:") {
		return u.String(), nil, nil
	}
	conf, err := tlsfiles.Client{CA: q.CA, Cert: q.Cert, Key: q.Key}.Config()
	if err != nil {
		return "", nil, fmt.Errorf("amqp: %w", err)
	}
	return u.String(), conf, nil
}

// rabbitHealth checks that the RabbitMQ of each server that has one is read.
func (s *Service) rabbitHealth() []health.Check {
	var all []health.Check
	for _, r := range s.sources.rabbits {
		all = append(all, r.check())
	}
	return all
}

func (r rabbitSource) check() health.Check {
	name := "rabbitmq/" + r.server
	err := r.source.Trouble()
	const again = "; it is tried again within 45 s, without a restart"
	var cure string
	switch {
	case err == nil:
		return health.Good(name, "reads the queue "+r.queue)
	case errors.Is(err, amqp.ErrNotReading):
		return health.Bad(name, health.Unknown, "wait until the first attempt to connect has ended, within 10 s", "no attempt to connect has ended yet")
	case errors.Is(err, amqp.ErrRefused):
		cure = "write the password of the user into the file of amqp.password_file, or set it on the EDR server with cbrabbitmqctl change_password (docs/sources.md)" + again
	case errors.Is(err, amqp.ErrAccess):
		cure = "correct the file" + again
	case errors.Is(err, amqp.ErrNoExchange):
		cure = "turn event publishing on: EnableRawSensorDataBroadcast and the like in cb.conf (docs/sources.md)" + again
	default:
		cure = "pipeline doctor tries the connection: port 5004 of the EDR server, its certificate, the user's permissions, the queue" + again
	}
	return health.Bad(name, health.Failed, cure, "no events are read from the RabbitMQ of server %s: %v", r.server, err)
}
