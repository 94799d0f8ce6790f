package workload

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// vocabulary is the names of a fleet, the frequent ones first.
type vocabulary struct {
	rand  *rand.Rand
	names *rand.Zipf // over programs
	users *rand.Zipf
	hosts *rand.Zipf

	programs []string // paths
	words    []string
}

const (
	nPrograms = 2000
	nWords    = 3000
	nHosts    = 5000
	nUsers    = 800
)

// usual programs come first: they are most of what a fleet runs.
var usual = []string{
	`c:\windows\system32\svchost.exe`, `c:\program files\google\chrome\application\chrome.exe`,
	`c:\windows\system32\conhost.exe`, `c:\windows\explorer.exe`, `c:\windows\system32\cmd.exe`,
	`c:\windows\system32\windowspowershell\v1.0\powershell.exe`, `c:\windows\system32\taskhostw.exe`,
	`c:\windows\system32\rundll32.exe`, `c:\program files\microsoft office\root\office16\outlook.exe`,
	`c:\windows\system32\searchindexer.exe`, `c:\windows\system32\wbem\wmiprvse.exe`,
	`c:\program files\microsoft office\root\office16\winword.exe`, `c:\windows\system32\msiexec.exe`,
	`c:\windows\system32\services.exe`, `c:\windows\system32\lsass.exe`, `c:\windows\system32\schtasks.exe`,
	`c:\windows\system32\reg.exe`, `c:\windows\system32\net.exe`, `c:\windows\system32\certutil.exe`,
	`c:\windows\system32\regsvr32.exe`, `c:\windows\system32\mshta.exe`, `c:\windows\system32\wscript.exe`,
}

func newVocabulary(seed uint64) *vocabulary {
	v := &vocabulary{rand: rand.New(rand.NewPCG(1, 42))} // one fleet, whatever the seed
	for range nWords {
		v.words = append(v.words, v.syllables(2+v.rand.IntN(3)))
	}
	v.programs = append(v.programs, usual...)
	for len(v.programs) < nPrograms {
		dir := []string{`c:\program files\`, `c:\program files (x86)\`, `c:\windows\system32\`, `c:\users\` + v.word() + `\appdata\local\`}[v.rand.IntN(4)]
		v.programs = append(v.programs, dir+v.word()+`\`+v.word()+v.word()+`.exe`)
	}
	v.rand = rand.New(rand.NewPCG(seed, 43))
	v.names = rand.NewZipf(v.rand, 1.3, 2, nPrograms-1)
	v.users = rand.NewZipf(v.rand, 1.1, 4, nUsers-1)
	v.hosts = rand.NewZipf(v.rand, 1.05, 20, nHosts-1)
	return v
}

func (v *vocabulary) syllables(n int) string {
	const consonants, vowels = "bcdfghklmnprstvwz", "aeiou"
	var b strings.Builder
	for range n {
		b.WriteByte(consonants[v.rand.IntN(len(consonants))])
		b.WriteByte(vowels[v.rand.IntN(len(vowels))])
	}
	return b.String()
}

func (v *vocabulary) word() string    { return v.words[v.rand.IntN(len(v.words))] }
func (v *vocabulary) program() string { return v.programs[v.names.Uint64()] }
func (v *vocabulary) host() int       { return int(v.hosts.Uint64()) + 1 }
func (v *vocabulary) user() string    { return fmt.Sprintf(`CORP\user%d`, v.users.Uint64()) }

func (v *vocabulary) hex(n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[v.rand.IntN(16)]
	}
	return string(b)
}

// commandLine is the program with arguments, as long as they are in life.
func (v *vocabulary) commandLine(program string) string {
	var b strings.Builder
	b.WriteString(`"` + strings.Replace(program, `c:\windows`, `C:\Windows`, 1) + `"`)
	for range 2 + v.rand.IntN(10) {
		switch v.rand.IntN(5) {
		case 0:
			b.WriteString(" /" + v.word() + ":" + v.word())
		case 1:
			b.WriteString(" --" + v.word() + "-" + v.word() + "=" + v.hex(8))
		case 2:
			b.WriteString(` "C:\Users\` + v.word() + `\Documents\` + v.word() + ` ` + v.word() + `.docx"`)
		case 3:
			b.WriteString(" -" + v.word()[:2])
		default:
			b.WriteString(" " + v.word())
		}
	}
	return b.String()
}

func base(path string) string { return path[strings.LastIndexByte(path, '\\')+1:] }
