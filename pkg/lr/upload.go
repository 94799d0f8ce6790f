package lr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"edrpipe/pkg/edr"
)

// PutFile copies r into a new file of the sensor. Memory use does not depend on
// its size. An upload that breaks is repeated if r is an io.Seeker; nothing is on
// the sensor before it is complete. A file that exists is fs.ErrExist.
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
		return edr.FileInfo{}, at(err, s.whereOf(cmd))
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

// upload puts r into the session's store and returns its id there, which means
// nothing in any other session.
func (s *Session) upload(ctx context.Context, path string, r io.Reader) (int64, edr.FileInfo, error) {
	kept, stop := s.keep(ctx)
	defer stop()
	start, size := extent(r)
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
		if err := pause(kept, pauses.NextBackOff()); err != nil {
			return 0, info, unanswered(s.where(), err)
		}
		if _, err := r.(io.Seeker).Seek(start, io.SeekStart); err != nil {
			return 0, info, fmt.Errorf("repeat an upload: %w", err)
		}
	}
}

// extent returns where r stands and how many bytes are left; -1 if it cannot
// tell and so cannot be read again either.
func extent(r io.Reader) (start, size int64) {
	seeker, ok := r.(io.Seeker)
	if !ok {
		return 0, -1
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, -1 // a pipe that looks like a file
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, -1
	}
	if _, err := seeker.Seek(start, io.SeekStart); err != nil {
		return 0, -1
	}
	return start, end - start
}

func (s *Session) uploadOnce(ctx context.Context, path string, r io.Reader, size int64) (int64, edr.FileInfo, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	if _, err := form.CreateFormFile("file", baseName(path)); err != nil {
		return 0, edr.FileInfo{}, err
	}
	opening := head.Len()
	if err := form.Close(); err != nil {
		return 0, edr.FileInfo{}, err
	}
	frame := head.Bytes()
	stall := s.c.watchStall(cancel)
	defer stall.Stop()
	src := newSource(stall.reader(r))
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
	if !src.detach(ctx) {
		return 0, edr.FileInfo{}, unanswered(s.where(), context.Cause(ctx))
	}
	if src.err != nil {
		return 0, edr.FileInfo{}, fmt.Errorf("read what is to be uploaded to %s: %w", path, src.err)
	}
	if f != nil {
		return 0, edr.FileInfo{}, f
	}
	if got.ID == 0 || got.Size != 0 && int64(got.Size) != src.n {
		return 0, edr.FileInfo{}, &failure{err: &Error{
			Where: s.where(), Kind: edr.ErrServer,
			Reason: fmt.Sprintf("server stored file %d with %d bytes, %d were sent", got.ID, got.Size, src.n),
		}, delivery: answered, passing: true}
	}
	return int64(got.ID), edr.FileInfo{Path: path, Size: src.n, SHA256: hex.EncodeToString(src.sum.Sum(nil))}, nil
}

// baseName is the last part of a path of any platform.
func baseName(path string) string {
	if i := strings.LastIndexAny(path, `\/`); i >= 0 {
		path = path[i+1:]
	}
	if path == "" {
		return "file"
	}
	return path
}

// source is what is uploaded, with its digest. The transport may still be
// reading when the answer is there; detach takes the reader away from it.
type source struct {
	r    io.Reader
	turn chan struct{} // held while reading
	sum  hash.Hash
	n    int64
	err  error
	gone bool
}

func newSource(r io.Reader) *source {
	return &source{r: r, turn: make(chan struct{}, 1), sum: sha256.New()}
}

func (s *source) Read(b []byte) (int, error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.gone {
		return 0, errors.New("upload has ended")
	}
	n, err := s.r.Read(b)
	s.sum.Write(b[:n])
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// detach waits for a read under way and tells whether the source is now ours
// alone. It does not wait for a reader that blocks longer than the context lasts.
func (s *source) detach(ctx context.Context) bool {
	select {
	case s.turn <- struct{}{}:
		s.gone = true
		<-s.turn
		return true
	case <-ctx.Done():
		return false
	}
}
