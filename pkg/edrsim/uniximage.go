package edrsim

import "time"

const elfMagic, machoMagic = "\x7fELF\x02\x01\x01", "\xcf\xfa\xed\xfe"

// linuxImage is a small server.
func linuxImage() *image {
	b := &planter{root: &node{dir: true, attrs: attrsDir, created: imageDate, written: imageDate}, sep: "/", attrs: attrsNormal}
	for _, dir := range []string{"/boot", "/dev", "/etc/cron.d", "/home/deploy/.ssh", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/usr/lib", "/usr/local/bin",
		"/var/lib/cb", "/var/log", "/var/tmp", "/var/www/html"} {
		b.dir(dir)
	}
	b.programs("/bin", "", elfMagic, "bash", "cat", "chmod", "cp", "date", "dd", "df", "echo", "false", "grep", "hostname", "kill", "ln", "ls", "mkdir", "mv", "netstat", "ping",
		"ps", "pwd", "rm", "rmdir", "sed", "sh", "sleep", "tar", "touch", "true", "uname")
	b.programs("/usr/bin", "", elfMagic, "awk", "base64", "curl", "env", "find", "head", "id", "md5sum", "perl", "printf", "python", "sha256sum", "ssh", "stat", "sudo", "tail", "test", "top", "uptime", "w", "wget", "who", "whoami")
	b.programs("/sbin", "", elfMagic, "ifconfig", "init", "ip", "reboot")
	b.programs("/usr/sbin", "", elfMagic, "cbdaemon", "cron", "nginx", "rsyslogd", "sshd", "useradd")
	b.text("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
	b.text("/etc/hostname", "localhost\n")
	b.text("/etc/os-release", "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nVERSION_ID=\"7\"\n")
	b.text("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndaemon:x:2:2::/sbin:/sbin/nologin\ndeploy:x:1000:1000::/home/deploy:/bin/bash\n")
	b.text("/etc/crontab", "SHELL=/bin/bash\n")
	b.text("/var/log/messages", "Jan 31 21:40:00 localhost systemd: Started.\n")
	b.text("/var/log/secure", "Jan 31 21:41:12 localhost sshd[1020]: Server listening on 0.0.0.0 port 22.\n")
	b.text("/var/www/html/index.html", "<h1>It works</h1>\n")
	return &image{root: b.root, cwd: "/", procs: unixProcesses("/sbin/init", []imageProcess{
		{2, 0, "", "[kthreadd]", "root", "0", 0},
		{412, 1, "/usr/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-journald", "root", "0", 2 * time.Second},
		{698, 1, "/usr/sbin/rsyslogd", "/usr/sbin/rsyslogd -n", "root", "0", 4 * time.Second},
		{701, 1, "/usr/sbin/cron", "/usr/sbin/cron -n", "root", "0", 4 * time.Second},
		{1020, 1, "/usr/sbin/sshd", "/usr/sbin/sshd -D", "root", "0", 6 * time.Second},
		{1033, 1, "/usr/sbin/cbdaemon", "/usr/sbin/cbdaemon", "root", "0", 6 * time.Second},
		{1101, 1, "/usr/sbin/nginx", "nginx: master process /usr/sbin/nginx", "root", "0", 8 * time.Second},
		{1102, 1101, "/usr/sbin/nginx", "nginx: worker process", "nginx", "998", 8 * time.Second},
		{2214, 1020, "/usr/sbin/sshd", "sshd: deploy [priv]", "root", "0", time.Hour},
		{2219, 2214, "/bin/bash", "-bash", "deploy", "1000", time.Hour},
	})}
}

// macImage is a laptop.
func macImage() *image {
	b := &planter{root: &node{dir: true, attrs: attrsDir, created: imageDate, written: imageDate}, sep: "/", attrs: attrsNormal}
	for _, dir := range []string{"/Applications/Safari.app/Contents/MacOS", "/Applications/CarbonBlack", "/Library/LaunchAgents", "/Library/LaunchDaemons", "/System/Library", "/Users/Shared",
		"/Users/alice/Desktop", "/Users/alice/Downloads", "/Users/alice/Library/LaunchAgents", "/Volumes", "/etc", "/private/var/log", "/tmp", "/usr/local/bin", "/var/lib/cb", "/var/log", "/var/tmp"} {
		b.dir(dir)
	}
	b.programs("/bin", "", machoMagic, "bash", "cat", "chmod", "cp", "date", "dd", "df", "echo", "hostname", "kill", "launchctl", "ls", "mkdir", "mv", "ps", "pwd", "rm", "rmdir", "sh", "sleep", "test", "zsh")
	b.programs("/usr/bin", "", machoMagic, "awk", "base64", "curl", "env", "false", "find", "grep", "head", "id", "open", "osascript", "perl", "printf", "python", "ssh", "sudo", "sw_vers", "tail", "touch", "true", "uname", "uptime", "whoami")
	b.programs("/sbin", "", machoMagic, "ifconfig", "launchd", "ping", "reboot")
	b.programs("/Applications/CarbonBlack", "", machoMagic, "CbOsxSensorService")
	b.programs("/Applications/Safari.app/Contents/MacOS", "", machoMagic, "Safari")
	b.text("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
	b.text("/etc/hostname", "localhost\n")
	b.text("/etc/passwd", "root:*:0:0:System Administrator:/var/root:/bin/sh\n")
	b.text("/var/log/system.log", "Jan 31 21:40:00 localhost bootlog[0]: BOOT_TIME\n")
	return &image{root: b.root, cwd: "/", procs: unixProcesses("/sbin/launchd", []imageProcess{
		{54, 1, "/usr/libexec/UserEventAgent", "/usr/libexec/UserEventAgent (System)", "root", "0", 2 * time.Second},
		{61, 1, "/usr/sbin/syslogd", "/usr/sbin/syslogd", "root", "0", 2 * time.Second},
		{88, 1, "/Applications/CarbonBlack/CbOsxSensorService", "/Applications/CarbonBlack/CbOsxSensorService", "root", "0", 5 * time.Second},
		{211, 1, "/System/Library/CoreServices/Finder.app/Contents/MacOS/Finder", "/System/Library/CoreServices/Finder.app/Contents/MacOS/Finder", "alice", "501", 5 * time.Minute},
		{305, 1, "/Applications/Safari.app/Contents/MacOS/Safari", "/Applications/Safari.app/Contents/MacOS/Safari", "alice", "501", 9 * time.Minute},
	})}
}

// unixProcesses puts the first process before the others.
func unixProcesses(first string, others []imageProcess) []imageProcess {
	return append([]imageProcess{{1, 0, first, first, "root", "0", 0}}, others...)
}
