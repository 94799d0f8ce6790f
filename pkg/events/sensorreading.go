package events

import (
	"strconv"
	"time"
)

// A sensorReading is a reading of a CbEventMsg.
type sensorReading struct {
	*reading
	whole    []byte
	sensor   int
	filePath uint64 // the subject's path, as a reference into the string table
}

// fill reads env, header and body in the order in which they need each other.
func (r *sensorReading) fill(parts *sensorParts, k *sensorKind, from transportSensor) error {
	r.env(parts.env, from)
	if err := r.header(parts.header); err != nil {
		return err
	}
	return k.read(r, parts.body)
}

// env reads the sensor's identity. The server adds it to single events; for a bundle it
// is in the transport's headers.
func (r *sensorReading) env(b []byte, from transportSensor) {
	id, host := from.id, from.host
	for w := (wire{b: b}); w.next(); {
		if w.num != 1 {
			continue
		}
		for e := (wire{b: w.bytes}); e.next(); {
			switch e.num {
			case 1:
				if n := int32(e.value); n > 0 {
					id = int(n)
				}
			case 2:
				if s := r.str(e.bytes); s != "" {
					host = s
				}
			}
		}
	}
	r.sensor = id
	s := &r.event.Sensor
	if id > 0 {
		s.IDs = append(s.IDs, r.decimal(int64(id)))
	}
	if host != "" {
		s.Hostname = host
		s.Hostnames = append(s.Hostnames, host)
	}
}

func (r *sensorReading) header(b []byte) error {
	e := r.event
	var pid, created optional
	var pathRef uint64
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 4:
			e.Event.Time = r.when(w.value)
		case 6:
			r.filePath = w.value
		case 8:
			pathRef = w.value
		case 9:
			created.set(w.value)
		case 10:
			pid.set(w.value)
		case 11:
			e.Process.MD5 = r.digest(w.bytes)
		case 12:
			e.Process.Path = r.str(w.bytes)
		case 13:
			e.Process.ForkPID = int(uint32(w.value))
		case 14:
			e.Process.SHA256 = r.digest(w.bytes)
		}
	}
	if e.Process.Path == "" {
		e.Process.Path = r.lookup(pathRef)
	}
	e.Process.PID = int(uint32(pid.value))
	e.Process.GUID = r.guid(pid, created)
	e.Process.Start = filetimeWithin(created.value, r.now)
	return w.err
}

// An optional is a field whose presence is its value.
type optional struct {
	value uint64
	there bool
}

func (o *optional) set(v uint64) { o.value, o.there = v, true }

// guid makes the GUID of a process on this sensor. Without pid or start, none.
func (r *sensorReading) guid(pid, start optional) string {
	if !pid.there || !start.there || r.sensor <= 0 || uint32(pid.value) == 0 && start.value == 0 {
		return ""
	}
	return r.pool.take(appendGUID(r.pool.room(guidLength), r.sensor, uint32(pid.value), start.value))
}

// when converts the event's time; an implausible one stays unknown.
func (r *sensorReading) when(ft uint64) time.Time {
	if ft == 0 {
		return time.Time{}
	}
	t := filetimeWithin(ft, r.now)
	if t.IsZero() {
		r.flaw(FlawTime)
	}
	return t
}

func filetimeWithin(ft uint64, now time.Time) time.Time {
	if t := filetime(ft); !t.IsZero() && believable(t, now) {
		return t
	}
	return time.Time{}
}

// lookup finds a string in the message's table. A message needs two of them at most, so
// it walks the table instead of building a map.
func (r *sensorReading) lookup(ref uint64) string {
	if ref == 0 {
		return ""
	}
	for w := (wire{b: r.whole}); w.next(); {
		if w.num != tagStrings {
			continue
		}
		var id uint64
		var text []byte
		for s := (wire{b: w.bytes}); s.next(); {
			switch s.num {
			case 1:
				id = s.value
			case 2:
				text = s.bytes
			}
		}
		if id == ref {
			return r.str(text)
		}
	}
	return ""
}

func (r *sensorReading) str(b []byte) string { return r.pool.clean(textOf(b)) }

// digest writes a hash as hex; what has not the length of one is none.
func (r *sensorReading) digest(b []byte) string {
	if len(b) != 16 && len(b) != 32 {
		return ""
	}
	const hexDigits = "0123456789abcdef"
	zeros := true
	out := r.pool.room(2 * len(b))
	for _, c := range b {
		zeros = zeros && c == 0
		out = append(out, hexDigits[c>>4], hexDigits[c&15])
	}
	if zeros {
		return ""
	}
	return r.pool.take(out)
}

func nameOf(names []string, n uint64, first uint64) string {
	if n >= first && n-first < uint64(len(names)) {
		return names[n-first]
	}
	return strconv.FormatUint(n, 10)
}
