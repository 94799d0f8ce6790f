package lr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// PutFile copies r into a new file of the sensor. Memory use does not depend on
// its size. A broken upload is retried if r is an io.Seeker; the sensor has no
// partial file. A file that exists is fs.ErrExist.
func (s *Session) PutFile(ctx context.Context, path string, r io.Reader) (edr.FileInfo, error) {
	if err := s.active(ctx); err != nil {
		return edr.FileInfo{}, err
	}
	cmd := command{name: cmdPutFile, object: path, changes: true}
	if !s.Supports(cmd.name) {
		return edr.FileInfo{}, &Error{Where: s.whereOf(cmd), Kind: edr.ErrUnsupported}
	}
	id, info, err := s.upload(ctx, path, r)
	if err != nil {
		return edr.FileInfo{}, liveresponse.At(err, s.whereOf(cmd))
	}
	cmd.args = map[string]any{"file_id": id}
	_, err = s.run(ctx, cmd)
	return info, err
}

// fileJSON is a file in a session's store.
type fileJSON struct {
	ID           number  `json:"id"`
	Name         text    `json:"file_name"`
	Size         number  `json:"size"`
	SizeUploaded *number `json:"size_uploaded"`
	Status       number  `json:"status"`
}

// upload puts r into the session's store and returns its id there, which is valid in
// this session only.
func (s *Session) upload(ctx context.Context, path string, r io.Reader) (int64, edr.FileInfo, error) {
	kept, stop := s.keep(ctx)
	defer stop()
	start, size := liveresponse.Extent(r)
	pauses := s.c.pauses()
	for try := 1; ; try++ {
		id, info, err := s.uploadOnce(kept, path, r, size)
		if err == nil {
			return id, info, nil
		}
		var f *failure
		if !errors.As(err, &f) || !f.passing || size < 0 || try >= s.c.cfg.Tries || kept.Err() != nil {
			return 0, info, plain(err, s.where())
		}
		if err := pace.Sleep(kept, pauses.NextBackOff()); err != nil {
			return 0, info, liveresponse.Unanswered(s.where(), err)
		}
		if _, err := r.(io.Seeker).Seek(start, io.SeekStart); err != nil {
			return 0, info, fmt.Errorf("repeat an upload: %w", err)
		}
	}
}

func (s *Session) uploadOnce(ctx context.Context, path string, r io.Reader, size int64) (int64, edr.FileInfo, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	if _, err := form.CreateFormFile("file", liveresponse.BaseName(path)); err != nil {
		return 0, edr.FileInfo{}, err
	}
	opening := head.Len()
	if err := form.Close(); err != nil {
		return 0, edr.FileInfo{}, err
	}
	frame := head.Bytes()
	stall := liveresponse.WatchStall(s.c.cfg.StallTimeout, cancel)
	defer stall.Stop()
	src := liveresponse.NewSource(stall.Reader(r))
	body := io.MultiReader(bytes.NewReader(frame[:opening]), src, bytes.NewReader(frame[opening:]))
	total := int64(-1)
	if size >= 0 {
		total = size + int64(len(frame))
	}
	var got fileJSON
	call := call{method: http.MethodPost, path: s.route("file"), where: s.where(), out: &got, length: total}
	resp, f := s.c.send(ctx, call, body, func(h http.Header) { h.Set("Content-Type", form.FormDataContentType()) })
	if f == nil {
		defer resp.Body.Close()
		f = s.c.decode(resp, call)
	}
	if !src.Detach(ctx) {
		return 0, edr.FileInfo{}, liveresponse.Unanswered(s.where(), context.Cause(ctx))
	}
	if src.Err() != nil {
		return 0, edr.FileInfo{}, fmt.Errorf("read what is to be uploaded to %s: %w", path, src.Err())
	}
	if f != nil {
		return 0, edr.FileInfo{}, f
	}
	if got.ID == 0 || got.Size != 0 && int64(got.Size) != src.Size() {
		return 0, edr.FileInfo{}, &failure{err: &Error{
			Where: s.where(), Kind: edr.ErrServer,
			Reason: fmt.Sprintf("server stored file %d with %d bytes, %d were sent", got.ID, got.Size, src.Size()),
		}, delivery: answered, passing: true}
	}
	return int64(got.ID), edr.FileInfo{Path: path, Size: src.Size(), SHA256: src.SHA256()}, nil
}
