package edrsim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"edrpipe/pkg/strictyaml"
)

// A SensorSpec describes a sensor, or Count alike. The tags are the keys of a fleet
// file.
type SensorSpec struct {
	Count    int    `yaml:"count" min:"1"`               // 0 means 1
	Hostname string `yaml:"hostname"`                    // {n} stands for the sensor's id; empty: WKS-{n}, MAC-{n} or srv-{n}
	OS       string `yaml:"os" enum:"windows,osx,linux"` // empty: windows
	System   string `yaml:"system"`                      // name of the OS as the server shows it; empty: that of the OS
	GroupID  int    `yaml:"group_id" min:"1"`            // 0: one of its own for each group name, 1 without a name
	Group    string `yaml:"group"`                       // the group's name; empty: Default Group, or Group and its id
	IP       string `yaml:"ip"`                          // empty: derived from the id

	CheckIn  time.Duration      `yaml:"check_in"` // 0: the server's interval
	Power    Power              `yaml:"power"`
	NoLive   bool               `yaml:"no_live_response"` // the sensor does not support Live Response
	Latency  Latency            `yaml:"latency"`
	Commands map[string]Latency `yaml:"command_latency"` // by command name, over Latency

	Files     []FileSpec     `yaml:"files"`
	Processes []ProcessSpec  `yaml:"processes"`
	Registry  []RegistrySpec `yaml:"registry"`
}

// Power is a sensor's schedule: asleep until AsleepUntil after the start, then in turn
// awake for AwakeFor and asleep for AsleepFor. The zero value is always awake; an
// AsleepFor of zero sleeps for ever after AwakeFor.
type Power struct {
	AsleepUntil time.Duration `yaml:"asleep_until"`
	AwakeFor    time.Duration `yaml:"awake_for"`
	AsleepFor   time.Duration `yaml:"asleep_for"`
}

// Latency is how long a sensor takes for a command, between two bounds and nearer
// the lower one. The zero value is what recordings show: 28 to 110 ms.
type Latency struct {
	Min time.Duration `yaml:"min"`
	Max time.Duration `yaml:"max"`
}

// FileSpec is a file on an endpoint besides those of its platform's image.
type FileSpec struct {
	Path    string `yaml:"path,required"`
	Content string `yaml:"content"`
	Size    int64  `yaml:"size" min:"0"` // bytes of noise, where Content is empty
	Locked  bool   `yaml:"locked"`       // in use: can be neither read nor deleted
}

// ProcessSpec is a process on an endpoint besides those of its platform's image.
type ProcessSpec struct {
	PID         int    `yaml:"pid" min:"1"` // 0: the next free one
	Parent      string `yaml:"parent"`      // image name of the parent; empty: the first process
	Path        string `yaml:"path,required"`
	CommandLine string `yaml:"command_line"` // empty: the path
	User        string `yaml:"user"`         // empty: the parent's
}

// RegistrySpec is a registry value on an endpoint. Keys are made as needed.
type RegistrySpec struct {
	Path string `yaml:"path,required"` // key path and value name
	Type string `yaml:"type"`          // empty: REG_SZ
	Data string `yaml:"data"`          // REG_MULTI_SZ: one string per line
}

// LoadFleet reads a fleet file: a list of sensors under the key sensors.
func LoadFleet(name string) ([]SensorSpec, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return ParseFleet(name, data)
}

