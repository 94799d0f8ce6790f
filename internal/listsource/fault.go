package listsource

import "errors"

// Errors of what a server answered. The list from before stays in force.
var (
	ErrUnreachable = errors.New("the server does not answer with the list")
	ErrTooLarge    = errors.New("the answer is larger than max_bytes")
	ErrTooMany     = errors.New("the answer has more entries than max_entries")
	ErrDigest      = errors.New("the answer has another digest than its checksum")
	ErrFormat      = errors.New("the answer is not of the format")
	ErrEmpty       = errors.New("the answer has no entry for the list")
	ErrShrunk      = errors.New("the list lost too many entries at once")
	ErrNoList      = errors.New("there is no such list beside the rules")
	ErrKeep        = errors.New("the list is in force and cannot be kept for the next start")
)

// cures are what to do, in the order in which they are looked for.
var cures = []struct {
	is   error
	cure string
}{
	{ErrTooLarge, "raise max_bytes if so large a list is meant"},
	{ErrTooMany, "raise max_entries if so long a list is meant"},
	{ErrDigest, "compare url and checksum_url by hand; if they differ for long, ask the publisher"},
	{ErrFormat, "look at the answer: url, format and column must fit it"},
	{ErrEmpty, "look at the answer: url, format, column and the type of the list must fit it"},
	{ErrShrunk, "if it is meant, delete the list's file in the data directory's lists and restart"},
	{ErrNoList, "write lists/NAME.txt beside the rules, with # type: and # empty: ok at its top"},
	{ErrKeep, "make room or give the service the right to write in its data directory"},
	{ErrUnreachable, "see that the address answers from here, its certificate is valid, and egress lets it through"},
}

func cureOf(err error) string {
	for _, c := range cures {
		if errors.Is(err, c.is) {
			return c.cure
		}
	}
	return "see that the address answers from here"
}
