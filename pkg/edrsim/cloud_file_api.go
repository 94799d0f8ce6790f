package edrsim

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// cloudFileID is a stored file's id: opaque text.
func (x *session) cloudFileID(f *storedFile) string {
	return uuidOf(mix(x.srv.cfg.Seed, uint64(x.id)), uint64(f.ID))
}

// cloudFile finds a stored file that has not been deleted.
func (x *session) cloudFile(id string) *storedFile {
	for _, f := range x.files {
		if !f.Delete && x.cloudFileID(f) == id {
			return f
		}
	}
	return nil
}

// storedFile finds the file that a request names. Callers hold the server's mutex.
func (c *cloud) storedFile(r *http.Request) (*session, *storedFile, error) {
	x, err := c.readable(r)
	if err != nil {
		return nil, nil, err
	}
	f := x.cloudFile(r.PathValue("fid"))
	if f == nil {
		return nil, nil, notFound(fmt.Sprintf("File %s not found in session %s", r.PathValue("fid"), x.cloudID()))
	}
	return x, f, nil
}

func wireFile(x *session, f *storedFile) object {
	return object{"id": x.cloudFileID(f), "file_name": f.Name, "size": f.Size, "size_uploaded": f.SizeUploaded}
}

func (c *cloud) listFiles(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	x, err := c.readable(r)
	list := []object{}
	if err == nil {
		for _, f := range x.files {
			if !f.Delete {
				list = append(list, wireFile(x, f))
			}
		}
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	return c.srv.reply(w, r, c.envelope(list, len(list)))
}

func (c *cloud) getFile(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	x, f, err := c.storedFile(r)
	var v object
	if err == nil {
		v = wireFile(x, f)
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	return c.srv.reply(w, r, v)
}

func (c *cloud) deleteFile(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	x, f, err := c.storedFile(r)
	if err != nil {
		return err
	}
	x.stored -= f.data.size
	f.Delete, f.data = true, blob{}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// uploadFile takes a multipart form with one part named file, of any size.
func (c *cloud) uploadFile(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	x, err := c.usable(r)
	if err == nil {
		x.lastUse = c.srv.clock.now()
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	name, data, err := c.srv.receive(r)
	if err != nil {
		return err
	}
	c.srv.mu.Lock()
	// The upload may have taken longer than the session lived.
	if _, err := c.usable(r); err != nil {
		c.srv.mu.Unlock()
		return err
	}
	f := x.addFile(name, data)
	x.lastUse = f.since
	v := wireFile(x, f)
	c.srv.mu.Unlock()
	return c.replyStatus(w, r, http.StatusCreated, v)
}

// storagePath is the path of the simulated object storage. It needs no token; the
// signature in the path is the permission to read.
const storagePath = "/_storage/"

// fileContent redirects to the file's bytes in object storage.
func (c *cloud) fileContent(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	x, f, err := c.storedFile(r)
	if err == nil && f.Status != 0 {
		err = notFound("File " + r.PathValue("fid") + " has no content")
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	if c.is("content", "200") {
		return c.writeContent(w, r, f)
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	w.Header().Set("Location", scheme+"://"+r.Host+storagePath+x.cloudID()+"/"+r.PathValue("fid")+"?signature="+uuidOf(x.sensor.seed, uint64(f.ID)))
	w.WriteHeader(http.StatusFound)
	return nil
}

// serveStorage answers requests to object storage, and counts those that carry
// the API token: no client should send it there.
func (c *cloud) serveStorage(w http.ResponseWriter, r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, storagePath)
	if !ok {
		return false
	}
	c.srv.counters.request("GET "+storagePath, r.Method)
	if r.Header.Get("X-Auth-Token") != "" {
		c.srv.counters.request("GET "+storagePath+" with the token", r.Method)
	}
	sid, fid, _ := strings.Cut(rest, "/")
	c.srv.mu.Lock()
	x, err := c.anySession(sid)
	var f *storedFile
	if err == nil {
		f = x.cloudFile(fid)
	}
	allowed := f != nil && r.URL.Query().Get("signature") == uuidOf(x.sensor.seed, uint64(f.ID))
	c.srv.mu.Unlock()
	if !allowed {
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
		return true
	}
	name, h := c.srv.faults.pick(r)
	if name == "reset" {
		c.srv.counters.fault(name)
		rw := &resetWriter{ResponseWriter: w, h: h, left: -1}
		_ = c.writeContent(rw, r, f)
		hangUp(w)
		return true
	}
	_ = c.writeContent(w, r, f) // after the head only a broken connection signals an error
	return true
}

func (c *cloud) writeContent(w http.ResponseWriter, r *http.Request, f *storedFile) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	if sized, ok := w.(interface{ expect(int64) }); ok {
		sized.expect(f.Size)
	}
	if c.is("get-range", "honoured") && r.Header.Get("Range") != "" {
		http.ServeContent(w, r, "", f.since, f.data.reader())
		return nil
	}
	w.Header().Set("Content-Length", fmt.Sprint(f.data.size))
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, f.data.reader(), make([]byte, 256<<10))
	return ignoreGone(r, err)
}
