package lr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// GetFile copies a file of the sensor, or a part of it, into w. Memory use does
// not depend on its size. A connection that drops is taken up again where it
// broke; what has gone into w is always a prefix of the file.
func (s *Session) GetFile(ctx context.Context, path string, r edr.Range, w io.Writer) (edr.FileInfo, error) {
	d := newDownload(path, r, w)
	err := s.download(ctx, d)
	return d.Info(), err
}

// ErrChanged is a file that changed between two parts of it.
var ErrChanged = liveresponse.ErrChanged

// download is a file on its way, which may need several sessions.
type download struct {
	*liveresponse.Download
	done bool
	stat *edr.DirEntry // what the file was when it was begun, if that is known
}

func newDownload(path string, r edr.Range, w io.Writer) *download {
	return &download{Download: liveresponse.NewDownload(path, r, w)}
}

// resumable is download for a file that may need several sessions.
func (s *Session) resumable(ctx context.Context, d *download) error {
	if err := s.compare(ctx, d); err != nil {
		return err
	}
	err := s.download(ctx, d)
	if d.Size() > 0 && d.stat == nil && errors.Is(err, edr.ErrSessionGone) {
		return fmt.Errorf("%w: what to go on with: %w", edr.ErrAmbiguous, err)
	}
	return err
}

// compare notes what file d is of, or makes sure that it still is that file. A
// thing that has no directory entry, such as a raw disk, is not compared.
func (s *Session) compare(ctx context.Context, d *download) error {
	now, err := s.Stat(ctx, d.Path)
	var refused *edr.ResultError
	switch {
	case d.Size() == 0 && (errors.As(err, &refused) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, edr.ErrUnsupported)):
		return nil
	case err != nil:
		return err
	case d.Size() == 0:
		d.stat = &now
		return nil
	case d.stat == nil || now.Size == d.stat.Size && now.Modified.Equal(d.stat.Modified) && now.Created.Equal(d.stat.Created):
		return nil
	}
	return fmt.Errorf("sensor %s: %s: %w", s.Info().SensorID, edr.Quote(d.Path), ErrChanged)
}

// download fetches what is missing of d, in pieces if so configured.
func (s *Session) download(ctx context.Context, d *download) error {
	if s.c.cfg.ChunkSize > 0 && d.stat == nil && d.Size() == 0 {
		if err := s.compare(ctx, d); err != nil {
			return err
		}
	}
	pieces := 0
	for !d.done {
		r := d.Rest()
		if chunk := s.c.cfg.ChunkSize; chunk > 0 && (r.Count == 0 || r.Count > chunk) {
			r.Count = chunk
		}
		before := d.Size()
		if err := s.piece(ctx, d, r); err != nil {
			return err
		}
		got := d.Size() - before
		switch {
		case r.Count == 0, got < r.Count: // all of it, or its end
			d.done = true
		case d.Want.Count > 0 && d.Size() >= d.Want.Count:
			d.done = true
		case d.stat != nil && d.Rest().Offset >= d.stat.Size:
			d.done = true // a request beyond the end may be an error
		}
		pieces++
	}
	if pieces > 1 && d.stat != nil {
		return s.compare(ctx, d)
	}
	return nil
}

// piece has the sensor put a part of the file into the session's store, copies
// it from there and removes it.
func (s *Session) piece(ctx context.Context, d *download, r edr.Range) error {
	args := map[string]any{}
	if r.Offset > 0 {
		args["offset"] = r.Offset
	}
	if r.Count > 0 {
		args["get_count"] = r.Count
	}
	cmd := command{name: cmdGetFile, object: d.Path, args: args}
	done, err := s.run(ctx, cmd)
	if err != nil {
		return err
	}
	w := s.whereOf(cmd)
	id := int64(done.ID)
	w.Command = &id
	if done.FileID == nil {
		return &Error{Where: w, Kind: edr.ErrServer, Reason: "answer has no file_id"}
	}
	file := s.route("file", strconv.FormatInt(int64(*done.FileID), 10))
	kept, stop := s.keep(ctx)
	defer stop()
	if err := s.c.content(kept, file, w, d); err != nil {
		return err
	}
	if s.c.cfg.ChunkSize > 0 {
		// The store is small: make room. It is no loss when this fails.
		_ = s.c.do(kept, call{method: http.MethodDelete, path: file, where: w})
	}
	return nil
}
