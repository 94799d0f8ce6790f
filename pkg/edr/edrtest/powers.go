package edrtest

import (
	"context"
	"errors"
	"testing"

	"edrpipe/pkg/edr"
)

func isolation(t *testing.T, ctx context.Context, b Backend) {
	i, ok := b.Server.(edr.Isolator)
	if !ok {
		t.Skip("server cannot isolate")
	}
	for _, want := range []bool{true, true, false, false} {
		if err := i.SetIsolation(ctx, b.Sensor, want); err != nil {
			t.Fatalf("SetIsolation(%v): %v", want, err)
		}
		s, err := b.Server.Sensor(ctx, b.Sensor)
		if err != nil {
			t.Fatal(err)
		}
		asked := s.Isolation == edr.Isolated || s.Isolation == edr.IsolateRequested
		if asked != want {
			t.Errorf("after SetIsolation(%v) the sensor is %s", want, s.Isolation)
		}
	}
}

func banning(t *testing.T, ctx context.Context, b Backend) {
	banner, ok := b.Server.(edr.HashBanner)
	if !ok {
		t.Skip("server cannot ban")
	}
	hash := map[edr.HashKind]string{
		edr.MD5:    "d41d8cd98f00b204e9800998ecf8427e",
		edr.SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	}[banner.BansBy()]
	if hash == "" {
		t.Fatalf("bans by %q, which is no known digest", banner.BansBy())
	}
	expect := func(want bool) {
		t.Helper()
		if got, err := banner.Banned(ctx, hash); err != nil || got != want {
			t.Errorf("Banned = %v, %v, want %v", got, err, want)
		}
	}
	expect(false)
	for range 2 {
		if err := banner.Ban(ctx, hash, "conformance test"); err != nil {
			t.Fatalf("Ban: %v", err)
		}
		expect(true)
	}
	for range 2 {
		if err := banner.Unban(ctx, hash); err != nil {
			t.Fatalf("Unban: %v", err)
		}
		expect(false)
	}
	if err := banner.Ban(ctx, "not a hash", ""); err == nil {
		t.Error("a hash that is none was banned")
	}
}

// refusal hides a session's powers and wants them refused by name.
func refusal(t *testing.T, ctx context.Context, b Backend) {
	bare := struct{ edr.Session }{open(t, ctx, b)}
	_, err := edr.As[edr.Registry](bare)
	var refused *edr.UnsupportedError
	if !errors.As(err, &refused) || refused.Power != edr.PowerRegistry || !errors.Is(err, edr.ErrUnsupported) {
		t.Errorf("As = %v, want a refusal of the registry", err)
	}
}
