package pager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/smtp"
	"strings"
	"time"
)

// sendWithin bounds one message to one service.
const sendWithin = 15 * time.Second

// Hook posts a message to an address that is a secret. Chat posts {"text": …}, as
// Slack's and Teams' incoming webhooks take it; else the whole message is posted.
type Hook struct {
	Label string
	URL   string
	Chat  bool
	HTTP  *http.Client // nil: http.DefaultClient
}

// Name implements Sender.
func (h Hook) Name() string { return h.Label }

// Send implements Sender. No error repeats the address.
func (h Hook) Send(ctx context.Context, m Message) error {
	var body any = m
	if h.Chat {
		body = map[string]string{"text": m.Text()}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(data))
	if err != nil {
		return errors.New("the address in its file is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	client := h.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), h.URL, "…"))
	}
	defer func() { _ = res.Body.Close() }() // only read from
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}

// Mail sends a message by SMTP, with STARTTLS where the server offers it.
type Mail struct {
	Server, User, Password string // Server is host:port
	From                   string
	To                     []string
}

// Name implements Sender.
func (Mail) Name() string { return "mail" }

// Send implements Sender.
func (s Mail) Send(_ context.Context, m Message) error {
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return fmt.Errorf("notify.smtp: %w", err)
	}
	var auth smtp.Auth
	if s.User != "" {
		auth = smtp.PlainAuth("", s.User, s.Password, host) // refuses to send a password in clear text
	}
	return smtp.SendMail(s.Server, auth, s.From, s.To, s.letter(m))
}

// letter is the message with its headers. Texts of endpoints are in the body only.
func (s Mail) letter(m Message) []byte {
	subject := fmt.Sprintf("edrpipe %s needs you (%d)", m.Service, len(m.Needs))
	head := "From: " + s.From + "\r\nTo: " + strings.Join(s.To, ", ") + "\r\nSubject: " + mime.QEncoding.Encode("utf-8", subject) +
		"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
	return []byte(head + strings.ReplaceAll(m.Text(), "\n", "\r\n") + "\r\n")
}
