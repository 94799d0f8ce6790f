package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/internal/run"
)

const (
	closeTimeout   = 20 * time.Second // for closing a session at the end of a visit
	keepAlive      = 30 * time.Second // well below the sensor's 120 s of patience
	unknownCheckin = 15 * time.Minute // for a session to become active where no check-in is foretold
	firstRest      = time.Minute      // of a sensor whose session could not be opened
	longestRest    = 15 * time.Minute
	busyRest       = 15 * time.Second // of a sensor with a session of another client
	offlineRest    = 15 * time.Second // of one that reads online and is refused as offline, at first
	unknownServer  = 5 * time.Second  // between attempts to close a session while the server fails
)

// session is the visit's Live Response session.
type session struct {
	edr.Session
	stop func()
	kept sync.WaitGroup
	gone chan struct{} // closed when a keepalive found it gone
}

// Unwrap gives edr.As the session with its powers.
func (s *session) Unwrap() edr.Session { return s.Session }

// open returns the visit's session, opening it if there is none. On failure it has set
// the pause of the sensor or of the whole server.
func (v *visit) open(ctx context.Context) (edr.Session, error) {
	if v.session != nil {
		select {
		case <-v.session.gone:
			if err := v.close(ctx); err != nil {
				return nil, err
			}
		default:
			return v.session, nil
		}
	}
	if !v.slot {
		return nil, run.ErrNoSlot
	}
	raw, err := v.ask(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.await(ctx, raw); err != nil {
		return nil, err
	}
	v.session = v.keep(raw)
	v.setOpen(true)
	return v.session, nil
}

// ask opens a session and records it in the claim: first that it is being opened, then
// its id, so that a successor can find and close it.
func (v *visit) ask(ctx context.Context) (edr.Session, error) {
	v.d.slots.backpressure.mu.Lock()
	highest := v.d.slots.backpressure.highest
	v.d.slots.backpressure.mu.Unlock()
	if err := v.setClaim(ctx, "", highest+1); err != nil {
		return nil, err
	}
	raw, err := v.d.cfg.Server.Open(ctx, v.sensor.ID)
	if err != nil {
		return nil, v.refused(ctx, err, highest+1)
	}
	id := raw.Info().ID
	v.d.slots.backpressure.granted(id)
	if err := v.setClaim(ctx, id, 0); err != nil {
		return nil, errors.Join(err, v.closeID(ctx, id))
	}
	return raw, nil
}

// setClaim writes the session into our claim.
func (v *visit) setClaim(ctx context.Context, id string, opening int64) error {
	return v.d.claims.set(ctx, v.sensor, v.epoch, func(_ *Table, cl *Claim) error {
		cl.Session, cl.Opening = looseid.ID(id), opening
		return nil
	})
}

// refused sorts out why there is no session.
func (v *visit) refused(ctx context.Context, err error, opening int64) error {
	err = fmt.Errorf("open a session on sensor %s: %w", v.sensor, err)
	switch {
	case errors.Is(err, edr.ErrSessionLimit):
		v.d.slots.backpressure.refused(v.d.cfg.Now(), "the server's session limit is reached", true)
	case errors.Is(err, edr.ErrSessionBusy):
		v.d.rest(v.sensor, ReasonSensorBusy, pace.Backoff(busyRest, 0, busyRest))
	case errors.Is(err, edr.ErrUnknownSensor), errors.Is(err, edr.ErrOffline):
		v.fails(offlineRest) // ends when it has been seen offline and is back
	case errors.Is(err, edr.ErrUnauthorized), errors.Is(err, edr.ErrDisabled), errors.Is(err, edr.ErrThrottled), errors.Is(err, edr.ErrLicence):
		v.d.slots.backpressure.refused(v.d.cfg.Now(), err.Error(), false)
	default:
		// The request may have arrived: a session that it opened has to be closed.
		v.d.slots.backpressure.refused(v.d.cfg.Now(), err.Error(), false)
		return errors.Join(err, v.fence(Claim{Opening: opening}))
	}
	return errors.Join(err, v.setClaim(context.WithoutCancel(ctx), "", 0))
}

// await waits for the sensor to take the session up: until shortly after its next
// check-in, because a pending session holds a slot, or longer where the server does not
// say when that is.
func (v *visit) await(ctx context.Context, raw edr.Session) error {
	info, _ := v.info()
	patience := order.UntilCheckin(info, v.d.cfg.Now()) + v.d.cfg.Pending
	if info.NextCheckin.IsZero() {
		patience = unknownCheckin
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer v.pending(cancel)()
	err := raw.Await(limited)
	if err == nil {
		v.d.mu.Lock()
		v.d.queue.Sensor(v.sensor).Failures = 0
		v.d.mu.Unlock()
		return nil
	}
	err = fmt.Errorf("session %s on sensor %s: %w", raw.Info().ID, v.sensor, err)
	if ctx.Err() == nil && !v.over() {
		v.fails(firstRest)
	}
	return errors.Join(err, v.closeID(ctx, raw.Info().ID))
}

// fails lets the sensor rest, longer each time until it has taken a session up, and has
// it read again: its record may be out of date.
func (v *visit) fails(first time.Duration) {
	v.d.mu.Lock()
	sn := v.d.queue.Sensor(v.sensor)
	n := sn.Failures
	sn.Failures++
	v.d.mu.Unlock()
	v.d.rest(v.sensor, ReasonSilent, pace.Backoff(first, n, longestRest))
	v.d.reread(v.sensor)
}

// pending lets the wait for a session end early, unless a job has begun already. It
// returns what ends that.
func (v *visit) pending(withdraw func()) (over func()) {
	v.mu.Lock()
	begun := v.now != nil
	v.mu.Unlock()
	if begun {
		return func() {}
	}
	set := func(f func()) {
		v.d.mu.Lock()
		defer v.d.mu.Unlock()
		v.withdraw = f
	}
	set(withdraw)
	v.d.poke() // a job of higher priority may wait
	return func() { set(nil) }
}

// keep sends keepalives on an active session until it is closed.
func (v *visit) keep(raw edr.Session) *session {
	ctx, stop := context.WithCancel(v.ctx)
	k := &session{Session: raw, stop: stop, gone: make(chan struct{})}
	k.kept.Go(func() {
		for pace.Sleep(ctx, keepAlive) == nil {
			if errors.Is(raw.KeepAlive(ctx), edr.ErrSessionGone) {
				close(k.gone)
				return
			}
		}
	})
	return k
}

// close ends the visit's session.
func (v *visit) close(ctx context.Context) error {
	k := v.session
	v.session = nil
	v.setOpen(false)
	k.stop()
	k.kept.Wait()
	return v.closeID(ctx, k.Info().ID)
}

// setOpen marks the sensor's jobs as not waiting for a check-in.
func (v *visit) setOpen(open bool) {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	sn, now := v.d.queue.Sensor(v.sensor), v.d.cfg.Now()
	if sn.Open = open; open {
		v.since = now
	} else {
		v.since, sn.Left = time.Time{}, now
	}
}

// closeID ends a session of ours and notes that in the claim.
func (v *visit) closeID(ctx context.Context, id string) error {
	ctx, cancel := v.d.parting(ctx, closeTimeout)
	defer cancel()
	for {
		err := v.d.cfg.Server.CloseSession(ctx, id)
		if err == nil || errors.Is(err, edr.ErrSessionGone) {
			break
		}
		if pace.Sleep(ctx, pace.Backoff(unknownServer, 0, unknownServer)) != nil {
			v.leaves = true
			return fmt.Errorf("close session %s: %w", id, err)
		}
	}
	if err := v.setClaim(ctx, "", 0); err != nil && !errors.Is(err, run.ErrFenced) {
		v.leaves = true
		return err
	}
	return nil
}

// fence closes what a dead owner, or a request of ours that was lost, may have
// left open on the sensor. After that the server refuses the old owner's commands.
func (v *visit) fence(was Claim) error {
	ids := []string{string(was.Session)}
	if was.Opening != 0 {
		found, err := v.opened(was.Opening)
		if err != nil {
			v.leaves = true
			return err
		}
		ids = append(ids, found...)
	}
	for _, id := range ids {
		if id != "" {
			if err := v.closeID(v.ctx, id); err != nil {
				return err
			}
		}
	}
	return v.setClaim(v.ctx, "", 0)
}

// opened lists the sensor's sessions from an id on. Ids that are no numbers have no
// order: any session on the sensor may be the one that was being opened.
func (v *visit) opened(from int64) (ids []string, err error) {
	for n := 0; ; n++ {
		sessions, err := v.d.cfg.Server.Sessions(v.ctx)
		if err == nil {
			for _, info := range sessions {
				if info.SensorID == v.sensor.ID && (!numbered(info.ID) || sessionNumber(info.ID) >= from) {
					ids = append(ids, info.ID)
				}
			}
			return ids, nil
		}
		if pace.Sleep(v.ctx, pace.Backoff(firstPause, n, longestPause)) != nil {
			return nil, fmt.Errorf("list the sessions of sensor %s: %w", v.sensor, err)
		}
	}
}
