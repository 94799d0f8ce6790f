package expression

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/events"
)

// A form is how the texts of a field look in every event. A constant that does not
// look so can never be equal to the field.
type form struct {
	// whole reports what is wrong with a text that is compared with all of the field.
	whole func(text string) (message, instead string)
	// piece reports what is wrong with a text that is to be found within the field;
	// nil: nothing can be.
	piece func(text string) (message, instead string)
	lower bool // the field has no capital letters
}

// formsByName are the forms by the form tag of fields.
var formsByName = map[string]*form{
	"md5":    hashForm("an MD5", 32),
	"sha256": hashForm("a SHA-256", 64),
	"path":   {whole: wholePath, piece: piecePath},
	"name":   {whole: wholeName, piece: wholeName},
	"reg":    {whole: wholeRegistryPath, piece: pieceRegistryPath},
	"ext":    {whole: wholeExtension, piece: wholeExtension, lower: true},
	"ip":     {whole: wholeAddress, piece: pieceAddress, lower: true},
	"domain": {whole: wholeDomain, piece: pieceDomain, lower: true},
	"word":   {lower: true},
	"os":     {lower: true},
}

func hashForm(name string, digits int) *form {
	digitsOnly := func(text string) bool { return strings.Trim(text, "0123456789abcdefABCDEF") == "" }
	return &form{
		lower: true,
		whole: func(text string) (string, string) {
			switch {
			case !digitsOnly(text) || len(text) != digits:
				return fmt.Sprintf("%s has %d hex digits, and this text has not", name, digits), ""
			case text != asciiLower(text):
				return name + " is in lower case in events", asciiLower(text)
			}
			return "", ""
		},
		piece: func(text string) (string, string) {
			switch {
			case !digitsOnly(text):
				return name + " has hex digits only", ""
			case text != asciiLower(text):
				return name + " is in lower case in events", asciiLower(text)
			}
			return "", ""
		},
	}
}

// capitals is the complaint about a text with capitals where there are none.
func capitals(what, text string) (string, string) {
	if lower := asciiLower(text); lower != text {
		return what + " are in lower case in events", lower
	}
	return "", ""
}

