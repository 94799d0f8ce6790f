package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Bounds of what is remembered of other servers. Their names come from events.
const (
	maxOthers    = 20
	maxOtherName = 64 // runes
	restOfOthers = "(more)"
	noName       = "(none)"
)

// Other counts the events of a server that no configured one accepts.
type Other struct {
	Name string // "(none)": the events name no server; "(more)": of many names
	// Product is that of the events where their server, Taker, is of another one.
	Product, Taker string
	Events         int64
	Last           time.Time
}

// others counts by name.
type others struct {
	mu  sync.Mutex
	all map[otherKey]*Other
}

type otherKey struct{ name, product, taker string }

// count counts an event and returns the name that it is counted by.
func (o *others) count(e *OtherServer, at time.Time) string {
	k := otherKey{tidy(e.Name), e.Product, e.taking()}
	o.mu.Lock()
	defer o.mu.Unlock()
	one := o.all[k]
	if one == nil && len(o.all) >= maxOthers {
		k = otherKey{name: restOfOthers}
		one = o.all[k]
	}
	if one == nil {
		if o.all == nil {
			o.all = map[otherKey]*Other{}
		}
		one = &Other{Name: k.name, Product: k.product, Taker: k.taker}
		o.all[k] = one
	}
	one.Events++
	if at.After(one.Last) {
		one.Last = at
	}
	return k.name
}

// tidy makes a name from an event short and printable.
func tidy(name string) string {
	if name == "" {
		return noName
	}
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	if r := []rune(name); len(r) > maxOtherName {
		return strings.Clone(string(r[:maxOtherName]) + "…")
	}
	return strings.Clone(name)
}

// Others lists the servers of events that no configured one accepts, the most events
// first.
func (f *Fleet) Others() []Other {
	f.others.mu.Lock()
	defer f.others.mu.Unlock()
	list := make([]Other, 0, len(f.others.all))
	for _, one := range f.others.all {
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b Other) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Taker, b.Taker))
	})
	return list
}

// OthersText describes the events of other servers and the cure; "" if there were none.
func (f *Fleet) OthersText() string {
	var list []string
	for _, o := range f.Others() {
		n := grouped(o.Events) + " events"
		if o.Events == 1 {
			n = "1 event"
		}
		verb := "name"
		if o.Events == 1 {
			verb = "names"
		}
		switch {
		case o.Product != "":
			come := "come"
			if o.Events == 1 {
				come = "comes"
			}
			list = append(list, fmt.Sprintf("%s of %s %s to server %s, which is of another kind: bind the source to a server of theirs, or have the events name it", n, o.Product, come, o.Taker))
		case o.Name == noName:
			list = append(list, fmt.Sprintf("%s %s no server, and their source is bound to none of %s: bind it (sources.http.server and the like, or subjects edr.events.<server>.…)", n, verb, f.Title()))
		case o.Name == restOfOthers:
			list = append(list, fmt.Sprintf("%s %s further servers that no configured server accepts", n, verb))
		default:
			list = append(list, fmt.Sprintf("%s %s the server %s, which no configured server accepts: add it to accept", n, verb, o.Name))
		}
	}
	return strings.Join(list, "; ")
}

// grouped writes a number with a comma before each three digits.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
