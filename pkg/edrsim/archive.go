package edrsim

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// An archived is one entry of a session's archive.
type archived struct {
	name string
	data blob
	at   time.Time
}

// archive streams a gzip-compressed tar of a session: its object, its commands and
// the content of its files.
func (s *Server) archive(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	x, err := s.readable(pathNumber(r, "sid"))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	empty := len(x.commands) == 0 && len(x.files) == 0
	entries, err := x.archived()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if empty && s.as.archive == "500" {
		return &apiError{http.StatusInternalServerError, "Internal Server Error"}
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=session_%d.tar.gz", pathNumber(r, "sid")))
	if err := writeArchive(w, entries); err != nil { // the head is out
		panic(http.ErrAbortHandler)
	}
	return nil
}

// archived lists what the archive holds. Callers hold mu.
func (x *session) archived() ([]archived, error) {
	now := x.srv.clock.now()
	root := fmt.Sprintf("session_%d/", x.id)
	var list []archived
	add := func(name string, v any) error {
		b, err := json.MarshalIndent(v, "", "  ")
		list = append(list, archived{root + name, bytesBlob(b), now})
		return err
	}
	if err := add("session.json", x.wire()); err != nil {
		return nil, err
	}
	for _, c := range x.commands {
		if err := add(fmt.Sprintf("commands/%d.json", c.id), c.detail(now)); err != nil {
			return nil, err
		}
	}
	for _, f := range x.snapshot() {
		list = append(list, archived{fmt.Sprintf("%sfiles/%d_%s", root, f.ID, archiveName(f.Name)), f.data, f.since})
	}
	return list, nil
}

// archiveName makes a remote path the name of an entry that cannot lead elsewhere.
func archiveName(p string) string {
	name := strings.TrimLeft(baseName(p), ".")
	if name == "" {
		return "unnamed"
	}
	return name
}

func writeArchive(w io.Writer, entries []archived) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, e := range entries {
		err := t.WriteHeader(&tar.Header{Name: e.name, Mode: 0o600, Size: e.data.size, ModTime: e.at, Typeflag: tar.TypeReg})
		if err != nil {
			return err
		}
		if _, err := io.Copy(t, e.data.reader()); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}
