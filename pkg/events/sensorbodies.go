package events

// The bodies of sensor events, one function for each member of CbEventMsg.
// Field numbers are those of sensorevents.proto.

func (r *sensorReading) process(b []byte) error {
	e := r.event
	p := &e.Process
	var parentPID, parentStart, observed optional
	created := false
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 2:
			created = w.value != 0
		case 3:
			parentPID.set(w.value)
			p.Parent.PID = int(int32(w.value))
		case 4:
			parentStart.set(w.value)
		case 6:
			if md5 := r.digest(w.bytes); md5 != "" {
				p.MD5 = md5
			}
		case 9:
			p.CommandLine = r.str(w.bytes)
		case 10:
			p.Parent.MD5 = r.digest(w.bytes)
		case 11:
			p.Parent.Path = r.str(w.bytes)
		case 12:
			observed.set(w.value)
		case 14:
			p.UID = r.str(w.bytes)
		case 15:
			p.User = r.str(w.bytes)
		case 19:
			if sha := r.digest(w.bytes); sha != "" {
				p.SHA256 = sha
			}
		case 20:
			p.Parent.SHA256 = r.digest(w.bytes)
		case 21:
			p.LogonType = int(int32(w.value))
		}
	}
	p.AlreadyRunning = created && observed.there && observed.value == 0
	p.Parent.GUID = r.guid(parentPID, parentStart)
	if path := r.lookup(r.filePath); path != "" {
		p.Path = path
	}
	return w.err
}

func (r *sensorReading) modload(b []byte) error {
	m := &r.event.Module
	m.Path = r.lookup(r.filePath)
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 3:
			m.MD5 = r.digest(w.bytes)
		case 8:
			m.SHA256 = r.digest(w.bytes)
		}
	}
	return w.err
}

func (r *sensorReading) filemod(b []byte) error {
	f := &r.event.File
	f.Path = r.lookup(r.filePath)
	f.Type = fileType(0)
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 2:
			f.Action = wordOr(fileActions(int64(w.value)), w.value)
		case 4:
			f.MD5 = r.digest(w.bytes)
		case 5:
			f.Type = fileType(int64(w.value))
		case 8:
			f.SHA256 = r.digest(w.bytes)
		}
	}
	return w.err
}

func (r *sensorReading) regmod(b []byte) error {
	reg := &r.event.Reg
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 2:
			reg.Action = wordOr(registryActions(int64(w.value)), w.value)
		case 4:
			reg.RawPath = r.str(w.bytes)
		}
	}
	return w.err
}

func (r *sensorReading) childproc(b []byte) error {
	c := &r.event.Child
	c.Type = childTypes[0]
	var pid, start optional
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 1:
			c.Created = w.value != 0
		case 3:
			c.MD5 = r.digest(w.bytes)
		case 5:
			c.Path = r.str(w.bytes)
		case 6:
			pid.set(w.value)
			c.PID = int(uint32(w.value))
		case 7:
			start.set(w.value)
		case 9:
			for s := (wire{b: w.bytes}); s.next(); {
				if s.num == 1 {
					c.Suppressed = s.value != 0
				}
			}
		case 10:
			c.CommandLine = r.str(w.bytes)
		case 11:
			c.User = r.str(w.bytes)
		case 12:
			c.Type = nameOf(childTypes, w.value, 0)
		case 14:
			c.SHA256 = r.digest(w.bytes)
		}
	}
	c.GUID = r.guid(pid, start)
	return w.err
}

func (r *sensorReading) crossproc(b []byte) error {
	t := &r.event.Target
	t.Action = "remote_thread"
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 1:
			r.event.Event.Type = crossopenType
			r.open(w.bytes)
		case 2:
			r.remoteThread(w.bytes)
		case 4:
			t.IsTarget = w.value != 0
		}
	}
	return w.err
}

func (r *sensorReading) open(b []byte) {
	t := &r.event.Target
	t.Action = "open_process"
	var pid, start optional
	for w := (wire{b: b}); w.next(); {
		switch w.num {
		case 1:
			if w.value == 2 {
				t.Action = "open_thread"
			}
		case 2:
			pid.set(w.value)
		case 3:
			start.set(w.value)
		case 4:
			t.Access = int64(uint32(w.value))
		case 5:
			t.Path = r.str(w.bytes)
		case 6:
			t.MD5 = r.digest(w.bytes)
		case 7:
			t.SHA256 = r.digest(w.bytes)
		}
	}
	t.PID = int(uint32(pid.value))
	t.GUID = r.guid(pid, start)
}

