package actions

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"edrpipe/pkg/edr"
)

// splitWindows is CommandLineToArgvW by its documented rules: the first word
// ends at a quote or blank; then 2n backslashes before a quote are n and a
// delimiter, 2n+1 are n and a quote; a doubled quote inside quotes is one.
func splitWindows(line string) []string {
	var argv []string
	if strings.HasPrefix(line, `"`) {
		program, rest, _ := strings.Cut(line[1:], `"`)
		argv, line = append(argv, program), rest
	} else {
		program, rest, _ := strings.Cut(line, " ")
		argv, line = append(argv, program), rest
	}
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return argv
		}
		var arg strings.Builder
		inQuotes := false
		for line != "" {
			slashes := len(line) - len(strings.TrimLeft(line, `\`))
			line = line[slashes:]
			if strings.HasPrefix(line, `"`) {
				arg.WriteString(strings.Repeat(`\`, slashes/2))
				line = line[1:]
				switch {
				case slashes%2 == 1:
					arg.WriteByte('"')
				case inQuotes && strings.HasPrefix(line, `"`):
					arg.WriteByte('"')
					line = line[1:]
				default:
					inQuotes = !inQuotes
				}
				continue
			}
			arg.WriteString(strings.Repeat(`\`, slashes))
			if line == "" || !inQuotes && (line[0] == ' ' || line[0] == '\t') {
				break
			}
			arg.WriteByte(line[0])
			line = line[1:]
		}
		argv = append(argv, arg.String())
	}
}

// splitPOSIX is the shell's word splitting as far as quoting goes; an unquoted
// character that a shell would act on fails the test.
func splitPOSIX(t interface{ Fatalf(string, ...any) }, line string) []string {
	var argv []string
	var word strings.Builder
	in, any := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case in && c == '\'':
			in = false
		case in:
			word.WriteByte(c)
		case c == '\'':
			in, any = true, true
		case c == '\\' && i+1 < len(line) && line[i+1] == '\'':
			word.WriteByte('\'')
			i++
		case c == ' ':
			if any {
				argv = append(argv, word.String())
				word.Reset()
				any = false
			}
		default:
			t.Fatalf("character %q of %s is outside quotes", c, line)
		}
	}
	if any {
		argv = append(argv, word.String())
	}
	return argv
}

// hostile is text as an attacker would name a file or write a command line.
var hostile = []string{
	`"`, `\`, `\"`, `\\"`, `" & calc.exe & "`, `%COMSPEC%`, `%VAR%`, `^%VAR^%`, `!VAR!`, `$(reboot)`, "`reboot`", `${{ secrets }}`, `$IFS`, `'; reboot; '`,
	"a\nb", "a\r\nreboot", "a\x00b", `a b`, ``, ` `, `-EncodedCommand`, `/c calc`, `*`, `~`, "\t", "\u202egnp.exe", "ünïcode", `trailing\`, `a\\\`, "\xff\xfe", `|`, `>`, `&&`, "\uff02 & calc", "\uff3c",
}

func hostileText() *rapid.Generator[string] {
	piece := rapid.OneOf(rapid.SampledFrom(hostile), rapid.String(), rapid.StringMatching(`[ \\"%$'&|<>^!;(){}\r\n\t]{0,6}`))
	return rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(piece, 1, 4).Draw(t, "pieces"), "") })
}

func TestQuoteWindowsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		args := rapid.SliceOfN(hostileText(), 0, 5).Draw(t, "args")
		line, err := Quote(edr.Windows, `c:\tools\x y.exe`, args...)
		refused := slices.ContainsFunc(args, func(a string) bool { return strings.ContainsRune(a, 0) || strings.ContainsAny(a, bestFit) })
		if refused != (err != nil) {
			t.Fatalf("error = %v, refused should be %v", err, refused)
		}
		if err != nil {
			return
		}
		want := append([]string{`c:\tools\x y.exe`}, args...)
		if got := splitWindows(line); !slices.Equal(got, want) {
			t.Fatalf("%s\n got %q\nwant %q", line, got, want)
		}
	})
}

func TestQuotePOSIXRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		args := rapid.SliceOfN(hostileText(), 0, 5).Draw(t, "args")
		line, err := Quote(edr.Linux, "/bin/ls", args...)
		refused := slices.ContainsFunc(args, func(a string) bool { return strings.ContainsRune(a, 0) })
		if refused != (err != nil) {
			t.Fatalf("error = %v, refused should be %v", err, refused)
		}
		if err != nil {
			return
		}
		if got, want := splitPOSIX(t, line), append([]string{"/bin/ls"}, args...); !slices.Equal(got, want) {
			t.Fatalf("%s\n got %q\nwant %q", line, got, want)
		}
	})
}

// TestBatchTakesPlainArgumentsOnly: cmd.exe interprets arguments of batch files
// however they are quoted, so nothing that it could interpret may get there.
func TestBatchTakesPlainArgumentsOnly(t *testing.T) {
	const dangerous = "\"%!^&|<>()'`;,=\r\n\t*?~$"
	for _, program := range []string{`c:\x.bat`, `c:\x.CMD`, `c:\x.bat .`, `c:\windows\system32\cmd.exe`, `cmd`} {
		rapid.Check(t, func(t *rapid.T) {
			arg := hostileText().Draw(t, "arg")
			line, err := Quote(edr.Windows, program, arg)
			if err == nil && strings.ContainsAny(arg, dangerous) {
				t.Fatalf("%q was let through: %s", arg, line)
			}
		})
		if _, err := Quote(edr.Windows, program, `c:\users\a b\file-1.txt`); err != nil {
			t.Errorf("%s: a plain path is refused: %v", program, err)
		}
	}
}

func TestQuoteRefusesProgramsThatBreakOut(t *testing.T) {
	for _, program := range []string{"", `c:\a" calc "`, "c:\\a\nb", "c:\\a\x00b"} {
		if line, err := Quote(edr.Windows, program); err == nil {
			t.Errorf("Quote(%q) = %s", program, line)
		}
	}
	if _, err := Quote(edr.Windows, "x", strings.Repeat("a", 33000)); err == nil {
		t.Error("a line longer than Windows takes is let through")
	}
}

// PowerShell takes more than the hyphen for the begin of a parameter's name.
func TestScriptArgumentsAreNoOptions(t *testing.T) {
	for _, c := range []struct {
		file, arg string
		fine      bool
	}{
		{`c:\t\a.ps1`, "plain", true},
		{`c:\t\a.ps1`, "a-b", true},
		{`c:\t\a.ps1`, "-Force", false},
		{`c:\t\a.ps1`, "\u2013Force", false},
		{`c:\t\a.ps1`, "\u2014Force", false},
		{`c:\t\a.ps1`, "\u2015Force", false},
		{`c:\t\a.vbs`, "//E:x", false},
		{`c:\t\a.vbs`, "-x", true},
	} {
		if _, err := scriptLine(edr.Windows, c.file, RunParams{Args: []string{c.arg}}); (err == nil) != c.fine {
			t.Errorf("%s %q: %v", c.file, c.arg, err)
		}
	}
}

func TestEventTextIsNoCommandOfAnotherProgram(t *testing.T) {
	for _, program := range []string{`c:\windows\system32\forfiles.exe`, "/usr/bin/timeout", "/bin/nice", "/usr/bin/python3.11", "perl5.36.0", "pwsh-preview", `c:\lua\lua5.4.exe`, `c:\windows\POWERS~1.EXE`, `C:\Windows\System32\SCHTASKS.EXE `, "/usr/bin/ssh"} {
		if err := (CreateProcessParams{Program: Program(program), Args: []string{"calc"}}).Validate(); err == nil {
			t.Errorf("%s takes text of an event", program)
		}
	}
}
