package expression_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// TestGlobIsTheRegularExpression: on any text a pattern matches as the regular expression
// does in which * is any run of characters and ? any one.
func TestGlobIsTheRegularExpression(t *testing.T) {
	t.Parallel()
	letters := rapid.StringOfN(rapid.RuneFrom([]rune(`abB\.é?*[`)), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		text, pattern := letters.Draw(t, "text"), letters.Draw(t, "pattern")
		form := regexp.QuoteMeta(pattern)
		form = strings.ReplaceAll(strings.ReplaceAll(form, `\*`, `.*`), `\?`, `.`)
		for name, flags := range map[string]string{"glob": "(?s)", "iglob": "(?si)"} {
			f, _ := expression.FunctionNamed(name)
			p, err := expression.EventScope().Lenient().Condition(f.Name + "(process.user, " + quote(pattern) + ")")
			if err != nil {
				t.Fatal(err)
			}
			want := regexp.MustCompile(flags + "^" + form + "$").MatchString(text)
			got, err := p.Bool(&events.Event{Process: events.Process{User: text}})
			if err != nil || got != want {
				t.Fatalf("%s(%q, %q) = %v, %v, want %v", name, text, pattern, got, err, want)
			}
		}
	})
}

func quote(text string) string { return "`" + text + "`" }

func TestAddresses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ private, local bool }{ // local: in 10.0.0.0/8, fe80::/10 or ::1/128
		"10.0.0.0": {true, true}, "10.255.255.255": {true, true}, "::ffff:10.1.2.3": {true, true},
		"172.15.255.255": {}, "172.16.0.0": {private: true}, "172.31.255.255": {private: true}, "172.32.0.0": {},
		"192.168.7.7": {private: true}, "169.254.1.1": {private: true}, "127.0.0.1": {private: true}, "0.0.0.0": {private: true},
		"100.64.0.1": {}, "8.8.8.8": {}, "11.0.0.1": {}, "255.255.255.255": {},
		"::": {private: true}, "::1": {true, true}, "fe80::1": {true, true}, "fe80::1%eth0": {true, true}, "fd00::1": {private: true}, "2001:db8::1": {},
		"": {}, "x": {}, "10.1": {}, "10.1.2.3/8": {},
	}
	scope := expression.EventScope()
	private, err := scope.Condition("is_private(net.remote_ip)")
	if err != nil {
		t.Fatal(err)
	}
	local, err := scope.Condition(`cidr(net.remote_ip, "10.0.0.0/8", "fe80::/10", "::1/128")`)
	if err != nil {
		t.Fatal(err)
	}
	for ip, want := range tests {
		e := &events.Event{Net: events.Net{RemoteIP: ip}}
		if got, err := private.Bool(e); err != nil || got != want.private {
			t.Errorf("%q is private: %v, %v", ip, got, err)
		}
		if got, err := local.Bool(e); err != nil || got != want.local {
			t.Errorf("%q is in the networks: %v, %v", ip, got, err)
		}
	}
}

// TestFunctionsOnUnusualValues: empty ones, such that may be anything, too long ones.
func TestFunctionsOnUnusualValues(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]any{ // of error text: what the evaluation fails with
		`join(["", "a", ""], ",")`:                  ",a,",
		`join([], ",")`:                             "",
		`join([1, true, "x"], "-")`:                 "1-true-x",
		`join(raw.absent, ",")`:                     "",
		`join(raw.n, ",")`:                          errors.New("got a whole number where a list is needed"),
		`join(sensor.groups, ",")`:                  errors.New("the text is longer than 1024 KiB"),
		`iin(raw.absent, ["", "x"])`:                true,
		`iin(process.name, raw.absent)`:             false,
		`iin("5", raw.list)`:                        false,
		`iin("X", raw.list)`:                        true,
		`iin("x", raw.n)`:                           errors.New("got a whole number where a list is needed"),
		`icontains(raw.absent, "")`:                 true,
		`has(sensor.ids)`:                           false,
		`has(raw.list)`:                             true,
		`has(raw.empty)`:                            false,
		`has(raw.zero)`:                             false,
		`has(raw.absent.deep.deeper)`:               false,
		`any(raw.docs, has(#.nope.deep))`:           false,
		`any(raw.docs, has(#.x))`:                   true,
		`basename("a/b\\c")`:                        "c",
		`basename("c:\\")`:                          "",
		`glob("a", "a?")`:                           false,
		`glob("ab", "a?")`:                          true,
		`iglob("A", "a*?")`:                         false,
		`basename("x")`:                             "x",
		`dirname("a/b\\c")`:                         "a/b",
		`dirname("x")`:                              "",
		`fromJSON("{\"id\": 9007199254740993}").id`: 9007199254740993,
		`fromJSON("{")`:                             errors.New("not JSON"),
		`duration("1d2h") == duration("26h")`:       true,
	} {
		p, err := expression.EventScope().Lenient().Value(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		e := sample()
		e.Sensor.IDs = []string{}
		e.Sensor.Groups = []string{strings.Repeat("a", expression.MaxText/2), strings.Repeat("b", expression.MaxText/2)}
		e.Raw["list"], e.Raw["empty"], e.Raw["zero"] = []any{5, "x"}, map[string]any{}, 0
		got, err := p.Eval(e)
		if fails, ok := want.(error); ok {
			if err == nil || !strings.Contains(err.Error(), fails.Error()) {
				t.Errorf("%s: %v, %v, want the error %q", source, got, err, fails)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s = %v, %v, want %v", source, got, err, want)
		}
	}
}

// kinds are lists that know what they hold.
type kinds struct{ lists }

func (kinds) Kind(list string) string {
	return map[string]string{"hashes": "hash", "addresses": "ip", "names": "text"}[list]
}

func (kinds) Odd(list, kind string) (entry string, none bool) { return "", false }

// TestListsOfAnotherKind: a field that no value of a list can be is a mistake.
func TestListsOfAnotherKind(t *testing.T) {
	t.Parallel()
	scope := expression.EventScope().WithLists(kinds{lists{"hashes": nil, "addresses": nil, "names": nil, "mixed": nil}})
	for source, refused := range map[string]bool{
		`in_list(process.md5, "hashes")`:            false,
		`in_list(process.md5, "addresses")`:         true,
		`in_list(process.md5, "names")`:             false,
		`in_list(process.md5, "mixed")`:             false,
		`in_list(net.remote_ip, "addresses")`:       false,
		`in_list(net.remote_ip, "hashes")`:          true,
		`in_list(process.command_line, "hashes")`:   false, // any text
		`in_list(lower(process.path), "addresses")`: false,
	} {
		_, err := scope.Condition(source)
		if refused != (err != nil && strings.Contains(err.Error(), "is never in this list, which is of type")) {
			t.Errorf("%s: %v, want refused: %v", source, err, refused)
		}
	}
}
