package edrsim

import (
	"slices"
	"strconv"
	"time"
)

// An execution is a command being run on an endpoint.
type execution struct {
	*command
	endpoint *endpoint
	at       time.Time // its start
}

// A runner begins a command. It returns the command's extra duration and the work at
// its end.
type runner func(*execution) (time.Duration, work)

var commandTable = map[string]runner{
	"get file": atEnd(getFile),
	"put file": atEnd(putFile),
	"delete file": atEnd(func(x *execution, _ time.Time) (map[string]any, failure) {
		if x.session.srv.cloud != nil && x.endpoint.removeDir(x.req.object()) {
			return nil, success
		}
		return nil, x.endpoint.remove(x.req.object())
	}),
	"directory list": atEnd(directoryList),
	"create directory": atEnd(func(x *execution, at time.Time) (map[string]any, failure) {
		return nil, x.endpoint.mkdir(x.req.object(), at)
	}),
	"create process":  createProcess,
	"process list":    atEnd(processList),
	"kill":            atEnd(kill),
	"reg enum key":    atEnd(regEnumKey),
	"reg query value": atEnd(regQueryValue),
	"reg set value":   atEnd(regSetValue),
	"reg create key": atEnd(func(x *execution, _ time.Time) (map[string]any, failure) {
		return nil, x.endpoint.createKey(x.req.object())
	}),
	"reg delete key": atEnd(func(x *execution, _ time.Time) (map[string]any, failure) {
		return nil, x.endpoint.deleteKey(x.req.object())
	}),
	"reg delete value": atEnd(func(x *execution, _ time.Time) (map[string]any, failure) {
		return nil, x.endpoint.deleteValue(x.req.object())
	}),
	"memdump": memoryDump,
}

// windowsCommands is every command, in the order in which servers list them.
var windowsCommands = []string{"delete file", "put file", "reg delete key", "directory list", "reg create key", "get file", "reg enum key", "reg query value",
	"kill", "create process", "process list", "reg delete value", "reg set value", "create directory", "memdump"}

// otherCommands is what sensors without a registry support.
var otherCommands = []string{"delete file", "put file", "directory list", "get file", "kill", "create process", "process list", "create directory"}

func (s *sensor) supportedCommands() []string {
	if s.windows() {
		return windowsCommands
	}
	return otherCommands
}

func (s *sensor) supports(name string) bool { return slices.Contains(s.supportedCommands(), name) }

// atEnd is a runner for commands whose whole effect comes at their end.
func atEnd(do func(*execution, time.Time) (map[string]any, failure)) runner {
	return func(x *execution) (time.Duration, work) {
		return 0, func(at time.Time) (map[string]any, failure) { return do(x, at) }
	}
}

// refuse is a runner that fails.
func refuse(f failure) runner {
	return atEnd(func(*execution, time.Time) (map[string]any, failure) { return nil, f })
}

// getFile stages a file of the endpoint in the session's storage.
func getFile(x *execution, _ time.Time) (map[string]any, failure) {
	n, f := x.endpoint.file(x.req.object())
	switch {
	case f != success:
	case n.dir:
		f = errAccessDenied
	case n.locked:
		f = errSharing
	case int64(x.req.Offset) < 0:
		f = errInvalid
	case int64(x.req.Offset) > n.data.size && x.session.srv.as.offsetEnd == "error":
		f = errInvalid
	}
	if f != success {
		x.file.fail(f, x.endpoint.windows)
		return nil, f
	}
	x.session.store(x.file, n.data.section(int64(x.req.Offset), int64(x.req.GetCount)))
	return nil, success
}

// putFile writes an uploaded file to the endpoint.
func putFile(x *execution, at time.Time) (map[string]any, failure) {
	if x.file == nil || x.file.Delete {
		return nil, errNotFound
	}
	over := x.session.srv.as.putExisting == "overwrite"
	return nil, x.endpoint.write(x.req.object(), x.file.data, over, at)
}

// wireEntry is an entry of a directory list.
type wireEntry struct {
	Filename   string   `json:"filename"`
	AltName    string   `json:"alt_name"`
	Attributes []string `json:"attributes"`
	Size       int64    `json:"size"`
	Created    int64    `json:"create_time"`
	Accessed   int64    `json:"last_access_time"`
	Written    int64    `json:"last_write_time"`
}

func directoryList(x *execution, _ time.Time) (map[string]any, failure) {
	found, f := x.endpoint.list(x.req.object())
	if f != success {
		return nil, f
	}
	if len(found) == 0 && x.session.srv.as.listNoMatch == "error" {
		return nil, errNotFound
	}
	files := make([]wireEntry, 0, len(found))
	for _, l := range found {
		e := wireEntry{Filename: l.name, AltName: l.alt, Attributes: l.attrs, Size: l.data.size,
			Created: l.created.Unix(), Accessed: l.written.Unix(), Written: l.written.Unix()}
		if l.created.IsZero() {
			e.Created, e.Accessed, e.Written = imageDate.Unix(), imageDate.Unix(), imageDate.Unix()
		}
		files = append(files, e)
	}
	return map[string]any{"files": files}, success
}

func processList(x *execution, _ time.Time) (map[string]any, failure) {
	return map[string]any{"processes": x.endpoint.wireProcesses(x.session.sensor.id)}, success
}

func kill(x *execution, _ time.Time) (map[string]any, failure) {
	pid, err := strconv.Atoi(x.req.object())
	if err != nil {
		return nil, errInvalid
	}
	return nil, x.endpoint.kill(pid)
}

func regEnumKey(x *execution, _ time.Time) (map[string]any, failure) {
	folded, _ := splitKey(x.req.object())
	k := x.endpoint.registry.lookup(folded)
	if k == nil || len(folded) == 0 {
		return nil, errNotFound
	}
	return map[string]any{"values": k.wireValues(), "sub_keys": k.subKeys()}, success
}

func regQueryValue(x *execution, _ time.Time) (map[string]any, failure) {
	v, f := x.endpoint.value(x.req.object())
	if f != success {
		return nil, f
	}
	return map[string]any{"value": v.wire()}, success
}

func regSetValue(x *execution, _ time.Time) (map[string]any, failure) {
	v, f := x.req.registryValue()
	if f != success {
		return nil, f
	}
	if _, f := x.endpoint.value(x.req.object()); f == success && !bool(x.req.Overwrite) {
		switch x.session.srv.as.regSet {
		case "error":
			return nil, errExists
		case "ignore":
			return nil, success
		}
	}
	return nil, x.endpoint.setValue(x.req.object(), v)
}

// memorySize is the size in bytes of a fake memory dump.
const memorySize = 64 << 20

// memoryDump writes noise. With compression the client itself adds .zip to the name that
// it expects.
func memoryDump(x *execution) (time.Duration, work) {
	return 0, func(at time.Time) (map[string]any, failure) {
		name, size := x.req.object(), int64(memorySize)
		if x.req.Compress {
			name, size = name+".zip", size/4
		}
		if f := x.endpoint.write(name, noiseBlob(x.endpoint.seed, size), true, at); f != success {
			return nil, f
		}
		m := dumpProgress(0, false)
		m["dumping"], m["complete"] = false, true
		return m, success
	}
}

// dumpProgress is the state of a running dump; compressing comes last.
func dumpProgress(percent int, compress bool) map[string]any {
	compressing := compress && percent >= 80
	return map[string]any{"return_code": 0, "dumping": !compressing, "compressing": compressing, "complete": false, "percentdone": percent}
}
