package edrsim

import (
	"strings"
	"time"
)

// windowsImage is a Windows 7 workstation with a user logged on.
func windowsImage() *image {
	b := &planter{root: &node{dir: true}, sep: `\`, fold: true, attrs: attrsArchive}
	b.dir(`A:`).locked = true // drives without a medium
	b.dir(`D:`).locked = true
	windowsDirs(b)
	windowsFiles(b)
	return &image{root: b.root, registry: windowsRegistry(), procs: windowsProcesses(), cwd: `C:\Windows\CarbonBlack`}
}

var windowsDrives = []string{`A:\`, `C:\`, `D:\`}

func windowsDirs(b *planter) {
	for _, dir := range []string{
		`C:\$Recycle.Bin`, `C:\Documents and Settings`, `C:\PerfLogs\Admin`, `C:\ProgramData\Microsoft\Windows\Start Menu\Programs\StartUp`,
		`C:\Program Files\Common Files`, `C:\Program Files\Internet Explorer`, `C:\Program Files\Windows Defender`, `C:\Recovery`, `C:\System Volume Information`,
		`C:\Users\Default`, `C:\Users\Public\Documents`, `C:\Users\alice\AppData\Local\Temp`, `C:\Users\alice\AppData\Roaming\Microsoft\Windows\Start Menu\Programs\Startup`,
		`C:\Users\alice\Desktop`, `C:\Users\alice\Documents`, `C:\Users\alice\Downloads`,
		`C:\Windows\CarbonBlack\EventLogs`, `C:\Windows\CarbonBlack\store`, `C:\Windows\Prefetch`, `C:\Windows\System32\config`, `C:\Windows\System32\drivers\etc`,
		`C:\Windows\System32\Tasks`, `C:\Windows\System32\wbem`, `C:\Windows\System32\WindowsPowerShell\v1.0`, `C:\Windows\SysWOW64`, `C:\Windows\Tasks`, `C:\Windows\Temp`,
	} {
		b.dir(dir)
	}
	for dir, alt := range map[string]string{`C:\Program Files`: "PROGRA~1", `C:\ProgramData`: "PROGRA~2", `C:\Documents and Settings`: "DOCUME~1",
		`C:\System Volume Information`: "SYSTEM~1", `C:\$Recycle.Bin`: "$RECYC~1.BIN"} {
		b.dir(dir).alt = alt
	}
	for _, dir := range []string{`C:\$Recycle.Bin`, `C:\Recovery`, `C:\System Volume Information`} {
		b.dir(dir).attrs = attrsSystem
	}
}

func windowsFiles(b *planter) {
	b.programs(`C:\Windows\System32`, ".exe", "MZ\x90\x00", "arp", "at", "attrib", "audiodg", "bcdedit", "bitsadmin", "calc", "certutil", "cmd", "conhost", "control",
		"cscript", "csrss", "dllhost", "dwm", "eventvwr", "expand", "explorer", "find", "findstr", "fltMC", "gpupdate", "hostname", "icacls", "ipconfig", "lsass", "lsm",
		"msiexec", "mshta", "mspaint", "mstsc", "nbtstat", "net", "net1", "netsh", "netstat", "notepad", "nslookup", "ping", "PING6", "query", "reg", "regsvr32", "robocopy",
		"route", "rundll32", "sc", "schtasks", "SearchIndexer", "services", "shutdown", "smss", "sort", "spoolsv", "svchost", "systeminfo", "taskeng", "taskhost", "taskkill",
		"tasklist", "timeout", "tracert", "tree", "vssadmin", "wevtutil", "where", "whoami", "wininit", "winlogon", "wscript", "wusa", "xcopy")
	b.programs(`C:\Windows\System32`, ".dll", "MZ\x90\x00", "advapi32", "gdi32", "kernel32", "ntdll", "ole32", "shell32", "user32", "wininet", "ws2_32")
	b.programs(`C:\Windows`, ".exe", "MZ\x90\x00", "explorer", "notepad", "regedit")
	b.programs(`C:\Windows\System32\wbem`, ".exe", "MZ\x90\x00", "WMIC", "WmiPrvSE")
	b.programs(`C:\Windows\System32\WindowsPowerShell\v1.0`, ".exe", "MZ\x90\x00", "powershell")
	b.programs(`C:\Program Files\Internet Explorer`, ".exe", "MZ\x90\x00", "iexplore")
	b.programs(`C:\Program Files\Windows Defender`, ".exe", "MZ\x90\x00", "MSASCui")
	b.programs(`C:\Windows\CarbonBlack`, ".exe", "MZ\x90\x00", "cb")
	b.text(`C:\Windows\System32\drivers\etc\hosts`, "# Local name resolution.\r\n127.0.0.1\tlocalhost\r\n::1\tlocalhost\r\n")
	b.text(`C:\Windows\System32\drivers\etc\services`, "echo 7/tcp\r\nftp 21/tcp\r\nssh 22/tcp\r\nhttp 80/tcp\r\n")
	b.text(`C:\Windows\win.ini`, "[fonts]\r\n[extensions]\r\n[files]\r\n[Mail]\r\nMAPI=1\r\n")
	b.text(`C:\Windows\WindowsUpdate.log`, "2017-01-31 21:45:10 Agent  started\r\n")
	b.text(`C:\Users\alice\Documents\notes.txt`, "Call the help desk about the printer.\r\n")
	b.text(`C:\test.txt`, "This is a test.\r\n")
	for path, size := range map[string]int64{`C:\pagefile.sys`: 1 << 30, `C:\hiberfil.sys`: 805 << 20, `C:\Windows\System32\config\SAM`: 256 << 10,
		`C:\Windows\System32\config\SECURITY`: 256 << 10, `C:\Windows\System32\config\SOFTWARE`: 45 << 20, `C:\Windows\System32\config\SYSTEM`: 14 << 20} {
		n := b.file(path, noiseBlob(mixString(2, path), size))
		n.locked, n.attrs = true, []string{"HIDDEN", "SYSTEM", "ARCHIVE"}
	}
	b.file(`C:\Windows\System32\ntoskrnl.exe`, blob{program{"MZ\x90\x00", 3}, 3967848}).attrs = attrsArchive
}

func windowsProcesses() []imageProcess {
	const s32 = `c:\windows\system32\`
	system := func(pid, parent int, path, line string, after time.Duration) imageProcess {
		return imageProcess{pid, parent, path, line, userSystem, sidSystem, after}
	}
	alice := func(pid, parent int, path, line string, after time.Duration) imageProcess {
		return imageProcess{pid, parent, path, line, `{host}\alice`, "s-1-5-21-850238481-2932160288-1760307558-1001", after}
	}
	local := func(pid int, group string, after time.Duration) imageProcess {
		return imageProcess{pid, 476, s32 + "svchost.exe", `C:\Windows\system32\svchost.exe -k ` + group, `NT AUTHORITY\LOCAL SERVICE`, "s-1-5-19", after}
	}
	network := func(pid int, group string, after time.Duration) imageProcess {
		return imageProcess{pid, 476, s32 + "svchost.exe", `C:\Windows\system32\svchost.exe -k ` + group, `NT AUTHORITY\NETWORK SERVICE`, "s-1-5-20", after}
	}
	const s, m = time.Second, time.Minute
	return []imageProcess{
		system(4, 0, "", "", 0),
		system(340, 4, s32+"smss.exe", `\SystemRoot\System32\smss.exe`, s),
		system(420, 412, s32+"csrss.exe", `%SystemRoot%\system32\csrss.exe ObjectDirectory=\Windows`, 4*s),
		system(460, 412, s32+"wininit.exe", "wininit.exe", 5*s),
		system(468, 452, s32+"csrss.exe", `%SystemRoot%\system32\csrss.exe ObjectDirectory=\Windows`, 5*s),
		system(476, 460, s32+"services.exe", `C:\Windows\system32\services.exe`, 6*s),
		system(508, 460, s32+"lsass.exe", `C:\Windows\system32\lsass.exe`, 6*s),
		system(516, 460, s32+"lsm.exe", `C:\Windows\system32\lsm.exe`, 6*s),
		system(556, 452, s32+"winlogon.exe", "winlogon.exe", 7*s),
		system(628, 476, s32+"svchost.exe", `C:\Windows\system32\svchost.exe -k DcomLaunch`, 8*s),
		network(708, "RPCSS", 8*s),
		local(768, "LocalServiceNetworkRestricted", 9*s),
		system(844, 476, s32+"svchost.exe", `C:\Windows\System32\svchost.exe -k LocalSystemNetworkRestricted`, 9*s),
		local(872, "LocalService", 9*s),
		system(900, 476, s32+"svchost.exe", `C:\Windows\system32\svchost.exe -k netsvcs`, 9*s),
		network(1084, "NetworkService", 11*s),
		system(1200, 476, s32+"spoolsv.exe", `C:\Windows\System32\spoolsv.exe`, 13*s),
		local(1244, "LocalServiceNoNetwork", 13*s),
		system(1332, 476, `c:\windows\carbonblack\cb.exe`, `C:\Windows\CarbonBlack\cb.exe`, 15*s),
		system(1676, 476, s32+"searchindexer.exe", `C:\Windows\system32\SearchIndexer.exe /Embedding`, 2*m),
		alice(1808, 476, s32+"taskhost.exe", `"taskhost.exe"`, 5*m),
		alice(1892, 844, s32+"dwm.exe", `"C:\Windows\system32\Dwm.exe"`, 5*m),
		alice(1916, 1880, `c:\windows\explorer.exe`, `C:\Windows\Explorer.EXE`, 5*m),
		alice(2104, 1916, `c:\program files\windows defender\msascui.exe`, `"C:\Program Files\Windows Defender\MSASCui.exe" -hide`, 6*m),
		alice(2412, 1916, `c:\program files\internet explorer\iexplore.exe`, `"C:\Program Files\Internet Explorer\iexplore.exe" `, 40*m),
		alice(2640, 1916, s32+"notepad.exe", `"C:\Windows\system32\NOTEPAD.EXE" C:\Users\alice\Documents\notes.txt`, 55*m),
	}
}

func windowsRegistry() *key {
	root := &key{}
	e := &endpoint{registry: root}
	for _, hive := range hives {
		e.registry = e.registry.changed([]string{hive}, func(*key) *key { return &key{name: strings.ToUpper(hive)} })
	}
	for _, k := range []string{`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce`, `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`,
		`HKLM\SOFTWARE\Policies\Microsoft`, `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager`, `HKLM\SAM\SAM`, `HKLM\HARDWARE\DESCRIPTION\System`,
		`HKU\.DEFAULT\Software`, `HKU\S-1-5-18\Software`, `HKCR\.exe`, `HKCU\Software\Microsoft\Windows\CurrentVersion\RunOnce`} {
		e.createKey(k)
	}
	const run, alice = `SOFTWARE\Microsoft\Windows\CurrentVersion\Run\`, `HKU\S-1-5-21-850238481-2932160288-1760307558-1001\`
	const nt, tcpip = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\`, `HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\`
	for _, r := range []RegistrySpec{
		{`HKLM\` + run + "Windows Defender", "REG_EXPAND_SZ", `%ProgramFiles%\Windows Defender\MSASCui.exe -hide`},
		{alice + run + "Sidebar", "REG_SZ", `C:\Program Files\Windows Sidebar\sidebar.exe /autoRun`},
		{`HKCU\` + run + "Sidebar", "REG_SZ", `C:\Program Files\Windows Sidebar\sidebar.exe /autoRun`},
		{nt + "ProductName", "REG_SZ", "Windows 7 Professional"},
		{nt + "CurrentVersion", "REG_SZ", "6.1"},
		{nt + "CurrentBuild", "REG_SZ", "7601"},
		{nt + "InstallDate", "REG_DWORD", "1485898800"},
		{nt + "DigitalProductId", "REG_BINARY", "a4000000030000003030333731"},
		{nt + `Winlogon\Shell`, "REG_SZ", "explorer.exe"},
		{nt + `Winlogon\Userinit`, "REG_SZ", `C:\Windows\system32\userinit.exe,`},
		{tcpip + "Hostname", "REG_SZ", "workstation"},
		{tcpip + "EnableICMPRedirect", "REG_DWORD", "1"},
		{`HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName\ComputerName`, "REG_SZ", "WORKSTATION"},
		{`HKLM\SYSTEM\CurrentControlSet\Control\Lsa\Security Packages`, "REG_MULTI_SZ", "kerberos\nmsv1_0\nschannel\nwdigest"},
		{`HKLM\SYSTEM\CurrentControlSet\Services\CarbonBlack\ImagePath`, "REG_EXPAND_SZ", `C:\Windows\CarbonBlack\cb.exe`},
		{`HKLM\SYSTEM\CurrentControlSet\Services\CarbonBlack\Start`, "REG_DWORD", "2"},
		{`HKLM\SYSTEM\CurrentControlSet\Control\Windows\ShutdownTime`, "REG_QWORD", "131304012000000000"},
		{`HKCR\.exe\`, "REG_SZ", "exefile"},
	} {
		v, _ := r.value()
		keyPath, _ := splitValue(r.Path)
		e.createKey(keyPath)
		e.setValue(r.Path, v)
	}
	return e.registry
}
