package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// Intervals of the health check of a server.
const (
	probeEvery  = 5 * time.Second  // also while it does not
	probeAgain  = time.Second      // after a first failure
	probeWithin = 10 * time.Second // for one answer
	probeFails  = 2                // failures in a row before the server counts as failed
)

// Trouble is the word for why a server does not work, or works less than it should.
type Trouble string

// The troubles.
const (
	Unreachable  Trouble = "unreachable"
	NoAnswer     Trouble = "timeout"
	Unauthorized Trouble = "unauthorized"
	Forbidden    Trouble = "forbidden"
	Certificate  Trouble = "certificate"
	CertEnding   Trouble = "certificate_ending"
	LiveDisabled Trouble = "live_response_disabled"
	NoSessions   Trouble = "refuses_sessions"
	ServerError  Trouble = "server_error"
	RateLimited  Trouble = "rate_limited"
	LicenceEnded Trouble = "licence_ended"
	LicenceGrace Trouble = "licence_ending"
	NotAsked     Trouble = "not_asked"
)

// Status is what is known of whether a server works.
type Status struct {
	State    health.State
	Trouble  Trouble // "": none
	Since    time.Time
	Evidence string // what it answered
	Cure     string
}

// prober checks the health of one server periodically.
type prober struct {
	wake chan struct{} // check now; holds one

	mu     sync.Mutex
	status Status
	first  time.Time // of the failures in a row
	fails  int
}

func newProber() *prober {
	return &prober{
		wake:   make(chan struct{}, 1),
		status: Status{State: health.Unknown, Trouble: NotAsked, Evidence: "the server has not been asked yet", Cure: "wait a moment"},
	}
}

// Watch checks the health of every server until ctx ends. After a change the server's
// scheduler looks at its jobs again.
func (f *Fleet) Watch(ctx context.Context) {
	var all sync.WaitGroup
	for _, m := range f.cfg.Members {
		all.Go(func() { f.watch(ctx, m) })
	}
	all.Wait()
}

