package cbc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// GetFile copies a file of the device, or a part of it, into w. Memory use does not
// depend on its size. A connection that drops is taken up again: the bytes come again
// from the start and must be the same. Whether the device can send a part is not
// known, so that all of it is sent and the part is cut out here.
func (s *Session) GetFile(ctx context.Context, path string, r edr.Range, w io.Writer) (edr.FileInfo, error) {
	part := &section{w: w, skip: r.Offset, left: r.Count, all: r.Count == 0}
	d := liveresponse.NewDownload(path, edr.Range{}, part)
	cmd := command{name: cmdGetFile, path: path}
	done, err := s.run(ctx, cmd)
	if err != nil {
		return edr.FileInfo{Path: path}, err
	}
	where := s.whereOf(cmd)
	id := int64(done.ID)
	where.Command = &id
	file := first(done.FileDetails.FileID, done.FileID)
	if file == "" {
		return edr.FileInfo{Path: path}, &Error{Where: where, Kind: edr.ErrServer, Reason: "answer has no file_id"}
	}
	kept, stop := s.keep(ctx)
	defer stop()
	err = s.content(kept, file, where, d)
	s.forget(kept, file)
	if err != nil || r == (edr.Range{}) {
		return d.Info(), err
	}
	return part.info(path), nil
}

// forget deletes a stored file: it has served, and how long it would stay is not
// known. It is no loss when this fails.
func (s *Session) forget(ctx context.Context, file string) {
	if err := s.c.do(ctx, call{method: http.MethodDelete, path: s.c.sessions(s.id, "files", file), where: s.where()}); err != nil {
		s.c.cfg.Log.Debug().Err(err).Msg("stored file was not deleted")
	}
}

// content copies a stored file into d, beginning again as often as bytes still come.
func (s *Session) content(ctx context.Context, file string, w edr.Where, d *liveresponse.Download) error {
	begun := d.Mark()
	pauses := s.c.pauses()
	for barren := 0; ; {
		had := d.Size()
		err := s.contentOnce(ctx, file, w, d, begun)
		if err == nil {
			return nil
		}
		if d.Size() > had {
			barren = 0
			pauses.Reset()
		}
		var f *failure
		if !errors.As(err, &f) || !f.passing || d.Err() != nil || ctx.Err() != nil {
			return plain(err, w)
		}
		if f.err.Status != http.StatusTooManyRequests {
			barren++
		}
		if barren >= s.c.cfg.Tries {
			return plain(err, w)
		}
		if err := pace.Sleep(ctx, pauses.NextBackOff()); err != nil {
			return liveresponse.Unanswered(w, err)
		}
	}
}

// contentOnce copies what is missing of the stored file.
func (s *Session) contentOnce(ctx context.Context, file string, w edr.Where, d *liveresponse.Download, begun liveresponse.Mark) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := liveresponse.WatchStall(s.c.cfg.StallTimeout, cancel)
	defer stall.Stop()
	resp, f := s.c.openContent(ctx, s.c.sessions(s.id, "files", file, "content"), w, stall)
	if f != nil {
		return f
	}
	defer resp.Body.Close()
	broken := func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return &failure{err: liveresponse.Unanswered(w, err), delivery: answered, passing: !errors.Is(err, liveresponse.ErrChanged)}
	}
	body := stall.Reader(resp.Body)
	if err := d.Resume(resp, body, begun); err != nil {
		return broken(err)
	}
	if _, err := io.CopyBuffer(d, body, make([]byte, 256<<10)); err != nil {
		return broken(err)
	}
	if want := resp.ContentLength; want >= 0 && d.Since(begun) != want {
		return broken(fmt.Errorf("got %d bytes of a stored file of %d", d.Since(begun), want))
	}
	return nil
}

// maxHops bounds the redirects that are followed to a file's content.
const maxHops = 3

// openContent opens a stored file's content. The server redirects to signed object
// storage: that request carries no token, and goes only to https, or to loopback.
func (c *Client) openContent(ctx context.Context, path string, w edr.Where, stall liveresponse.StallTimer) (*http.Response, *failure) {
	r := call{method: http.MethodGet, path: path, where: w}
	if f := c.turn(ctx, r); f != nil {
		return nil, f
	}
	stall.Reset(c.cfg.StallTimeout) // the wait above is no stall
	resp, f := c.send(ctx, r, nil, func(h http.Header) { h.Set("Accept-Encoding", "identity") })
	for hop := 0; f == nil && isRedirect(resp.StatusCode); hop++ {
		at, err := resp.Location()
		resp.Body.Close()
		switch {
		case err != nil || hop == maxHops:
			return nil, &failure{err: &Error{Where: w, Kind: edr.ErrServer, Reason: "redirect to a file's content leads nowhere", Cause: err}, delivery: answered}
		case at.Scheme != "https" && !(at.Scheme == "http" && isLoopback(at.Hostname())):
			return nil, &failure{err: &Error{Where: w, Kind: edr.ErrServer, Reason: "redirect to a file's content is not https"}, delivery: answered}
		}
		resp, f = c.fromStorage(ctx, at, w)
	}
	return resp, f
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// fromStorage requests an object without the token. The signed address is a secret,
// too: only its host goes into errors.
func (c *Client) fromStorage(ctx context.Context, at *url.URL, w edr.Where) (*http.Response, *failure) {
	w.Request = "GET content at " + at.Host
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, &failure{err: &Error{Where: w, Kind: edr.ErrServer, Reason: "redirect to a file's content is no address"}, delivery: answered}
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.access.Load().storage.Do(req)
	if err != nil {
		return nil, noAnswer(ctx, w, answered, err)
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent || isRedirect(resp.StatusCode) {
		return resp, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	// An expired signature is passing: the server makes another.
	return nil, &failure{err: &Error{Where: w, Status: resp.StatusCode, Kind: edr.ErrServer, Reason: liveresponse.Clean(string(b), c.access.Load().token)}, delivery: answered, passing: true}
}