// starred reports whether a text has the wildcards of a Windows file name, which no file
// has in its name.
func starred(text string) bool {
	lower := asciiLower(text)
	for _, device := range []string{`\??\`, `\\?\`} { // events have paths with these in front
		text = strings.TrimPrefix(text, device)
	}
	windows := strings.Contains(text, `\`) || strings.HasSuffix(lower, ".exe") || strings.HasSuffix(lower, ".dll")
	return windows && strings.ContainsAny(text, "*?")
}

const starMessage = "a star or question mark is a character like any other here: use glob(…)"

func wholePath(text string) (string, string) {
	switch {
	case starred(text):
		return starMessage, ""
	case strings.HasPrefix(text, "%"):
		return "paths in events are written out, without environment variables", ""
	case doubled(text):
		return "the path has each backslash twice: back quotes take them as they are", single(text)
	case isDrive(text) && strings.Contains(text, "/"):
		return "Windows paths have backslashes in events", asciiLower(strings.ReplaceAll(text, "/", `\`))
	case events.NormalPath(text) != text:
		return "Windows paths are in lower case in events", events.NormalPath(text)
	}
	return "", ""
}

func piecePath(text string) (string, string) {
	switch {
	case strings.HasPrefix(text, "%") && strings.Count(text, "%") > 1:
		return "paths in events are written out, without environment variables", ""
	case starred(text):
		return starMessage, ""
	case doubled(text):
		return "the path has each backslash twice: back quotes take them as they are", single(text)
	case strings.Contains(text, `\`) || isDrive(text) || events.NormalPath(text) != text:
		return capitals("Windows paths", text)
	}
	return "", ""
}

func isDrive(text string) bool { return len(text) > 2 && text[1] == ':' }

// doubled reports whether a text looks like one whose backslashes were doubled: the
// two at its beginning are those of a network path.
func doubled(text string) bool { return len(text) > 2 && strings.Contains(text[1:], `\\`) }

func single(text string) string { return strings.ReplaceAll(text, `\\`, `\`) }

func wholeName(text string) (string, string) {
	if i := strings.LastIndexAny(text, `\/`); i >= 0 {
		return "this is the last part of a path, without separators", asciiLower(text[i+1:])
	}
	if starred(text) {
		return starMessage, ""
	}
	if events.NormalPath(text) != text {
		return "names of Windows programs are in lower case in events", events.NormalPath(text)
	}
	return "", ""
}

func wholeExtension(text string) (string, string) {
	if strings.HasPrefix(text, ".") {
		return "an extension stands without the dot", asciiLower(text[1:])
	}
	return capitals("extensions", text)
}

func wholeRegistryPath(text string) (string, string) {
	if doubled(text) {
		return "the path has each backslash twice: back quotes take them as they are", single(text)
	}
	if normal := events.NormalRegistryPath(text); normal != text {
		return "registry paths begin with HKLM, HKEY_USERS … and are in lower case after that", normal
	}
	return "", ""
}

func pieceRegistryPath(text string) (string, string) {
	const message = "registry paths begin with HKLM, HKEY_USERS … and are in lower case after that"
	if doubled(text) {
		return "the path has each backslash twice: back quotes take them as they are", single(text)
	}
	if normal := events.NormalRegistryPath(text); normal != text {
		return message, normal
	}
	root, rest, found := strings.Cut(text, `\`)
	if !strings.HasPrefix(root, "HK") { // not the end of a root, as in LM\software
		root = asciiLower(root)
	}
	corrected := root
	if found {
		corrected += `\` + asciiLower(rest)
	}
	if corrected != text {
		return message, corrected
	}
	return "", ""
}

func wholeAddress(text string) (string, string) {
	a, err := netip.ParseAddr(text)
	switch {
	case strings.Contains(text, "/"):
		return "this is a network, and the field holds one address: use cidr(…)", ""
	case err != nil:
		return "this is not an IP address", ""
	case a.Unmap().WithZone("").String() != text:
		return "addresses stand in their shortest form in events", a.Unmap().WithZone("").String()
	}
	return "", ""
}

func pieceAddress(text string) (string, string) {
	if strings.Trim(text, "0123456789abcdefABCDEF.:") != "" {
		return "an IP address has no such characters", ""
	}
	return capitals("addresses", text)
}

func wholeDomain(text string) (string, string) {
	switch normal := strings.TrimRight(asciiLower(text), "."); {
	case strings.Contains(text, "/"):
		return "this is a URL, and the field holds a domain", ""
	case strings.HasPrefix(text, "*."):
		return "a star is a character like any other here: use glob(…), or endsWith", ""
	case normal != text:
		return "domains are in lower case in events, without a dot at the end", normal
	}
	return "", ""
}

func pieceDomain(text string) (string, string) {
	if strings.Contains(text, "/") {
		return "this is a URL, and the field holds a domain", ""
	}
	return capitals("domains", text)
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// wordsMessage says that a text is none of a field's words; "" when it is one. Fold
// disregards case.
func wordsMessage(words []string, text string, fold bool) (message, instead string) {
	if text == "" || slices.Contains(words, "#") && strings.Trim(text, "0123456789") == "" {
		return "", ""
	}
	for _, w := range words {
		if w == text || fold && strings.EqualFold(w, text) {
			return "", ""
		}
	}
	named := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "#" })
	return "it is one of " + strings.Join(named, ", "), nearWord(text, named)
}

// nearWord is the word that a text probably means; "" when none is near.
func nearWord(text string, words []string) string {
	if known, ok := otherWords[asciiLower(text)]; ok && slices.Contains(words, known) {
		return known
	}
	for _, w := range words {
		if strings.EqualFold(w, text) {
			return w
		}
	}
	if near := nearest.Word(text, words); near != "" {
		return near
	}
	for _, w := range words {
		if len(text) > 1 && strings.HasPrefix(w, asciiLower(text)) {
			return w
		}
	}
	return ""
}

// otherWords are the words of other products for those of this one.
var otherWords = map[string]string{
	"macos": "osx", "mac": "osx", "darwin": "osx", "win": "windows", "success": "ok", "succeeded": "ok", "error": "failed",
	"setvalue": "writeval", "set_value": "writeval", "createvalue": "writeval", "deletekey": "delkey", "deletevalue": "delval",
	"egress": "outbound", "ingress": "inbound", "modify": "write", "dc": "domain_controller", "remotethread": "remote_thread",
	"pe": "Pe", "exe": "Pe",
}
