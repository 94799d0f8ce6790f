package actions

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
)

// KillProcessParams are the parameters of kill_process.
type KillProcessParams struct {
	PID    int    `json:"pid" doc:"process id; needs guid, name or path, because a pid is reused"`
	GUID   string `json:"guid" doc:"process GUID as the event has it"`
	Name   string `json:"name" doc:"file name of the image"`
	Path   string `json:"path" doc:"path of the image"`
	MD5    string `json:"md5" doc:"MD5 of the image: the files of running processes are read and compared"`
	SHA256 string `json:"sha256" doc:"SHA-256 of the image"`
	Max    int    `json:"max" default:"10" doc:"refuse when more processes than this would be killed"`
}

// Validate refuses to kill by a PID alone, or without any selector.
func (p KillProcessParams) Validate() error {
	named := p.GUID != "" || p.Name != "" || p.Path != ""
	switch {
	case p.PID != 0 && !named && !p.byHash():
		return errors.New("a pid alone is not enough: it may belong to another process by now; give guid, name or path too")
	case p.PID == 0 && !named && !p.byHash():
		return errors.New("say which process: pid with guid or name, or guid, name, path, md5 or sha256")
	}
	return nil
}

func (p KillProcessParams) byHash() bool { return p.MD5 != "" || p.SHA256 != "" }

// KillProcessOutput is the output of kill_process.
type KillProcessOutput struct {
	Killed     []edr.Process `json:"killed"`
	Count      int           `json:"count"`
	Gone       bool          `json:"gone" doc:"no process fitted: it had ended"`
	Reused     bool          `json:"reused" doc:"the pid belongs to another process now, which was left alone"`
	Unreadable []string      `json:"unreadable" doc:"images that could not be read to compare their hash"`
}

var _ = Register(Definition[KillProcessParams, KillProcessOutput]{
	Is: Spec{
		Name:        "kill_process",
		Summary:     "Kill a process, provided it still is the one that was meant",
		Class:       Checkable,
		Powers:      []edr.Power{edr.PowerProcesses},
		Session:     true,
		Destructive: true,
		Commands:    []string{"process list", "kill"},
		Permissions: []string{permitLiveResponse},
	},
	Do: killProcess,
	Already: func(ctx context.Context, t *Task, p KillProcessParams) (bool, KillProcessOutput, error) {
		s, err := sessionWith[processSession](ctx, t)
		if err != nil {
			return false, KillProcessOutput{}, err
		}
		found, out, err := p.find(ctx, s)
		return err == nil && len(found) == 0, out, err
	},
})

func killProcess(ctx context.Context, t *Task, p KillProcessParams) (KillProcessOutput, error) {
	s, err := sessionWith[processSession](ctx, t)
	if err != nil {
		return KillProcessOutput{}, err
	}
	found, out, err := p.find(ctx, s)
	if err != nil {
		return out, err
	}
	if p.Max > 0 && len(found) > p.Max {
		return out, fmt.Errorf("kill_process on sensor %s: %d processes fit, max is %d: none was killed", t.Sensor.ID, len(found), p.Max)
	}
	for _, victim := range found {
		if why := vital(victim, s.OS()); why != "" {
			return out, fmt.Errorf("kill_process on sensor %s: process %d (%s) %s: none was killed", t.Sensor.ID, victim.PID, victim.Path, why)
		}
	}
	for _, victim := range found {
		if err := t.kill(ctx, s, victim); err != nil {
			return out, err
		}
		out.Killed = append(out.Killed, victim)
		out.Count++
	}
	return out, nil
}

// find returns the running processes that fit.
func (p KillProcessParams) find(ctx context.Context, s processSession) ([]edr.Process, KillProcessOutput, error) {
	out := KillProcessOutput{Killed: []edr.Process{}, Unreadable: []string{}}
	running, err := s.Processes(ctx)
	if err != nil {
		return nil, out, err
	}
	digests := map[string]bool{}
	var found []edr.Process
	for _, r := range running {
		if !p.fits(r) {
			out.Reused = out.Reused || p.PID != 0 && r.PID == p.PID
			continue
		}
		if p.byHash() && !p.sameImage(ctx, s, r.Path, digests, &out) {
			continue
		}
		found = append(found, r)
	}
	out.Gone = len(found) == 0
	return found, out, ctx.Err()
}

func (p KillProcessParams) fits(r edr.Process) bool {
	return (p.PID == 0 || r.PID == p.PID) &&
		(p.GUID == "" || strings.EqualFold(r.GUID, p.GUID)) &&
		(p.Name == "" || strings.EqualFold(baseName(r.Path), p.Name)) &&
		(p.Path == "" || strings.EqualFold(r.Path, p.Path))
}

// sameImage reads the image of a running process and compares its digest; each
// path is read once.
func (p KillProcessParams) sameImage(ctx context.Context, s processSession, path string, seen map[string]bool, out *KillProcessOutput) bool {
	if same, done := seen[path]; done || path == "" {
		return same
	}
	sum := md5.New()
	info, err := digestRemote(ctx, s, path, sum)
	if err != nil {
		out.Unreadable = append(out.Unreadable, path)
	}
	seen[path] = err == nil &&
		(p.MD5 == "" || strings.EqualFold(p.MD5, hex.EncodeToString(sum.Sum(nil)))) &&
		(p.SHA256 == "" || strings.EqualFold(p.SHA256, info.SHA256))
	return seen[path]
}

// digestRemote hashes an image on the endpoint into sum.
func digestRemote(ctx context.Context, s edr.Session, path string, sum io.Writer) (edr.FileInfo, error) {
	files, err := edr.As[edr.Files](s)
	if err != nil {
		return edr.FileInfo{}, err
	}
	return files.GetFile(ctx, path, edr.Range{}, sum)
}

// vital returns why killing the process would take the endpoint down; "" if it would
// not. An impostor with such a name elsewhere on the disk may be killed.
func vital(p edr.Process, os edr.OS) string {
	if os != edr.Windows {
		if p.PID == 1 {
			return "is init"
		}
		return ""
	}
	if p.PID <= 4 {
		return "is the Windows kernel"
	}
	switch strings.ToLower(p.Path) {
	case `c:\windows\system32\csrss.exe`, `c:\windows\system32\wininit.exe`, `c:\windows\system32\smss.exe`,
		`c:\windows\system32\services.exe`, `c:\windows\system32\lsass.exe`, `c:\windows\system32\winlogon.exe`:
		return "keeps Windows running"
	case `c:\windows\carbonblack\cb.exe`:
		return "is the sensor itself"
	}
	return ""
}

// kill ends one process and sees that it is gone. A process that ended by
// itself in the meantime is as good.
func (t *Task) kill(ctx context.Context, s processSession, victim edr.Process) error {
	refused := s.Kill(ctx, victim.PID)
	if refused != nil && !unreadable(refused) {
		return refused
	}
	const looks = 5
	for look := range looks {
		running, err := s.Processes(ctx)
		if err != nil {
			return err
		}
		if !runs(running, victim) {
			return nil
		}
		if refused != nil {
			return refused
		}
		if look < looks-1 {
			if err := pace.Sleep(ctx, time.Second); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("process %d (%s) on sensor %s was killed but still runs", victim.PID, victim.Path, t.Sensor.ID)
}

func runs(running []edr.Process, p edr.Process) bool {
	for _, r := range running {
		if r.PID == p.PID && r.GUID == p.GUID && strings.EqualFold(r.Path, p.Path) {
			return true
		}
	}
	return false
}
