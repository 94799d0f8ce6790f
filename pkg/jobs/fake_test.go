package jobs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/edr"
)

// fakeServer is an EDR server in memory, for virtual time: sensors that check in
// at intervals, a session limit, commands that take time and run on the sensor
// whether or not their client still lives.
type fakeServer struct {
	mu       sync.Mutex
	limit    int
	sensors  map[int]*fakeSensor
	sessions map[int64]*fakeSession
	last     int64
	took     time.Duration // of a command

	counts

	fail   func(request string, sensor int) error // nil: nothing fails
	refuse func(request string) error             // of a result; nil: it is given
}

// counts is what the server has seen so far.
type counts struct {
	requests map[string]int // by kind
	refused  int
	opened   int
	peak     int
	ran      map[string]int // executions by "sensor name object"
	order    map[int][]string
}

// seen is a copy of the server's counts: it goes on counting meanwhile.
func (f *fakeServer) seen() counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counts
	c.requests, c.ran, c.order = maps.Clone(c.requests), maps.Clone(c.ran), map[int][]string{}
	for sensor, order := range f.order {
		c.order[sensor] = slices.Clone(order)
	}
	return c
}

// allSessions is every session there was, as it is now.
func (f *fakeServer) allSessions() map[int64]edr.SessionInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[int64]edr.SessionInfo{}
	for id, s := range f.sessions {
		all[id] = s.info()
	}
	return all
}

type fakeSensor struct {
	host     string // empty: host-ID
	id       int
	online   bool
	silent   bool // reads online and never comes in
	interval time.Duration
	phase    time.Time // of one check-in
	isolated bool
	untold   bool // the server does not say when it checks in
}

// fakeSession is a session as the server keeps it.
type fakeSession struct {
	srv      *fakeServer
	id       int64
	sensor   *fakeSensor
	active   chan struct{} // closed at the check-in
	over     chan struct{} // closed when the session ends
	timer    *time.Timer
	status   edr.SessionStatus
	used     time.Time // latest command or keepalive: the server ends sessions that are not used
	commands []edr.Command
	running  chan struct{} // closed when the latest command ends
}

// sessionTimeout is how long a session may go unused.
const sessionTimeout = 120 * time.Second

// fakeClient is a session as a client of it sees it. crash, where set, ends the
// client's life at a point.
type fakeClient struct {
	edr.LiveSession // methods that no test uses
	*fakeState
	crash *crasher
}

// fakeState keeps the names of fakeSession's fields out of fakeClient's way.
type fakeState struct{ s *fakeSession }

func newFakeServer(limit int) *fakeServer {
	return &fakeServer{
		limit: limit, sensors: map[int]*fakeSensor{}, sessions: map[int64]*fakeSession{}, took: time.Second,
		counts: counts{requests: map[string]int{}, ran: map[string]int{}, order: map[int][]string{}},
	}
}

// add makes n sensors from 1 on, whose check-ins are spread over the interval.
func (f *fakeServer) add(n int, interval time.Duration) {
	now := time.Now()
	for i := 1; i <= n; i++ {
		phase := now.Add(time.Duration(i-1) * interval / time.Duration(n))
		f.sensors[i] = &fakeSensor{id: i, online: true, interval: interval, phase: phase}
	}
}

func (f *fakeServer) set(id int, edit func(*fakeSensor)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit(f.sensors[id])
}

// next is the sensor's first check-in after now.
func (s *fakeSensor) next(now time.Time) time.Time {
	if now.Before(s.phase) {
		return s.phase
	}
	return s.phase.Add((now.Sub(s.phase)/s.interval + 1) * s.interval)
}

func (s *fakeSensor) info() edr.Sensor {
	now := time.Now()
	next := s.next(now)
	due := next
	if s.untold {
		due = time.Time{}
	}
	return edr.Sensor{
		ID: looseid.Text(s.id), Hostname: cmp.Or(s.host, fmt.Sprintf("host-%d", s.id)), OS: edr.Windows, Online: s.online, LiveResponse: true,
		LastCheckin: next.Add(-s.interval), NextCheckin: due,
	}
}