// ParseFleet is LoadFleet for a file's content; name is for messages.
func ParseFleet(name string, data []byte) ([]SensorSpec, error) {
	var file struct {
		Sensors []SensorSpec `yaml:"sensors,required"`
	}
	doc, err := strictyaml.Decode(name, data, &file)
	if err != nil {
		return nil, err
	}
	var problems strictyaml.Problems
	for i := range file.Sensors {
		if err := file.Sensors[i].validate(); err != nil {
			problems = append(problems, doc.At(strictyaml.Path("sensors").Index(i), err.Error()))
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return file.Sensors, nil
}

const (
	osWindows = "windows"
	osMac     = "osx"
	osLinux   = "linux"
)

// DefaultFleet is n sensors: of each ten, eight Windows workstations, a Linux server
// (the fifth) and a Mac (the tenth). Sensor 1 is Windows.
func DefaultFleet(n int) []SensorSpec {
	fleet := make([]SensorSpec, n)
	for i := range fleet {
		switch id := i + 1; {
		case id%10 == 0:
			fleet[i].OS = osMac
		case id%5 == 0:
			fleet[i].OS = osLinux
		default:
			fleet[i].OS = osWindows
		}
	}
	return fleet
}

// minCheckIn bounds how often the simulation has to look at a sensor.
const minCheckIn = time.Millisecond

func countSensors(fleet []SensorSpec) int {
	n := 0
	for _, s := range fleet {
		n += max(s.Count, 1)
	}
	return n
}

func (s *SensorSpec) hostname(id int) string {
	name := s.Hostname
	if name == "" {
		name = map[string]string{osMac: "MAC-{n}", osLinux: "srv-{n}"}[s.OS]
	}
	if name == "" {
		name = "WKS-{n}"
	}
	return strings.ReplaceAll(name, "{n}", fmt.Sprintf("%04d", id))
}

// ip derives an address from the id, in 10.0.0.0/8.
func (s *SensorSpec) ip(id int) string {
	if s.IP != "" {
		return s.IP
	}
	return fmt.Sprintf("10.%d.%d.%d", 20+id>>16, id>>8&0xff, id&0xff)
}

// latency is how long one command takes; h picks within the bounds.
func (s *SensorSpec) latency(command string, h uint64) time.Duration {
	l, ok := s.Commands[command]
	if !ok {
		l = s.Latency
	}
	if l == (Latency{}) {
		l = Latency{28 * time.Millisecond, 110 * time.Millisecond}
		if command == "memdump" {
			l = Latency{4 * time.Second, 6 * time.Second}
		}
	}
	u := fraction(h)
	return l.Min + time.Duration(u*u*float64(max(l.Max-l.Min, 0)))
}

func (s *SensorSpec) validate() error {
	switch s.OS {
	case "", osWindows, osMac, osLinux:
	default:
		return fmt.Errorf("os: %q is not one of %s, %s, %s", s.OS, osWindows, osMac, osLinux)
	}
	if s.Count < 0 {
		return fmt.Errorf("count: %d is negative", s.Count)
	}
	if s.CheckIn > 0 && s.CheckIn < minCheckIn {
		return fmt.Errorf("check_in: %v is less than %v", s.CheckIn, minCheckIn)
	}
	for name := range s.Commands {
		if _, ok := commandTable[name]; !ok {
			return fmt.Errorf("commands: no command is named %q; there are %s", name, strings.Join(windowsCommands, ", "))
		}
	}
	for _, f := range s.Files {
		if !s.absolute(f.Path) {
			return fmt.Errorf("files: %q is not an absolute path of a file", f.Path)
		}
	}
	for _, r := range s.Registry {
		if folded, _ := splitKey(r.Path); len(folded) < 3 {
			return fmt.Errorf("registry: %q is not a key path and a value name", r.Path)
		}
		if _, err := r.value(); err != nil {
			return fmt.Errorf("registry %s: %w", r.Path, err)
		}
	}
	return nil
}

// absolute reports whether a path can be a file's on the platform.
func (s *SensorSpec) absolute(p string) bool {
	if s.OS == osLinux || s.OS == osMac {
		return strings.HasPrefix(p, "/") && len(p) > 1
	}
	return len(p) > 3 && p[1] == ':' && (p[2] == '\\' || p[2] == '/')
}

// value parses the data as its type has it.
func (r *RegistrySpec) value() (regValue, error) {
	v := regValue{typ: r.Type, data: r.Data}
	switch r.Type {
	case "":
		v.typ = "REG_SZ"
	case "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY":
	case "REG_MULTI_SZ":
		v.data = strings.Split(strings.TrimSuffix(r.Data, "\n"), "\n")
	case "REG_DWORD", "REG_QWORD":
		n, err := strconv.ParseUint(r.Data, 0, 64)
		if err != nil {
			return v, fmt.Errorf("data: %q is not a number", r.Data)
		}
		v.data = n
	default:
		return v, fmt.Errorf("type: %q is not a registry type", r.Type)
	}
	return v, nil
}
