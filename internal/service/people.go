package service

import (
	"context"
	"errors"
	"fmt"

	"edrpipe/internal/pager"
	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
)

// openPager makes the notifications to people, if the configuration has a channel.
func (s *Service) openPager(ctx context.Context) error {
	senders, err := s.senders()
	if err != nil || len(senders) == 0 {
		return err
	}
	c := s.cfg.Notify
	quiet, err := pager.ParseQuiet(c.Quiet)
	if err != nil {
		return fmt.Errorf("notify.quiet: %w", err)
	}
	marks, err := s.bus.Bucket(ctx, bus.BucketControl)
	if err != nil {
		return err
	}
	s.pager = &pager.Pager{
		Needs: func(ctx context.Context) ([]web.Need, error) {
			o, err := s.console.Overview(ctx, 1)
			return o.Needs, err
		},
		Senders: senders, Marks: marks, Repeat: c.Repeat, Quiet: quiet, Service: s.cfg.Title(), Link: c.Link, Now: s.clock.Now, Log: s.log,
	}
	return nil
}

// senders are the ways to people that the configuration names.
func (s *Service) senders() ([]pager.Sender, error) {
	c := s.cfg.Notify
	var all []pager.Sender
	for _, hook := range []struct {
		key, file string
		chat      bool
	}{{"webhook", c.Webhook, false}, {"slack", c.Slack, true}, {"teams", c.Teams, true}} {
		if hook.file == "" {
			continue
		}
		address, err := secret(hook.file)
		if err != nil {
			return nil, fmt.Errorf("notify.%s_file: %w", hook.key, err)
		}
		all = append(all, pager.Hook{Label: hook.key, URL: address, Chat: hook.chat})
	}
	if c.SMTP == "" {
		return all, nil
	}
	if c.From == "" || len(c.To) == 0 {
		return nil, errors.New("notify.smtp needs notify.from and notify.to")
	}
	mail := pager.Mail{Server: c.SMTP, User: c.User, From: c.From, To: c.To}
	if err := readPassword(c.Password, &mail.Password); err != nil {
		return nil, fmt.Errorf("notify.smtp_password_file: %w", err)
	}
	return append(all, mail), nil
}
