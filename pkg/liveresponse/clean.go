package liveresponse

import (
	"strings"
	"unicode"
)

// MaxReason bounds what of a server's text goes into an error, in bytes.
const MaxReason = 300

// Clean makes a server's text fit for one line of a log: an error page may be
// long, hold control characters, or show the request's headers. secret is replaced.
func Clean(body, secret string) string {
	s := body
	if secret != "" {
		s = strings.ReplaceAll(s, secret, "[token]")
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > MaxReason {
		s = strings.ToValidUTF8(s[:MaxReason], "") + "…"
	}
	return s
}
