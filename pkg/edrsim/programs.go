package edrsim

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// programs are the executables with an effect, by name without .exe. The other
// executables of an image run without output. (A function, because shells refer to the
// table that contains them.)
func programs() map[string]func(*running) int {
	return map[string]func(*running) int{
		"cmd": cmd, "sh": sh, "bash": sh, "zsh": sh, "powershell": powershell,
		"echo": echo, "cat": cat, "ls": dir, "rm": remove, "cp": copyFile, "mkdir": mkdir, "touch": touch, "pwd": pwd,
		"whoami": whoami, "hostname": hostname, "id": printing("uid=0(root) gid=0(root) groups=0(root)"),
		"ipconfig": ipconfig, "ifconfig": ifconfig, "ip": ifconfig,
		"uname": uname, "sw_vers": printing("ProductName:\tMac OS X", "ProductVersion:\t10.12.6", "BuildVersion:\t16G29"),
		"tasklist": tasklist, "ps": tasklist, "taskkill": taskkill, "kill": taskkill, "systeminfo": systeminfo,
		"netstat": printing("Active Connections", "", "  Proto  Local Address          Foreign Address        State", "  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING"),
		"ping":    ping, "sleep": sleep, "timeout": sleep, "true": printing(), "false": func(*running) int { return 1 },
		"notepad": window, "calc": window, "explorer": window, "iexplore": window, "mspaint": window, "regedit": window, "open": window,
		"md5sum": sum(md5.New), "sha256sum": sum(sha256.New),
	}
}

// builtins are what shells do themselves.
func builtins() map[string]func(*running) int {
	return map[string]func(*running) int{
		"echo": echo, "type": cat, "del": remove, "erase": remove, "dir": dir, "ver": printing("", "Microsoft Windows [Version 6.1.7601]"),
		"md": mkdir, "mkdir": mkdir, "cd": cd, "exit": exit, "copy": copyFile, "set": printVariables,
		":": printing(), "pwd": pwd,
	}
}

// printVariables is set without arguments.
func printVariables(p *running) int {
	names := slices.SortedFunc(maps.Keys(p.variables()), func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) })
	for _, name := range names {
		p.print(name + "=" + p.variables()[name])
	}
	return 0
}

// printing is a program that prints the same always.
func printing(lines ...string) func(*running) int {
	return func(p *running) int { p.print(lines...); return 0 }
}

// cmd is cmd.exe: /c or /k and a line; without, it waits for input for ever.
func cmd(p *running) int {
	for i, c := range p.line {
		if c == '/' && i+1 < len(p.line) && strings.ContainsRune("cCkKrR", rune(p.line[i+1])) {
			line := strings.TrimSpace(p.line[i+2:])
			if len(line) > 1 && line[0] == '"' && line[len(line)-1] == '"' {
				line = line[1 : len(line)-1]
			}
			return p.shell(line)
		}
	}
	p.stays = true
	return 0
}

// sh is a Unix shell: -c and a line, or a script.
func sh(p *running) int {
	for i, a := range p.argv {
		if strings.HasPrefix(a, "-") && strings.HasSuffix(a, "c") && i+1 < len(p.argv) {
			return p.shell(p.argv[i+1])
		}
	}
	if len(p.argv) < 2 {
		p.stays = true
		return 0
	}
	n, f := p.e.file(p.absolute(p.argv[1]))
	if f != success {
		p.print("sh: " + p.argv[1] + ": No such file or directory")
		return 127
	}
	return p.script(n.data.text(64 << 10))
}

// powershell understands -Command with a few cmdlets.
func powershell(p *running) int {
	p.took += 400 * time.Millisecond
	for i, a := range p.argv {
		if strings.HasPrefix(strings.ToLower(a), "-c") && i+1 < len(p.argv) {
			line := strings.Join(p.argv[i+1:], " ")
			for _, say := range []string{"Write-Output ", "Write-Host ", "echo "} {
				if len(line) > len(say) && strings.EqualFold(line[:len(say)], say) {
					p.print(strings.Trim(line[len(say):], `"'`))
					return 0
				}
			}
			return p.shell(line)
		}
	}
	return 0
}

func echo(p *running) int {
	rest := strings.TrimSpace(p.expand(p.line))
	_, rest, _ = strings.Cut(rest, " ")
	if !p.e.windows {
		rest = p.args()
	}
	p.print(rest)
	return 0
}