func (r *sensorReading) remoteThread(b []byte) {
	t := &r.event.Target
	var pid, start optional
	for w := (wire{b: b}); w.next(); {
		switch w.num {
		case 1:
			pid.set(w.value)
		case 2:
			start.set(w.value)
		case 3:
			t.Path = r.str(w.bytes)
		case 4:
			t.MD5 = r.digest(w.bytes)
		case 5:
			t.SHA256 = r.digest(w.bytes)
		}
	}
	t.PID = int(uint32(pid.value))
	t.GUID = r.guid(pid, start)
}

var tamperTypes = []string{"CoreDriverUnloaded", "NetworkDriverUnloaded", "CbServiceStopped", "CbProcessTerminated", "CbCodeInjection"}

func (r *sensorReading) tamper(b []byte) error {
	w := wire{b: b}
	for w.next() {
		if w.num == 1 {
			r.event.Tamper.Type = nameOf(tamperTypes, w.value, 1)
		}
	}
	return w.err
}

var blockEvents = []string{"ProcessCreate", "RunningProcess"}

var blockResults = []string{
	"ProcessTerminated", "NotTerminatedCBProcess", "NotTerminatedSystemProcess", "NotTerminatedCriticalSystemProcess",
	"NotTerminatedWhitelistedPath", "NotTerminatedOpenProcessError", "NotTerminatedTerminateError",
}

// blocked: the acting process is the header's; the stopped one is its child,
// and the banned binary the file.
func (r *sensorReading) blocked(b []byte) error {
	e := r.event
	e.Block.Result = blockResults[0]
	var pid, start optional
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 2:
			e.Block.Event = nameOf(blockEvents, w.value, 1)
		case 3:
			e.Child.MD5 = r.digest(w.bytes)
		case 4:
			e.Child.Path = r.str(w.bytes)
		case 5:
			e.Block.Result = nameOf(blockResults, w.value, 0)
		case 6:
			e.Block.Error = int64(uint32(w.value))
		case 7:
			pid.set(w.value)
		case 8:
			start.set(w.value)
		case 9:
			e.Child.CommandLine = r.str(w.bytes)
		case 11:
			e.Child.User = r.str(w.bytes)
		}
	}
	e.Child.PID = int(uint32(pid.value))
	e.Child.GUID = r.guid(pid, start)
	e.File.Path, e.File.MD5 = e.Child.Path, e.Child.MD5
	return w.err
}

var mitigations = []string{
	"Dep", "Sehop", "Asr", "Aslr", "NullPage", "HeapSpray", "MandatoryAslr", "Eaf", "EafPlus", "BottomUpAslr", "LoadLibrary",
	"MemoryProtection", "SimulateExecFlow", "StackPivot", "CallerChecks", "BannedFunctions", "DeepHooks", "AntiDetours",
}

func (r *sensorReading) emet(b []byte) error {
	x := &r.event.Exploit
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 3:
			for a := (wire{b: w.bytes}); a.next(); {
				if a.num == 1 {
					x.Mitigation = nameOf(mitigations, a.value, 1)
				}
			}
		case 4:
			x.Message = r.str(w.bytes)
		case 5:
			x.Blocked = w.value != 0
		}
	}
	return w.err
}

func (r *sensorReading) script(b []byte) error {
	e := r.event
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 1:
			e.Script.Text = r.str(w.bytes)
		case 2:
			e.Script.SHA256 = r.hash(r.str(w.bytes))
		case 3:
			e.File.Path = r.str(w.bytes)
		}
	}
	return w.err
}

// module is the metadata of a binary. Its md5 is hex text, and it has no
// acting process.
func (r *sensorReading) module(b []byte) error {
	bin := &r.event.Binary
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 1:
			bin.MD5 = r.hexOrDigest(w.bytes)
		case 3:
			bin.Size = int64(w.value)
		case 4:
			bin.Description = r.str(w.bytes)
		case 5:
			bin.Company = r.str(w.bytes)
		case 6:
			bin.Product = r.str(w.bytes)
		case 12:
			bin.OriginalName = r.str(w.bytes)
		case 17:
			bin.Publisher = r.str(w.bytes)
		case 21:
			bin.SignResult = r.str(w.bytes)
			bin.Signed = bin.SignResult == "Signed"
		case 26:
			if path := r.str(w.bytes); path != "" {
				bin.Paths = []string{path}
			}
		case 27:
			bin.SHA256 = r.hexOrDigest(w.bytes)
		}
	}
	return w.err
}

// hexOrDigest reads a hash that is hex text from some sensors and bytes from others.
func (r *sensorReading) hexOrDigest(b []byte) string {
	if digest := r.digest(b); digest != "" && r.hash(textOf(b)) == "" {
		return digest
	}
	return r.hash(r.str(b))
}
