package actions

import (
	"regexp"
	"slices"
	"strings"
)

// interpreters are programs whose arguments may be code, or a command that they
// run, by name without ending and version.
var interpreters = strings.Fields(`
	cmd command powershell powershell_ise pwsh wscript cscript mshta rundll32 regsvr32 wmic msiexec forfiles schtasks at
	pcalua conhost wsl start msbuild installutil regasm regsvcs cmstp odbcconf control hh psexec runas scriptrunner
	sh bash dash ash zsh ksh csh tcsh fish rbash busybox toybox
	env xargs find parallel watch sudo doas su pkexec runuser nice ionice timeout nohup setsid stdbuf script
	chroot nsenter unshare strace ltrace gdb lldb ssh systemd-run crontab make expect ed ex vi vim emacs
	awk gawk mawk nawk sed perl python pythonw pypy ruby rubyw irb node nodejs deno bun php lua luajit tclsh wish
	osascript java javaw jshell groovy rscript julia erl swift
`)

var versioned = regexp.MustCompile(`^(.+?)[-_]?v?[0-9][0-9a-z._-]*$`)

// isInterpreter reports whether a program's arguments may be code. Names with a
// version or a variant in them count (python3.11, pwsh-preview), and so do short
// names, which hide which program they stand for.
func isInterpreter(program string) bool {
	name := strings.TrimRight(strings.ToLower(baseName(program)), " .")
	for _, ending := range []string{".exe", ".com"} {
		name = strings.TrimSuffix(name, ending)
	}
	if strings.Contains(name, "~") || slices.Contains(interpreters, name) {
		return true
	}
	if m := versioned.FindStringSubmatch(name); m != nil && slices.Contains(interpreters, m[1]) {
		return true
	}
	base, _, variant := strings.Cut(name, "-")
	return variant && slices.Contains(interpreters, base)
}