func (f *fakeServer) request(kind string, sensor int) error {
	f.requests[kind]++
	f.requests["all"]++
	if f.fail != nil {
		return f.fail(kind, sensor)
	}
	return nil
}

// failNot ends all failures.
func (f *fakeServer) failNot() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = nil
}

func (f *fakeServer) Name() string { return "fake" }

func (f *fakeServer) ReadOnly(command string) bool {
	return command == "get file" || command == "directory list" || command == "process list"
}

func (f *fakeServer) Sensor(_ context.Context, text string) (edr.Sensor, error) {
	id := looseid.Sensor(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.request("sensor", id); err != nil {
		return edr.Sensor{}, err
	}
	s := f.sensors[id]
	if s == nil {
		return edr.Sensor{}, fmt.Errorf("sensor %d: %w", id, edr.ErrUnknownSensor)
	}
	return s.info(), nil
}

func (f *fakeServer) Sensors(context.Context, edr.SensorQuery) ([]edr.Sensor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range len(f.sensors)/100 + 1 { // pages of 100
		if err := f.request("sensors", 0); err != nil {
			return nil, err
		}
	}
	all := make([]edr.Sensor, 0, len(f.sensors))
	for _, s := range f.sensors {
		all = append(all, s.info())
	}
	return all, nil
}

func (f *fakeServer) Sessions(context.Context) ([]edr.SessionInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.request("sessions", 0); err != nil {
		return nil, err
	}
	var all []edr.SessionInfo
	for _, s := range f.sessions {
		if s.live() {
			all = append(all, s.info())
		}
	}
	return all, nil
}

func (s *fakeSession) live() bool { return live(s.info()) }

func live(s edr.SessionInfo) bool {
	return s.Status == edr.SessionPending || s.Status == edr.SessionActive
}

func (s *fakeSession) info() edr.SessionInfo {
	return edr.SessionInfo{ID: looseid.Text(s.id), SensorID: looseid.Text(s.sensor.id), Status: s.status}
}

func (f *fakeServer) Open(_ context.Context, text string) (edr.Session, error) {
	id := looseid.Sensor(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.request("open", id); err != nil {
		return nil, err
	}
	s, err := f.open(id)
	if err != nil {
		return nil, err
	}
	return s.client(nil), nil
}

func (s *fakeSession) client(crash *crasher) *fakeClient {
	return &fakeClient{fakeState: &fakeState{s}, crash: crash}
}

// openForeign is another client's session.
func (f *fakeServer) openForeign(id int) *fakeSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.open(id)
	if err != nil {
		panic(err)
	}
	return s
}

func (f *fakeServer) open(id int) (*fakeSession, error) {
	sensor := f.sensors[id]
	if sensor == nil {
		return nil, fmt.Errorf("sensor %d: %w", id, edr.ErrUnknownSensor)
	}
	n := 0
	for _, s := range f.sessions {
		if !s.live() {
			continue
		}
		n++
		if s.sensor == sensor {
			return nil, fmt.Errorf("sensor %d: %w", id, edr.ErrSessionBusy)
		}
	}
	if n >= f.limit {
		f.refused++
		return nil, edr.ErrSessionLimit
	}
	f.last++
	f.opened++
	f.peak = max(f.peak, n+1)
	s := &fakeSession{
		srv: f, id: f.last, sensor: sensor, status: edr.SessionPending,
		active: make(chan struct{}), over: make(chan struct{}),
	}
	f.sessions[s.id] = s
	if sensor.online && !sensor.silent {
		s.timer = time.AfterFunc(time.Until(sensor.next(time.Now())), s.activate)
	}
	return s, nil
}

func (s *fakeSession) activate() {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	if s.status == edr.SessionPending {
		s.status, s.used = edr.SessionActive, time.Now()
		close(s.active)
	}
}

// expire ends an active session that went unused for too long. f.mu is held.
func (s *fakeSession) expire() {
	busy := len(s.commands) > 0 && s.commands[len(s.commands)-1].Status == edr.CommandRunning
	if s.status == edr.SessionActive && !busy && time.Since(s.used) > sessionTimeout {
		s.end(edr.SessionTimeout)
	}
}

func (f *fakeServer) Attach(_ context.Context, text string) (edr.Session, error) {
	id := looseid.Session(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.sessions[id]; s != nil && s.live() {
		return s.client(nil), nil
	}
	return nil, edr.ErrSessionGone
}

func (f *fakeServer) CloseSession(_ context.Context, text string) error {
	id := looseid.Session(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.request("close", 0); err != nil {
		return err
	}
	if s := f.sessions[id]; s != nil {
		s.end(edr.SessionClosed)
	}
	return nil
}

// end ends a session: commands that the sensor has not begun never run. f.mu is held.
func (s *fakeSession) end(how edr.SessionStatus) {
	if !s.live() {
		return
	}
	s.status = how
	close(s.over)
	if s.timer != nil {
		s.timer.Stop()
	}
}

func (f *fakeServer) Commands(_ context.Context, text string) ([]edr.Command, error) {
	id := looseid.Session(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.request("commands", 0); err != nil {
		return nil, err
	}
	s := f.sessions[id]
	if s == nil {
		return nil, edr.ErrSessionGone
	}
	return append([]edr.Command(nil), s.commands...), nil
}

// submit is the server's side of a command.
func (s *fakeSession) submit(name, object string) (edr.Command, <-chan struct{}, error) {
	f := s.srv
	f.mu.Lock()
	defer f.mu.Unlock()
	s.expire()
	if s.status != edr.SessionActive {
		f.requests["dead"]++
		return edr.Command{}, nil, fmt.Errorf("session %d: %w", s.id, edr.ErrSessionGone)
	}
	// "command" fails before, "lost" after the server has taken the command.
	if err := f.request("command", s.sensor.id); err != nil {
		return edr.Command{}, nil, err
	}
	c := edr.Command{ID: int64(len(s.commands) + 1), SessionID: looseid.Text(s.id), SensorID: looseid.Text(s.sensor.id), Name: name, Object: object, Status: edr.CommandPending}
	s.commands = append(s.commands, c)
	ended, before := make(chan struct{}), s.running
	s.running = ended
	go s.run(c, before, ended)
	if f.fail != nil {
		if err := f.fail("lost", s.sensor.id); err != nil {
			return edr.Command{}, nil, err
		}
	}
	return c, ended, nil
}

// run is the sensor's side: one command after the other.
func (s *fakeSession) run(c edr.Command, before <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	if before != nil {
		<-before
	}
	f := s.srv
	f.mu.Lock()
	if s.status != edr.SessionActive || s.commands[c.ID-1].Status != edr.CommandPending {
		f.mu.Unlock()
		return
	}
	s.commands[c.ID-1].Status = edr.CommandRunning
	f.mu.Unlock()
	time.Sleep(f.took)
	f.mu.Lock()
	defer f.mu.Unlock()
	s.commands[c.ID-1].Status, s.used = edr.CommandComplete, time.Now()
	f.ran[fmt.Sprintf("%d %s %s", s.sensor.id, c.Name, c.Object)]++
	f.order[s.sensor.id] = append(f.order[s.sensor.id], c.Object)
}

func (c *fakeClient) Info() edr.SessionInfo {
	c.s.srv.mu.Lock()
	defer c.s.srv.mu.Unlock()
	return c.s.info()
}

func (c *fakeClient) OS() edr.OS { return edr.Windows }

func (c *fakeClient) Await(ctx context.Context) error {
	select {
	case <-c.s.active:
		return nil
	case <-c.s.over:
		return edr.ErrSessionGone
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", edr.ErrTimeout, context.Cause(ctx))
	}
}

func (c *fakeClient) KeepAlive(context.Context) error {
	c.s.srv.mu.Lock()
	defer c.s.srv.mu.Unlock()
	c.s.srv.requests["keepalive"]++
	c.s.expire()
	if c.s.status != edr.SessionActive {
		return edr.ErrSessionGone
	}
	c.s.used = time.Now()
	return nil
}

func (c *fakeClient) Close(ctx context.Context) error {
	return c.s.srv.CloseSession(ctx, looseid.Text(c.s.id))
}

func (c *fakeClient) Commands(ctx context.Context) ([]edr.Command, error) {
	return c.s.srv.Commands(ctx, looseid.Text(c.s.id))
}

func (c *fakeClient) Command(_ context.Context, id int64, _ bool) (edr.Command, error) {
	c.s.srv.mu.Lock()
	defer c.s.srv.mu.Unlock()
	return c.s.commands[id-1], nil
}

func (c *fakeClient) Cancel(_ context.Context, id int64) error {
	c.s.srv.mu.Lock()
	defer c.s.srv.mu.Unlock()
	if command := &c.s.commands[id-1]; command.Status == edr.CommandPending {
		command.Status = edr.CommandCancelled
	}
	return nil
}

// do sends a command and waits for its end, as a real session would.
func (c *fakeClient) do(ctx context.Context, name, object string) error {
	trace := edr.ContextTrace(ctx)
	c.s.srv.mu.Lock()
	after := int64(len(c.s.commands))
	c.s.srv.mu.Unlock()
	if trace.Submitting != nil {
		if err := trace.Submitting(ctx, name, object, looseid.Text(c.s.id), after); err != nil {
			return err
		}
	}
	var sent edr.Command
	var ended <-chan struct{}
	err := c.crash.do("command "+name, func() (err error) {
		sent, ended, err = c.s.submit(name, object)
		return err
	})
	if err != nil {
		return err
	}
	if trace.Submitted != nil {
		trace.Submitted(ctx, sent)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", name, ctx.Err())
	}
	c.s.srv.mu.Lock()
	sent = c.s.commands[sent.ID-1]
	live := c.s.live()
	var refused error
	if c.s.srv.refuse != nil {
		refused = c.s.srv.refuse("result")
	}
	c.s.srv.mu.Unlock()
	if refused != nil {
		return refused
	}
	if trace.Finished != nil {
		trace.Finished(ctx, sent)
	}
	switch {
	case sent.Status == edr.CommandCancelled:
		return edr.ErrCancelled
	case sent.Status != edr.CommandComplete || !live:
		return edr.ErrSessionGone
	}
	return nil
}

func (c *fakeClient) GetFile(ctx context.Context, path string, _ edr.Range, w io.Writer) (edr.FileInfo, error) {
	if err := c.do(ctx, "get file", path); err != nil {
		return edr.FileInfo{}, err
	}
	_, err := io.WriteString(w, "content")
	return edr.FileInfo{Path: path, Size: 7}, err
}

func (c *fakeClient) DeleteFile(ctx context.Context, path string) error {
	return c.do(ctx, "delete file", path)
}

func (c *fakeClient) Run(ctx context.Context, p edr.ProcessSpec) (edr.ProcessResult, error) {
	return edr.ProcessResult{PID: 1}, c.do(ctx, "create process", p.CommandLine)
}

// SetIsolation implements edr.Isolator.
func (f *fakeServer) SetIsolation(_ context.Context, text string, isolated bool) error {
	id := looseid.Sensor(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.request("isolate", id); err != nil {
		return err
	}
	f.sensors[id].isolated = isolated
	f.ran[fmt.Sprintf("%d isolate %t", id, isolated)]++
	return nil
}

func (f *fakeServer) base() *fakeServer { return f }
