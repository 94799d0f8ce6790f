package service

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"edrpipe/internal/health"
	"edrpipe/internal/rabbittest"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events/amqp"
)

// edrBus starts a RabbitMQ with the exchanges of an EDR server, and returns its URL
// without a password, the password, and a channel.
func edrBus(t *testing.T) (string, string, *amqp091.Channel) {
	t.Helper()
	broker, err := rabbittest.Start(t.Context(), nil)
	if errors.Is(err, rabbittest.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Stop(); err != nil {
			t.Error(err)
		}
	})
	conn, err := amqp091.Dial(broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the broker ends with the test
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{amqp.ExchangeEvents: "topic", amqp.ExchangeRaw: "fanout"} {
		if err := ch.ExchangeDeclare(name, kind, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	u.User = url.User(u.User.Username())
	return u.String(), password, ch
}

// TestARefusedRabbitMQ at the start leaves the rest of the service at work, is a failed
// check with a cure, and is read as soon as the password file has the right password.
func TestARefusedRabbitMQ(t *testing.T) {
	t.Parallel()
	at, password, ch := edrBus(t)
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("amqp.password", "changed-meanwhile")
	p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), "sources: {", "sources: { amqp: { url: \""+at+"\", password_file: "+p.dir+"/amqp.password }, ", 1))
	r := p.run()

	r.become("rabbitmq/sim", health.Failed, "RabbitMQ refuses to sign us in")
	if c := r.check("rabbitmq/sim"); c.Since.IsZero() || c.Needed || !strings.Contains(c.Cure, "amqp.password_file") || strings.Contains(c.Evidence, "changed-meanwhile") {
		t.Errorf("check: %+v", c)
	}
	r.publish(start(1, 7))
	await(t, 20*time.Second, "a job while RabbitMQ refuses", func() bool { return len(r.jobs("ended")) == 1 })

	p.write("amqp.password", "")
	r.become("rabbitmq/sim", health.Failed, "amqp.password is empty")
	p.write("amqp.password", password+"\n")
	r.become("rabbitmq/sim", health.OK, "")
	if err := ch.PublishWithContext(t.Context(), amqp.ExchangeEvents, "ingress.event.procstart", false, false, amqp091.Publishing{ContentType: "application/json", Body: []byte(start(2, 8))}); err != nil {
		t.Fatal(err)
	}
	await(t, 20*time.Second, "a job of the event on RabbitMQ", func() bool { return len(r.jobs("ended")) == 2 })
}