func pwd(p *running) int { p.print(p.cwd); return 0 }

func hostname(p *running) int { p.print(p.e.host); return 0 }

func whoami(p *running) int {
	if p.e.windows {
		p.print(`nt authority\system`)
	} else {
		p.print("root")
	}
	return 0
}

func uname(p *running) int {
	name := "Linux"
	if p.e.macos {
		name = "Darwin"
	}
	if strings.Contains(p.args(), "a") {
		name += " " + p.e.host + " 3.10.0-514.el7.x86_64 x86_64"
	}
	p.print(name)
	return 0
}

func ipconfig(p *running) int {
	p.print("", "Windows IP Configuration", "", "", "Ethernet adapter Local Area Connection:", "", "   Connection-specific DNS Suffix  . : ",
		"   IPv4 Address. . . . . . . . . . . : "+p.e.ip, "   Subnet Mask . . . . . . . . . . . : 255.255.255.0", "   Default Gateway . . . . . . . . . : "+gateway(p.e.ip))
	return 0
}

func ifconfig(p *running) int {
	p.print("eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500", "        inet "+p.e.ip+"  netmask 255.255.255.0  broadcast "+gateway(p.e.ip))
	return 0
}

func gateway(ip string) string { return ip[:strings.LastIndexByte(ip, '.')+1] + "1" }

func tasklist(p *running) int {
	p.print("Image Name                     PID", "========================= ========")
	for _, q := range p.e.procs {
		name := baseName(q.path)
		if name == "" {
			name = "System"
		}
		p.print(fmt.Sprintf("%-25s %8d", name, q.pid))
	}
	return 0
}

// taskkill takes /pid N, /im NAME, or plain PIDs as kill does.
func taskkill(p *running) int {
	code := 0
	for i, a := range p.argv {
		switch flag := strings.ToLower(a); {
		case flag == "/im" && i+1 < len(p.argv):
			code = p.killImage(p.argv[i+1])
		case i > 0 && strings.Trim(a, "0123456789") == "":
			pid, _ := strconv.Atoi(a)
			if p.e.kill(pid) != success {
				p.print("ERROR: The process \"" + a + "\" not found.")
				code = 128
			}
		}
	}
	return code
}

func (p *running) killImage(name string) int {
	code := 128
	for _, q := range p.e.procs {
		if strings.EqualFold(baseName(q.path), name) && p.e.kill(q.pid) == success {
			p.print(fmt.Sprintf("SUCCESS: The process %q with PID %d has been terminated.", name, q.pid))
			code = 0
		}
	}
	return code
}

func systeminfo(p *running) int {
	p.took += time.Second
	p.print("", "Host Name:                 "+strings.ToUpper(p.e.host), "OS Name:                   Microsoft Windows 7 Professional ", "OS Version:                6.1.7601 Service Pack 1 Build 7601",
		"System Boot Time:          "+p.e.booted.UTC().Format("1/2/2006, 3:04:05 PM"))
	return 0
}

// ping takes as long as it sends packets, which scripts use to wait.
func ping(p *running) int {
	count := 4
	for i, a := range p.argv {
		if (a == "-n" || a == "-c") && i+1 < len(p.argv) {
			count, _ = strconv.Atoi(p.argv[i+1])
		}
	}
	target := p.argv[len(p.argv)-1]
	p.print("", "Pinging "+target+" with 32 bytes of data:")
	for range min(max(count, 1), 1000) {
		p.took += time.Second
		p.print("Reply from " + target + ": bytes=32 time<1ms TTL=128")
	}
	return 0
}

// sleep waits for the number of seconds in its first numeric argument.
func sleep(p *running) int {
	for _, a := range p.argv[1:] {
		if s, err := strconv.ParseFloat(a, 64); err == nil {
			p.took += time.Duration(min(max(s, 0), 86400) * float64(time.Second))
			break
		}
	}
	return 0
}

// window is a program that runs until it is closed.
func window(p *running) int { p.stays = true; return 0 }

// sum prints a digest of each file.
func sum(digest func() hash.Hash) func(*running) int {
	return func(p *running) int {
		for _, name := range p.argv[1:] {
			n, f := p.e.file(p.absolute(name))
			if f != success || n.dir {
				p.print(name + ": No such file or directory")
				return 1
			}
			h := digest()
			io.Copy(h, n.data.reader())
			p.print(hex.EncodeToString(h.Sum(nil)) + "  " + name)
		}
		return 0
	}
}
