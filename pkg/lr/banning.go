package lr

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"edrpipe/pkg/edr"
)

// Ban is a banned, or once banned, binary.
type Ban struct {
	MD5       string    `json:"md5"`
	Reason    string    `json:"reason"`
	Enabled   bool      `json:"enabled"`
	User      string    `json:"user,omitempty"`
	Blocked   int       `json:"blocked"` // how often it was stopped from running
	LastHost  string    `json:"last_host,omitempty"`
	LastBlock time.Time `json:"last_block,omitzero"`
}

type banJSON struct {
	MD5       text   `json:"md5hash"`
	Text      text   `json:"text"`
	Enabled   flag   `json:"enabled"`
	Username  text   `json:"username"`
	Blocks    number `json:"block_count"`
	LastHost  text   `json:"last_block_hostname"`
	LastBlock moment `json:"last_block_time"`
}

// BansBy is the digest that the server bans by.
func (c *Client) BansBy() edr.HashKind { return edr.MD5 }

// Ban stops the binary with that MD5 from running on every sensor. Banning it
// again is no error. A server whose licence has ended may take a ban that no sensor
// follows: it is refused here, as edr.ErrLicence.
func (c *Client) Ban(ctx context.Context, md5, reason string) error {
	md5, err := hashName(md5)
	if err != nil {
		return err
	}
	if err := c.licensed(ctx); errors.Is(err, edr.ErrLicence) {
		return fmt.Errorf("ban of %s: %w", md5, err)
	}
	return c.do(ctx, call{method: http.MethodPost, path: banPath, repeat: true, body: map[string]any{
		"md5hash": md5, "text": reason, "enabled": true,
		"last_ban_time": "0", "ban_count": "0", "last_ban_host": "0",
	}})
}

// Unban lets the binary run again; the server keeps a disabled record.
// Unbanning a hash that is not banned is no error.
func (c *Client) Unban(ctx context.Context, md5 string) error {
	md5, err := hashName(md5)
	if err != nil {
		return err
	}
	err = c.do(ctx, call{method: http.MethodDelete, path: banPath + "/" + md5, repeat: true})
	var e *Error
	if errors.Is(err, ErrNotFound) || errors.As(err, &e) && strings.Contains(e.Reason, "does not exist") {
		return nil
	}
	return err
}

// Banned reports whether the hash is banned now.
func (c *Client) Banned(ctx context.Context, md5 string) (bool, error) {
	md5, err := hashName(md5)
	if err != nil {
		return false, err
	}
	var got banJSON
	err = c.do(ctx, call{method: http.MethodGet, path: banPath + "/" + md5, out: &got, repeat: true})
	var e *Error
	if errors.Is(err, ErrNotFound) || errors.As(err, &e) && strings.Contains(e.Reason, "does not exist") {
		return false, nil
	}
	return bool(got.Enabled), err
}

// Bans lists all records, disabled ones too.
func (c *Client) Bans(ctx context.Context) ([]Ban, error) {
	var got list[banJSON]
	err := c.do(ctx, call{
		method: http.MethodGet, path: banPath, query: map[string][]string{"count": {strconv.Itoa(10000)}},
		out: &got, repeat: true,
	})
	if err != nil {
		return nil, err
	}
	bans := make([]Ban, len(got))
	for i, b := range got {
		bans[i] = Ban{
			MD5: string(b.MD5), Reason: string(b.Text), Enabled: bool(b.Enabled), User: string(b.Username),
			Blocked: int(b.Blocks), LastHost: string(b.LastHost), LastBlock: b.LastBlock.Time,
		}
	}
	return bans, nil
}

// hashName checks an MD5, which becomes part of a path.
func hashName(md5 string) (string, error) {
	if b, err := hex.DecodeString(md5); err != nil || len(b) != 16 {
		return "", fmt.Errorf("%.40q is not an MD5: want 32 hex digits", md5)
	}
	return strings.ToLower(md5), nil
}
