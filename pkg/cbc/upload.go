package cbc

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

// PutFile copies r into a new file of the device. Memory use does not depend on its
// size. A broken upload is retried if r is an io.Seeker; the device has no partial file.
func (s *Session) PutFile(ctx context.Context, path string, r io.Reader) (edr.FileInfo, error) {
	cmd := command{name: cmdPutFile, path: path, changes: true}
	if err := s.active(ctx, cmd); err != nil {
		return edr.FileInfo{}, err
	}
	id, info, err := s.upload(ctx, path, r)
	if err != nil {
		return edr.FileInfo{}, liveresponse.At(err, s.whereOf(cmd))
	}
	cmd.args = map[string]any{"file_id": id}
	_, err = s.run(ctx, cmd)
	if !errors.Is(err, edr.ErrAmbiguous) { // else the device may yet fetch it
		s.forget(ctx, id)
	}
	return info, err
}

// upload puts r into the session's store and returns its id there.
func (s *Session) upload(ctx context.Context, path string, r io.Reader) (string, edr.FileInfo, error) {
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
			return "", info, plain(err, s.where())
		}
		if err := pace.Sleep(kept, pauses.NextBackOff()); err != nil {
			return "", info, liveresponse.Unanswered(s.where(), err)
		}
		if _, err := r.(io.Seeker).Seek(start, io.SeekStart); err != nil {
			return "", info, fmt.Errorf("repeat an upload: %w", err)
		}
	}
}

func (s *Session) uploadOnce(ctx context.Context, path string, r io.Reader, size int64) (string, edr.FileInfo, error) {
	if f := s.c.turn(ctx, call{where: s.where()}); f != nil {
		return "", edr.FileInfo{}, f
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	if _, err := form.CreateFormFile("file", liveresponse.BaseName(path)); err != nil {
		return "", edr.FileInfo{}, err
	}
	opening := frame.Len()
	if err := form.Close(); err != nil {
		return "", edr.FileInfo{}, err
	}
	stall := liveresponse.WatchStall(s.c.cfg.StallTimeout, cancel)
	defer stall.Stop()
	src := liveresponse.NewSource(stall.Reader(r))
	body := io.MultiReader(bytes.NewReader(frame.Bytes()[:opening]), src, bytes.NewReader(frame.Bytes()[opening:]))
	total := int64(-1)
	if size >= 0 {
		total = size + int64(frame.Len())
	}
	var got struct {
		ID text `json:"id"`
	}
	call := call{method: http.MethodPost, path: s.c.sessions(s.id, "files"), where: s.where(), out: &got, length: total}
	resp, f := s.c.send(ctx, call, body, func(h http.Header) { h.Set("Content-Type", form.FormDataContentType()) })
	if f == nil {
		defer resp.Body.Close()
		f = s.c.decode(resp, call)
	}
	if !src.Detach(ctx) {
		return "", edr.FileInfo{}, liveresponse.Unanswered(s.where(), context.Cause(ctx))
	}
	if src.Err() != nil {
		return "", edr.FileInfo{}, fmt.Errorf("read what is to be uploaded to %s: %w", path, src.Err())
	}
	if f == nil && got.ID == "" {
		f = &failure{err: &Error{Where: s.where(), Kind: edr.ErrServer, Reason: "answer to an upload names no file"}, delivery: answered, passing: true}
	}
	if f != nil {
		return "", edr.FileInfo{}, f
	}
	return string(got.ID), edr.FileInfo{Path: path, Size: src.Size(), SHA256: src.SHA256()}, nil
}
