package edrtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"edrpipe/pkg/edr"
)

func sensors(t *testing.T, ctx context.Context, b Backend) {
	if b.Server.Name() == "" {
		t.Error("server has no name")
	}
	one, err := b.Server.Sensor(ctx, b.Sensor)
	if err != nil || one.ID != b.Sensor || one.Hostname == "" || one.OS != edr.Windows || !one.Online || !one.LiveResponse {
		t.Errorf("Sensor = %+v, %v", one, err)
	}
	for _, q := range []edr.SensorQuery{{}, {Hostname: one.Hostname}} {
		all, err := b.Server.Sensors(ctx, q)
		if err != nil || !slices.ContainsFunc(all, func(s edr.Sensor) bool { return s.ID == b.Sensor }) {
			t.Errorf("Sensors(%+v) = %d sensors without %s, %v", q, len(all), b.Sensor, err)
		}
	}
	none, err := b.Server.Sensors(ctx, edr.SensorQuery{Hostname: "no-such-host"})
	if err != nil || len(none) != 0 {
		t.Errorf("Sensors of an unknown host = %d, %v", len(none), err)
	}
}

func unknownSensor(t *testing.T, ctx context.Context, b Backend) {
	if _, err := b.Server.Sensor(ctx, b.Unknown); !errors.Is(err, edr.ErrUnknownSensor) {
		t.Errorf("Sensor = %v", err)
	}
	s, err := b.Server.Open(ctx, b.Unknown)
	if !errors.Is(err, edr.ErrUnknownSensor) || s != nil {
		t.Errorf("Open = %v, %v", s, err)
	}
}

func offlineSensor(t *testing.T, ctx context.Context, b Backend) {
	if b.Offline == "" {
		t.Skip("no sensor is offline")
	}
	if s, err := b.Server.Open(ctx, b.Offline); !errors.Is(err, edr.ErrOffline) || s != nil {
		t.Errorf("Open = %v, %v", s, err)
	}
}

func listed(t *testing.T, ctx context.Context, b Backend, id string) bool {
	t.Helper()
	all, err := b.Server.Sessions(ctx)
	if err != nil {
		t.Fatalf("Sessions: %v", err)
	}
	return slices.ContainsFunc(all, func(s edr.SessionInfo) bool { return s.ID == id && s.SensorID == b.Sensor })
}

func lifecycle(t *testing.T, ctx context.Context, b Backend) {
	s := open(t, ctx, b)
	info := s.Info()
	if info.ID == "" || info.SensorID != b.Sensor || info.Status != edr.SessionActive || len(info.Commands) == 0 || s.OS() != edr.Windows {
		t.Errorf("Info = %+v on %s", info, s.OS())
	}
	if !listed(t, ctx, b, info.ID) {
		t.Error("open session is not listed")
	}
	if err := s.KeepAlive(ctx); err != nil {
		t.Errorf("KeepAlive: %v", err)
	}
	for range 2 {
		if err := s.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if listed(t, ctx, b, info.ID) {
		t.Error("closed session is listed")
	}
	again := open(t, ctx, b)
	if again.Info().ID == info.ID {
		t.Errorf("a new session has the id of an earlier one, %s", info.ID)
	}
}

func busy(t *testing.T, ctx context.Context, b Backend) {
	open(t, ctx, b)
	if s, err := b.Server.Open(ctx, b.Sensor); !errors.Is(err, edr.ErrSessionBusy) || s != nil {
		t.Errorf("second Open = %v, %v", s, err)
	}
}

func attach(t *testing.T, ctx context.Context, b Backend) {
	first := open(t, ctx, b)
	if _, err := power[edr.Processes](t, first).Processes(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := b.Server.Attach(ctx, first.Info().ID)
	if err != nil {
		t.Fatalf("Attach: %v", err)
	}
	after, again := edr.NoCommand, power[edr.Processes](t, s)
	traced := edr.WithTrace(ctx, &edr.Trace{Submitting: func(_ context.Context, _, _, _ string, last int64) error {
		after = last
		return nil
	}})
	if _, err := again.Processes(traced); err != nil {
		t.Errorf("Processes: %v", err)
	}
	if all, err := s.Commands(ctx); err != nil || len(all) != 2 || after != all[0].ID {
		t.Errorf("highest command id known is %d, commands are %+v, %v", after, all, err)
	}
	if err := b.Server.CloseSession(ctx, s.Info().ID); err != nil {
		t.Errorf("CloseSession: %v", err)
	}
	if _, err := b.Server.Attach(ctx, s.Info().ID); !errors.Is(err, edr.ErrSessionGone) {
		t.Errorf("Attach of a closed session = %v", err)
	}
}

func gone(t *testing.T, ctx context.Context, b Backend) {
	s := open(t, ctx, b)
	if err := b.Server.CloseSession(ctx, s.Info().ID); err != nil {
		t.Fatal(err)
	}
	if err := b.Server.CloseSession(ctx, s.Info().ID); err != nil {
		t.Errorf("closing again: %v", err)
	}
	ran := false
	traced := edr.WithTrace(ctx, &edr.Trace{Submitted: func(context.Context, edr.Command) { ran = true }})
	if err := power[edr.Processes](t, s).Kill(traced, 1); !errors.Is(err, edr.ErrSessionGone) || errors.Is(err, edr.ErrAmbiguous) {
		t.Errorf("Kill = %v, want ErrSessionGone and nothing left unclear", err)
	}
	if ran {
		t.Error("the command was taken: a closed session is no fence")
	}
}

func commandsOfClosed(t *testing.T, ctx context.Context, b Backend) {
	s := open(t, ctx, b)
	if _, err := power[edr.Processes](t, s).Processes(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	all, err := b.Server.Commands(ctx, s.Info().ID)
	if b.ForgetsClosed && errors.Is(err, edr.ErrSessionGone) {
		return
	}
	if err != nil || len(all) != 1 || all[0].Name != "process list" || all[0].Status != edr.CommandComplete {
		t.Errorf("Commands = %+v, %v", all, err)
	}
}

// contexts calls with contexts that have ended, and end.
func contexts(t *testing.T, ctx context.Context, b Backend) {
	s := power[edr.Processes](t, open(t, ctx, b))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for name, call := range map[string]func(context.Context) error{
		"Sensor":    func(ctx context.Context) error { _, err := b.Server.Sensor(ctx, b.Sensor); return err },
		"Sessions":  func(ctx context.Context) error { _, err := b.Server.Sessions(ctx); return err },
		"Open":      func(ctx context.Context) error { _, err := b.Server.Open(ctx, b.Sensor); return err },
		"Processes": func(ctx context.Context) error { _, err := s.Processes(ctx); return err },
		"Kill":      func(ctx context.Context) error { return s.Kill(ctx, 1) },
	} {
		if err := call(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context = %v", name, err)
		}
	}
	short, stop := context.WithTimeout(ctx, time.Millisecond)
	defer stop()
	if _, err := s.Processes(short); err != nil && !errors.Is(err, edr.ErrTimeout) {
		t.Errorf("Processes within 1 ms = %v, want ErrTimeout", err)
	}
}
