package actions

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/expression"
)

// Options is embedded in the parameters of actions that run programs. Without
// allow_options, text from an event that a program would read as an option is
// refused as an argument.
type Options struct {
	AllowOptions bool `json:"allow_options" literal:"true" doc:"let text from the event begin with -, / or @, as options do"`
}

// Refused returns why a call may not be made on a platform, where only its values
// and what the rule wrote tell; nil where nothing speaks against it. written are
// the parameters before their evaluation. Run makes the same check.
func Refused(params any, written map[string]any, os edr.OS) error {
	if p, ok := params.(interface {
		refusedOn(os edr.OS, written map[string]any) error
	}); ok {
		return p.refusedOn(os, written)
	}
	return nil
}

// argumentsOf are the arguments of one program.
type argumentsOf struct {
	flags, args []string
	Options
	Reach
}

// checkArgs refuses arguments that hold event text and would be read as an option,
// or that lead to another computer. written are the step's parameters before their
// evaluation: they tell which arguments the rule alone decides.
func checkArgs(program string, os edr.OS, written map[string]any, of argumentsOf) error {
	ended := slices.Contains(of.flags, "--")
	for i, arg := range of.args {
		lead, fixed := leadOf(written["args"], i)
		if fixed {
			ended = ended || arg == "--"
			continue
		}
		rest := strings.TrimPrefix(arg, lead)
		if begins := optionOf(os, rest); !of.AllowOptions && !ended && strings.Trim(lead, optionLeads+" ") == "" && begins != "" {
			return fmt.Errorf("run %s: argument %s comes from the event and begins with %s, as an option does: put -- before it where the program knows that, or say allow_options: true", edr.Quote(shorten(program)), edr.Quote(shorten(arg)), begins)
		}
		if why := beyondArgument(os, rest); !of.Remote && why != "" {
			return fmt.Errorf("run %s: argument %s comes from the event and %s: where the rule means it, the step says remote: true", edr.Quote(shorten(program)), edr.Quote(shorten(arg)), why)
		}
	}
	return nil
}

// leadOf returns what the rule itself wrote at the begin of argument i, and
// whether that is all of it.
func leadOf(written any, i int) (lead string, fixed bool) {
	var text any
	switch list := written.(type) {
	case []any:
		if i < len(list) {
			text = list[i]
		}
	case []string:
		if i < len(list) {
			text = list[i]
		}
	}
	s, ok := text.(string)
	if !ok {
		return "", false // the list itself is an expression
	}
	return expression.Lead(s)
}

// optionLeads are the characters with which options begin: the last ones are what
// Windows may turn into a hyphen, a slash or an at sign for programs that read
// their command line in an ANSI code page.
const optionLeads = "-/@\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u2044\u2215\uff0f\uff20\ufe6b"

// optionOf returns the character by which an argument begins like an option; ""
// for one that does not. Elsewhere than on Windows a slash begins a path.
func optionOf(os edr.OS, arg string) string {
	arg = strings.TrimLeft(arg, " \t")
	first, size := utf8.DecodeRuneInString(arg)
	if size == 0 || first == '/' && (os == edr.Linux || os == edr.MacOS) || !strings.ContainsRune(optionLeads, first) {
		return ""
	}
	return string(first)
}

// inside finds paths that stand behind an option's name or in a list.
var inside = regexp.MustCompile(`(?:^|[=,;"'\s]|[^\s:][^\s:]:)((?:\\\\|//)[^\s"',;]*)`)

// beyondArgument reports why an argument leads to another computer or a device.
// It may be anything, also an address of the web: only paths are judged.
func beyondArgument(os edr.OS, arg string) string {
	for _, found := range inside.FindAllStringSubmatchIndex(arg, -1) {
		if strings.HasSuffix(arg[:found[2]], ":") && arg[found[2]] == '/' {
			continue // https://
		}
		if why := beyond(arg[found[2]:found[3]]); why != "" {
			return why
		}
	}
	if os == edr.Linux || os == edr.MacOS || !strings.HasPrefix(arg, "/") {
		if strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, `\`) {
			return beyond(arg)
		}
	}
	return ""
}
