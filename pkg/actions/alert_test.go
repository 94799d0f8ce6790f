package actions

import (
	"context"
	"errors"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// alertServer bans by SHA-256 and has alerts.
type alertServer struct {
	edr.Server
	banned, closed, noted string
	how                   edr.AlertClosing
}

func (s *alertServer) Name() string         { return "cloud" }
func (s *alertServer) BansBy() edr.HashKind { return edr.SHA256 }
func (s *alertServer) Ban(_ context.Context, hash, _ string) error {
	s.banned = hash
	return nil
}
func (s *alertServer) Unban(context.Context, string) error { s.banned = ""; return nil }
func (s *alertServer) Banned(_ context.Context, hash string) (bool, error) {
	return s.banned == hash, nil
}
func (s *alertServer) CloseAlert(_ context.Context, id string, how edr.AlertClosing) error {
	s.closed, s.how = id, how
	return nil
}
func (s *alertServer) NoteAlert(_ context.Context, id, note string) error {
	s.noted = id + ": " + note
	return nil
}

func TestBanUsesTheDigestOfTheServer(t *testing.T) {
	t.Parallel()
	s := &alertServer{}
	task := &Task{Server: s}
	md5, sha := MD5(strings.Repeat("a", 32)), SHA256(strings.Repeat("b", 64))
	ban, err := task.hashBan(BanHashParams{MD5: md5, SHA256: sha})
	if err != nil {
		t.Fatal(err)
	}
	if err := ban.set(t.Context(), true); err != nil || s.banned != string(sha) {
		t.Errorf("ban = %v, banned %q", err, s.banned)
	}
	if _, err := task.hashBan(BanHashParams{MD5: md5}); !errors.Is(err, edr.ErrUnsupported) || !strings.Contains(err.Error(), "bans by sha256") {
		t.Errorf("ban by MD5 only = %v", err)
	}
}

func TestAlertsAreClosedAndNoted(t *testing.T) {
	t.Parallel()
	s := &alertServer{}
	task := &Task{Server: s, Job: JobRef{ID: "j1"}, Event: &events.Event{Alert: events.Alert{ID: "a1"}}}
	run := func(name string, params any) error {
		action, ok := Lookup(name)
		if !ok {
			t.Fatalf("no action %s", name)
		}
		_, err := action.Run(t.Context(), task, params)
		return err
	}
	if err := run("close_alert", CloseAlertParams{Reason: "RESOLVED", Note: "isolated"}); err != nil || s.closed != "a1" || s.how.Note != "edrpipe job j1: isolated" {
		t.Errorf("close_alert: %v, %q %+v", err, s.closed, s.how)
	}
	if err := run("note_alert", NoteAlertParams{Alert: "a2", Note: "done"}); err != nil || s.noted != "a2: edrpipe job j1: done" {
		t.Errorf("note_alert: %v, %q", err, s.noted)
	}
	task.Event = &events.Event{}
	if err := run("close_alert", CloseAlertParams{}); err == nil {
		t.Error("an alert without an id was closed")
	}
}
