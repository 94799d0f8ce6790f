package expression

import "testing"

func TestProgramOf(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"nothing", "  ", ""},
		{"in quotes", `"C:\Program Files\Tool\a.exe" /s "x y"`, `c:\program files\tool\a.exe`},
		{"in single quotes", `'C:\Tool\a.exe' -x`, `c:\tool\a.exe`},
		{"an open quote", `"C:\Tool\a b.exe`, `c:\tool\a b.exe`},
		{"quotes with nothing", `""`, ""},
		{"blanks without quotes", `C:\Program Files (x86)\Tool\a.exe /s`, `c:\program files (x86)\tool\a.exe`},
		{"the first ending counts", `C:\My Tools\a.exe b.exe`, `c:\my tools\a.exe`},
		{"an option ends the path", `C:\Windows\System32\cmd /c c:\x.exe`, `c:\windows\system32\cmd`},
		{"another path ends the path", `C:\Tools\run D:\b.exe`, `c:\tools\run`},
		{"quotes end the path", `C:\Tools\run "b.exe"`, `c:\tools\run`},
		{"no ending at all", `C:\Tools\run fast`, `c:\tools\run`},
		{"a name", `rundll32.exe c:\x.dll,Go`, `rundll32.exe`},
		{"a name and a program", `cmd evil.exe`, `cmd`},
		{"an ImagePath", `\SystemRoot\System32\drivers\x.sys`, `c:\windows\system32\drivers\x.sys`},
		{"an ImagePath below the directory of Windows", `System32\drivers\x.sys`, `c:\windows\system32\drivers\x.sys`},
		{"an ImagePath of the kernel", `\??\C:\Drop\x.sys`, `c:\drop\x.sys`},
		{"both", `\??\%SystemRoot%\x.sys`, `c:\windows\x.sys`},
		{"a service's host", `%SystemRoot%\system32\svchost.exe -k netsvcs`, `c:\windows\system32\svchost.exe`},
		{"a variable with blanks", `%ProgramFiles(x86)%\Tool\my app.exe -x`, `c:\program files (x86)\tool\my app.exe`},
		{"a variable of a user", `%AppData%\a.exe`, `%appdata%\a.exe`},
		{"TABs", "C:\\a.exe\t-x", `c:\a.exe`},
		{"Unix", `/usr/bin/python3 /x/y.py`, `/usr/bin/python3`},
		{"Unix with a blank", `/opt/My\ Tool/run -x`, `/opt/My Tool/run`},
		{"a backslash at the end", `/opt/x\`, `/opt/x\`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := programOf(tt.line); got != tt.want {
				t.Errorf("programOf(%s) = %q, want %q", tt.line, got, tt.want)
			}
		})
	}
}
