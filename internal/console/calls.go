package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/web"
)

// CallsPrefix begins the subjects of calls: edrpipe.api.<method>.<path with dots>.
const (
	CallsPrefix  = "edrpipe.api."
	callsVersion = "1.0.0"
	callsAtOnce  = 8
)

// Calls answers calls of the API that come as NATS requests, so that an approval can
// be answered by a person or program that reaches the bus and has a token. One
// replica answers each.
type Calls struct {
	Conn *nats.Conn
	Web  *web.Server
	Log  zerolog.Logger
}

// Serve answers until ctx ends.
func (s Calls) Serve(ctx context.Context) error {
	var answering errgroup.Group
	answering.SetLimit(callsAtOnce)
	service, err := micro.AddService(s.Conn, micro.Config{
		Name: "edrpipe", Version: callsVersion, Description: "The API of edrpipe", QueueGroup: "edrpipe",
		Endpoint: &micro.EndpointConfig{
			Subject: CallsPrefix + ">",
			Handler: micro.HandlerFunc(func(r micro.Request) {
				if !isInbox(r.Reply()) {
					s.Log.Warn().Str("subject", r.Subject()).Str("reply", r.Reply()).Msg("a call over the bus was dropped: its reply subject is not an inbox")
					return
				}
				answering.Go(func() error { s.answer(ctx, r); return nil })
			}),
		},
	})
	if err != nil {
		return fmt.Errorf("calls over the bus: %w", err)
	}
	<-ctx.Done()
	_ = service.Stop() // fails only with the connection, which ends it too
	return answering.Wait()
}

// isInbox reports whether a reply subject is one that only its client listens to: an
// inbox, or what a bus with accounts puts in its place for a call of another account.
// An answer to any other subject could be a record of the service's own.
func isInbox(reply string) bool {
	return strings.HasPrefix(reply, nats.InboxPrefix) || strings.HasPrefix(reply, "_R_.")
}

func (s Calls) answer(ctx context.Context, r micro.Request) {
	method, path, _ := strings.Cut(strings.TrimPrefix(r.Subject(), CallsPrefix), ".")
	token := strings.TrimPrefix(r.Headers().Get("Authorization"), "Bearer ")
	status, reply := s.Web.Call(ctx, web.Call{
		Method: strings.ToUpper(method), Path: strings.ReplaceAll(path, ".", "/"),
		Query: r.Headers().Get("Query"), Token: token, Body: r.Data(),
	})
	if most := s.Conn.MaxPayload(); int64(len(reply)) > most {
		status, reply = http.StatusRequestEntityTooLarge, fmt.Appendf(nil, `{"error":"the answer has %d bytes, a message may have %d: ask for less, or over HTTP"}`, len(reply), most)
	}
	header := nats.Header{"Status": {strconv.Itoa(status)}, "Content-Type": {"application/json"}}
	if err := r.Respond(reply, micro.WithHeaders(micro.Headers(header))); err != nil {
		s.Log.Warn().Err(err).Str("subject", r.Subject()).Msg("a call over the bus could not be answered")
	}
}