func (f *Fleet) watch(ctx context.Context, m *Member) {
	p := m.prober
	for {
		asking, cancel := context.WithTimeout(ctx, probeWithin)
		err := m.ask(asking)
		cancel()
		if err == nil {
			err = m.certificate(f.cfg.Now())
		}
		if ctx.Err() != nil {
			return
		}
		pause := probeEvery
		if p.note(err, f.cfg.Now()) {
			m.Scheduler.Look()
			f.tell(m)
		}
		if err != nil && p.failures() < probeFails {
			pause = probeAgain
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// ask has the server answer something.
func (m *Member) ask(ctx context.Context) error {
	if p, ok := m.EDR.(edr.Prober); ok {
		return p.Probe(ctx)
	}
	_, err := m.EDR.Sessions(ctx)
	return err
}

// tell logs that a server's state has changed.
func (f *Fleet) tell(m *Member) {
	s := m.prober.now()
	if s.State == health.OK {
		f.cfg.Log.Info().Str("server", m.Name).Msg("the EDR server works")
		return
	}
	f.cfg.Log.Warn().Str("server", m.Name).Str("state", string(s.State)).Str("reason", string(s.Trouble)).Time("since", s.Since).
		Str("answer", s.Evidence).Msg("the EDR server does not work as it should: its jobs wait, those of other servers go on")
}

// note takes in the outcome of a question and reports whether the state has changed.
func (p *prober) note(err error, now time.Time) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.status
	if err == nil {
		p.fails, p.first = 0, time.Time{}
		if was.State != health.OK {
			p.status = Status{State: health.OK, Since: now}
		}
		return was.State != health.OK
	}
	if p.fails == 0 {
		p.first = now
	}
	p.fails++
	s := judge(err)
	if s.State == health.Failed && p.fails < probeFails && was.State != health.Failed {
		return false // once may be chance
	}
	s.Since = p.first
	if s.State == was.State && s.Trouble == was.Trouble {
		s.Since = was.Since
	}
	p.status = s
	return s.State != was.State || s.Trouble != was.Trouble
}

func (p *prober) failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fails
}

func (p *prober) now() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// judge reads from an error what is wrong and what cures it.
func judge(err error) Status {
	s := Status{State: health.Failed, Evidence: err.Error()}
	var ending *certificateEnds
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.Is(err, edr.ErrDisabled):
		s.State, s.Trouble, s.Cure = health.Degraded, LiveDisabled, "turn Live Response on at the server; other actions go on"
	case errors.Is(err, edr.ErrUnauthorized) && !errors.Is(err, edr.ErrTokenRefused):
		s.Trouble, s.Cure = Forbidden, "give the user of the token the right to Live Response at the server, or put the token of another user into token_file"
	case errors.Is(err, edr.ErrUnauthorized):
		s.Trouble, s.Cure = Unauthorized, "put a valid API token into the server's token_file: it is read again without a restart"
	case errors.Is(err, edr.ErrLicence):
		s.State, s.Trouble, s.Cure = health.Degraded, LicenceEnded, "upload a new licence in the server's console (Settings, License): the jobs that wait go on then; isolation is still tried"
	case errors.Is(err, edr.ErrLicenceEnding):
		s.State, s.Trouble, s.Cure = health.Degraded, LicenceGrace, "upload a new licence in the server's console (Settings, License) before that day"
	case errors.Is(err, edr.ErrThrottled):
		s.State, s.Trouble, s.Cure = health.Degraded, RateLimited, "wait; where it comes again, lower rate, and divide it among replicas and other clients behind the same address"
	case errors.As(err, &ending):
		s.State, s.Trouble, s.Cure = health.Degraded, CertEnding, "renew the certificate at the server before that day: no job begins there afterwards"
	case errors.As(err, &invalid), errors.As(err, &unknown), errors.As(err, &verify):
		s.Trouble, s.Cure = Certificate, "have the server show a valid certificate, or correct ca or pin: the file of ca is read again without a restart"
	case errors.Is(err, edr.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		s.Trouble, s.Cure = NoAnswer, "look at the load of the server, and at what is between it and this machine"
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		s.Trouble, s.Cure = Unreachable, "is the server up, and does a firewall let this machine through? pipeline doctor tries each step"
	default:
		s.Trouble, s.Cure = ServerError, "look into the log of the server; pipeline doctor tries each step"
	}
	return s
}

// Status returns what is known of whether the server works.
func (m *Member) Status() Status {
	s := m.prober.now()
	if s.State != health.OK {
		return s
	}
	if text := refusing(m.Scheduler.Stats()); text != "" {
		return Status{
			State: health.Degraded, Trouble: NoSessions, Evidence: text,
			Cure: "end sessions of other clients, or raise the server's limit and sessions; jobs that need no session go on",
		}
	}
	return s
}

// refusing is why the server gives us no session now; "": it does.
func refusing(st jobs.Stats) string {
	others := ""
	if st.Foreign > 0 {
		others = fmt.Sprintf("other clients hold %d sessions, and %d are for all", st.Foreign, st.Limit)
	}
	switch {
	case st.Refusing != "" && others != "":
		return others + "; the server refuses sessions: " + st.Refusing
	case st.Refusing != "":
		return "the server refuses sessions: " + st.Refusing
	case st.Foreign >= st.Limit:
		return others
	}
	return ""
}

// Down is the reason why no job may begin on the server, for jobs.Config; "" while it is
// healthy or has not been checked yet.
func (m *Member) Down() string {
	s := m.prober.now()
	if s.State != health.Failed && s.Trouble != RateLimited {
		return ""
	}
	return fmt.Sprintf("server %s does not work since %s (%s): %s", m.Name, s.Since.UTC().Format(time.RFC3339), s.Trouble, s.Evidence)
}

// Check is the state of the server for people.
func (m *Member) Check() health.Check {
	s := m.Status()
	c := health.Check{Name: "edr/" + m.Name, State: s.State, Since: s.Since, Evidence: s.Evidence, Cure: s.Cure}
	if s.Trouble != "" {
		c.Evidence = string(s.Trouble) + ": " + s.Evidence
	}
	return c
}

// Probe triggers a check of the server.
func (m *Member) Probe() {
	select {
	case m.prober.wake <- struct{}{}:
	default:
	}
}
