package edrsim

import (
	"fmt"
	"strconv"
	"strings"
)

// operands are the arguments that are not options.
func (p *running) operands() []string {
	var list []string
	for _, a := range p.argv[1:] {
		if strings.HasPrefix(a, "-") || p.e.windows && strings.HasPrefix(a, "/") {
			continue
		}
		list = append(list, a)
	}
	return list
}

// complain prints why a file could not be used.
func (p *running) complain(name string, f failure) int {
	switch {
	case p.e.windows && f == errNotFound:
		p.print("The system cannot find the file specified.")
	case p.e.windows && f == errPathNotFound:
		p.print("The system cannot find the path specified.")
	case p.e.windows:
		p.print("Access is denied.")
	default:
		p.print(p.argv[0] + ": " + name + ": No such file or directory")
	}
	return 1
}

func cat(p *running) int {
	for _, name := range p.operands() {
		n, f := p.e.file(p.absolute(name))
		if f == success && (n.dir || n.locked) {
			f = errAccessDenied
		}
		if f != success {
			return p.complain(name, f)
		}
		p.out.WriteString(n.data.text(1 << 20))
	}
	return 0
}

func remove(p *running) int {
	for _, name := range p.operands() {
		if f := p.e.remove(p.absolute(name)); f != success {
			return p.complain(name, f)
		}
	}
	return 0
}

func mkdir(p *running) int {
	for _, name := range p.operands() {
		if f := p.e.mkdir(p.absolute(name), p.at); f != success {
			return p.complain(name, f)
		}
	}
	return 0
}

func touch(p *running) int {
	for _, name := range p.operands() {
		if f := p.e.write(p.absolute(name), blob{}, false, p.at); f != success && f != errFileExists {
			return p.complain(name, f)
		}
	}
	return 0
}

func copyFile(p *running) int {
	names := p.operands()
	if len(names) != 2 {
		p.print("The syntax of the command is incorrect.")
		return 1
	}
	n, f := p.e.file(p.absolute(names[0]))
	if f == success && (n.dir || n.locked) {
		f = errAccessDenied
	}
	if f == success {
		f = p.e.write(p.absolute(names[1]), n.data, true, p.at)
	}
	if f != success {
		return p.complain(names[0], f)
	}
	if p.e.windows {
		p.print("        1 file(s) copied.")
	}
	return 0
}

func cd(p *running) int {
	names := p.operands()
	if len(names) == 0 {
		p.print(p.cwd)
		return 0
	}
	target := p.absolute(names[len(names)-1])
	if n, f := p.e.file(target); f != success || !n.dir {
		return p.complain(target, errPathNotFound)
	}
	p.cwd = strings.TrimRight(target, `\/`)
	return 0
}

func exit(p *running) int {
	for _, a := range p.argv[1:] {
		if n, err := strconv.Atoi(a); err == nil {
			return n
		}
	}
	return 0
}

// dir lists a directory: as dir does on Windows, as ls elsewhere.
func dir(p *running) int {
	target := p.cwd
	if names := p.operands(); len(names) > 0 {
		target = p.absolute(names[0])
	}
	if n, f := p.e.file(target); f == success && n.dir && !strings.HasSuffix(target, "/") {
		target += map[bool]string{true: `\`, false: "/"}[p.e.windows]
	}
	found, f := p.e.list(target)
	if f != success {
		return p.complain(target, f)
	}
	for _, l := range found {
		switch {
		case !p.e.windows && strings.HasPrefix(l.name, "."):
		case !p.e.windows:
			p.print(l.name)
		case l.dir:
			p.print(l.written.UTC().Format("01/02/2006  03:04 PM") + "    <DIR>          " + l.name)
		default:
			p.print(l.written.UTC().Format("01/02/2006  03:04 PM") + fmt.Sprintf("    %14d %s", l.data.size, l.name))
		}
	}
	return 0
}
