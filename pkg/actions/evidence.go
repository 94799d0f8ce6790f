package actions

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/edr"
)

// Permissions that actions name in their Spec.
const (
	permitLiveResponse = "Live Response"
	permitIsolate      = "sensor isolation"
	permitBan          = "hash banning"
	permitAlerts       = "alerts"
)

// keep streams what fill writes into the artifact store. The sensor's bytes
// never lie in memory whole, and a slow store slows the download.
func (t *Task) keep(ctx context.Context, a Artifact, fill func(io.Writer) error) (Artifact, error) {
	return t.store(ctx, a, fill, func(r *io.PipeReader) io.Reader { return r })
}

// store is keep of a stream that is more than its bytes.
func (t *Task) store(ctx context.Context, a Artifact, fill func(io.Writer) error, as func(*io.PipeReader) io.Reader) (Artifact, error) {
	if t.Artifacts == nil {
		return Artifact{}, errors.New("there is no artifact store")
	}
	a.Server, a.Sensor, a.Job, a.Rule, a.Digest, a.Time = t.Server.Name(), looseid.ID(t.Sensor.ID), t.Job.ID, t.Job.Rule, t.Job.Digest, t.Now()
	if a.Name == "" {
		a.Name = baseName(a.Path)
	}
	r, w := io.Pipe()
	var filled error
	done := make(chan struct{})
	go func() {
		defer close(done)
		filled = fill(w)
		w.CloseWithError(filled)
	}()
	stored, err := t.Artifacts.Put(ctx, a, as(r))
	r.CloseWithError(errors.New("the artifact store stopped reading"))
	<-done
	if filled != nil && (err == nil || errors.Is(err, filled)) {
		return Artifact{}, filled
	}
	return stored, err
}

// collectFile stores one remote file, or a part of it, and checks that what the
// store kept is what the sensor sent.
func (t *Task) collectFile(ctx context.Context, s fileSession, path string, part edr.Range) (Artifact, error) {
	var info edr.FileInfo
	sum := md5.New() // by which Carbon Black EDR bans
	stored, err := t.store(ctx, Artifact{Path: path}, func(w io.Writer) (err error) {
		info, err = s.GetFile(ctx, path, part, io.MultiWriter(w, sum))
		return err
	}, func(r *io.PipeReader) io.Reader { return received{r, &info} })
	if err != nil {
		return Artifact{}, fmt.Errorf("collect %s from sensor %s: %w", edr.Quote(path), t.Sensor.ID, err)
	}
	if info.SHA256 != "" && stored.SHA256 != "" && info.SHA256 != stored.SHA256 {
		return Artifact{}, fmt.Errorf("collect %s from sensor %s: stored bytes have SHA-256 %s, the sensor sent %s",
			edr.Quote(path), t.Sensor.ID, stored.SHA256, info.SHA256)
	}
	stored.MD5 = hex.EncodeToString(sum.Sum(nil))
	return stored, nil
}

// received is a file as it comes from a sensor, hashed where it comes in.
type received struct {
	*io.PipeReader
	info *edr.FileInfo // final before the end can be read
}

// SHA256 implements Hashed.
func (r received) SHA256() string { return r.info.SHA256 }

// baseName is the last part of a path of any platform.
func baseName(path string) string {
	trimmed := strings.TrimRight(path, `\/`)
	return trimmed[strings.LastIndexAny(trimmed, `\/`)+1:]
}

// tempPath names a file on the endpoint that belongs to this step alone, and is
// the same when the step runs again.
func (t *Task) tempPath(os edr.OS, suffix string) string {
	name := "edrpipe-" + safeName(t.Job.ID) + "-" + safeName(t.Job.Step) + suffix
	if os == edr.Windows {
		return `c:\windows\temp\` + name
	}
	return "/tmp/" + name
}

// safeName keeps what is harmless in any file name.
func safeName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
}
