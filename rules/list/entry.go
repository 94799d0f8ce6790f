package list

import (
	"fmt"
	"net/netip"
	"strings"
)

// entry is a value of a file with its place.
type entry struct {
	text   string
	line   int
	column int // from 1, in characters
}

// A complaint is the reason why a value cannot be an entry; the message is "" for a
// valid one.
type complaint struct{ message, hint string }

// normalFor gives a value in the normal form of a kind, or why it is none of it.
func normalFor(kind Kind, text string) (string, complaint) {
	switch kind {
	case Hash:
		return normalHash(text)
	case IP:
		return normalAddress(text)
	case Domain:
		return normalName(text)
	case Path:
		return wholePath(text)
	}
	return text, complaint{}
}

func normalHash(text string) (string, complaint) {
	lower := strings.ToLower(text)
	switch {
	case strings.Trim(lower, "0123456789abcdef") != "":
		return "", complaint{"this is not a hash", "a hash is 32 (MD5) or 64 (SHA-256) hex digits"}
	case len(text) == 40:
		return "", complaint{"this is a SHA-1, which events do not carry", "give the MD5 or SHA-256"}
	case len(text) != 32 && len(text) != 64:
		return "", complaint{fmt.Sprintf("this has %d hex digits and is no hash", len(text)), "an MD5 has 32, a SHA-256 64"}
	}
	return lower, complaint{}
}

func normalAddress(text string) (string, complaint) {
	text = refanged(text)
	if p, err := prefixOf(text); err == nil {
		switch {
		case p.Masked() != p:
			return "", complaint{"the network has bits set outside its prefix", "did you mean " + p.Masked().String() + "?"}
		case p.Bits() == 0:
			return "", complaint{"this network is every address", "remove it"}
		case p.IsSingleIP():
			return p.Addr().String(), complaint{}
		}
		return p.String(), complaint{}
	}
	switch {
	case strings.Contains(text, "://"):
		return "", complaint{"this is a URL, not an address", "give its host"}
	case isAddressWithPort(text):
		return "", complaint{"this is an address with a port", "leave the port out"}
	case strings.Contains(text, "-"):
		return "", complaint{"a range of addresses is not understood", "write networks, as in 10.0.0.0/8"}
	case strings.Contains(text, "*"):
		return "", complaint{"a star in an address is not understood", "write a network, as in 10.0.0.0/8"}
	}
	return "", complaint{"this is not an IP address or network", ""}
}

func isAddressWithPort(text string) bool {
	_, err := netip.ParseAddrPort(text)
	return err == nil
}

// refanged undoes what makes a dangerous address harmless in a report: 203[.]0[.]113[.]9.
func refanged(text string) string {
	text = fangs.Replace(text)
	if rest, ok := strings.CutPrefix(strings.ToLower(text), "hxxp"); ok {
		text = "http" + rest
	}
	return text
}

var fangs = strings.NewReplacer("[.]", ".", "(.)", ".", "[dot]", ".", "(dot)", ".", "{.}", ".", "[:]", ":")

func normalName(text string) (string, complaint) {
	text = normalDomain(refanged(text))
	name := strings.TrimPrefix(text, "*.")
	switch {
	case strings.Contains(text, "://") || strings.Contains(text, "/"):
		return "", complaint{"this is a URL, not a domain", "give its host"}
	case strings.ContainsAny(name, "*?"):
		return "", complaint{"a star may only stand for the first labels: *.example.com", ""}
	case strings.ContainsAny(name, " \t,;:@\\"):
		return "", complaint{"this is not a domain", ""}
	case name == "" || strings.Contains(name, ".."):
		return "", complaint{"this is not a domain", ""}
	}
	return text, complaint{}
}

func wholePath(text string) (string, complaint) {
	switch {
	case strings.ContainsAny(text, "*?"):
		return "", complaint{"a list has whole paths, without wildcards", "use glob(…) in the rule"}
	case strings.HasPrefix(text, "%") || strings.HasPrefix(text, "$"):
		return "", complaint{"events have paths written out, without variables", ""}
	case !strings.ContainsAny(text, `\/`):
		return "", complaint{"this is a name, not a path", "a list of names is of type text"}
	}
	return normalPath(text), complaint{}
}

// kindOf is the kind of more than half of the values.
func kindOf(values []entry) Kind {
	counts := map[Kind]int{}
	for _, v := range values {
		for _, kind := range []Kind{Hash, IP, Domain, Path} {
			if looksLike(kind, v.text) {
				counts[kind]++
				break
			}
		}
	}
	for _, kind := range []Kind{Hash, IP, Domain, Path} {
		if 2*counts[kind] > len(values) {
			return kind
		}
	}
	return Text
}

// looksLike reports whether a value can hardly be meant for anything else.
func looksLike(kind Kind, text string) bool {
	switch kind {
	case Path:
		return strings.HasPrefix(text, "/") || strings.HasPrefix(text, `\\`) || len(text) > 2 && text[1] == ':' && text[2] == '\\'
	case Domain: // cmd.exe may be a domain or a file: it is found either way
		return strings.HasPrefix(text, "*.") || refanged(text) != text && strings.Contains(text, ".")
	}
	_, wrong := normalFor(kind, text)
	return wrong.message == ""
}
