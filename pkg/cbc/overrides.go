package cbc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"edrpipe/pkg/edr"
)

// Override is a reputation override on the black list: a banned binary.
type Override struct {
	ID          string `json:"id"`
	SHA256      string `json:"sha256"`
	Filename    string `json:"filename,omitempty"`
	Description string `json:"description,omitempty"`
	CreatedBy   string `json:"created_by,omitempty"`
}

type overrideJSON struct {
	ID          text `json:"id"`
	List        text `json:"override_list"`
	Type        text `json:"override_type"`
	SHA256      text `json:"sha256_hash"`
	Filename    text `json:"filename"`
	Description text `json:"description"`
	CreatedBy   text `json:"created_by"`
}

// BansBy is the only digest that the product bans by.
func (c *Client) BansBy() edr.HashKind { return edr.SHA256 }

// Ban keeps the binary with that SHA-256 from running on the organisation's devices,
// some time later. Banning it again is no error and makes no second override.
func (c *Client) Ban(ctx context.Context, sha256, reason string) error {
	sha256, err := hashName(sha256)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if found, err := c.Overrides(ctx, sha256); err != nil || len(found) > 0 {
			return err
		}
		err := c.do(ctx, call{method: http.MethodPost, path: c.app("/reputations/overrides"), order: urgent, body: map[string]any{
			"override_list": "BLACK_LIST", "override_type": "SHA256", "sha256_hash": sha256,
			"filename": "edrpipe-" + sha256[:12], "description": reason,
		}})
		var e *Error
		if err == nil || !errors.As(err, &e) || e.Status != 0 && e.Status < 500 || try >= c.cfg.Tries || ctx.Err() != nil {
			return err
		}
		// The request may have arrived: look again before it is repeated.
	}
}

// Unban removes all overrides of the hash. Unbanning one that is not banned is no
// error.
func (c *Client) Unban(ctx context.Context, sha256 string) error {
	sha256, err := hashName(sha256)
	if err != nil {
		return err
	}
	found, err := c.Overrides(ctx, sha256)
	if err != nil {
		return err
	}
	for _, o := range found {
		err := c.do(ctx, call{method: http.MethodDelete, path: c.app("/reputations/overrides/" + url.PathEscape(o.ID)), repeat: true})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// Banned reports whether the hash is banned now.
func (c *Client) Banned(ctx context.Context, sha256 string) (bool, error) {
	sha256, err := hashName(sha256)
	if err != nil {
		return false, err
	}
	found, err := c.Overrides(ctx, sha256)
	return len(found) > 0, err
}

// Overrides lists the black list's overrides of a SHA-256.
func (c *Client) Overrides(ctx context.Context, sha256 string) ([]Override, error) {
	var got struct {
		Results list[overrideJSON] `json:"results"`
	}
	err := c.do(ctx, call{
		method: http.MethodPost, path: c.app("/reputations/overrides/_search"), out: &got, repeat: true, order: urgent,
		body: map[string]any{
			"criteria": map[string]any{"override_list": []string{"BLACK_LIST"}, "override_type": []string{"SHA256"}},
			"query":    sha256, "rows": 100,
		},
	})
	if err != nil {
		return nil, err
	}
	var all []Override
	for _, o := range got.Results {
		if strings.EqualFold(string(o.SHA256), sha256) && o.List == "BLACK_LIST" && o.ID != "" {
			all = append(all, Override{string(o.ID), strings.ToLower(string(o.SHA256)), string(o.Filename), string(o.Description), string(o.CreatedBy)})
		}
	}
	return all, nil
}

// hashName checks a SHA-256.
func hashName(sha256 string) (string, error) {
	if b, err := hex.DecodeString(sha256); err != nil || len(b) != 32 {
		return "", fmt.Errorf("%.80q is not a SHA-256: Carbon Black Cloud bans by 64 hex digits", sha256)
	}
	return strings.ToLower(sha256), nil
}
