package edrsim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A storedFile is a file in a session's storage: an upload, or what a get file
// brought. Its ids count from 1 in each session.
type storedFile struct {
	ID           int    `json:"id"`
	Name         string `json:"file_name"`
	Size         int64  `json:"size"`
	SizeUploaded int64  `json:"size_uploaded"`
	Status       uint32 `json:"status"` // 0, or a result code
	Delete       bool   `json:"delete"`

	data  blob
	since time.Time
}

// fail records why a get file failed.
func (f *storedFile) fail(why failure, windows bool) { f.Status, _ = why.wire(windows) }

// addFile reserves the next file id.
func (x *session) addFile(name string, data blob) *storedFile {
	f := &storedFile{ID: len(x.files) + 1, Name: name, since: x.srv.clock.now()}
	x.files = append(x.files, f)
	x.store(f, data)
	return f
}

// store fills a file.
func (x *session) store(f *storedFile, data blob) {
	f.data, f.Size, f.SizeUploaded = data, data.size, data.size
	x.stored += data.size
}

// fileByID finds a file that has not been deleted.
func (x *session) fileByID(id int) *storedFile {
	if id < 1 || id > len(x.files) || x.files[id-1].Delete {
		return nil
	}
	return x.files[id-1]
}

// storageSize is 0 at first and a decimal string later: so it is on the wire.
func (x *session) storageSize() any {
	if x.stored == 0 || x.srv.as.storageSize == "number" {
		return x.stored
	}
	return strconv.FormatInt(x.stored, 10)
}

func (s *Server) listFiles(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	x, err := s.readable(pathNumber(r, "sid"))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	list := make([]storedFile, 0, len(x.files))
	for _, f := range x.files {
		if !f.Delete {
			list = append(list, *f)
		}
	}
	s.mu.Unlock()
	return s.reply(w, r, list)
}

// storedFile finds the file that a request names and gives a copy.
func (s *Server) storedFile(r *http.Request, remove bool) (storedFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.readable(pathNumber(r, "sid"))
	if err != nil {
		return storedFile{}, err
	}
	f := x.fileByID(pathNumber(r, "fid"))
	if f == nil {
		return storedFile{}, &apiError{http.StatusNotFound, fmt.Sprintf("File %s not found in session %d", r.PathValue("fid"), x.id)}
	}
	if remove {
		x.stored -= f.data.size
		f.Delete = true
		f.data = blob{}
	}
	return *f, nil
}

func (s *Server) getFile(w http.ResponseWriter, r *http.Request) error {
	f, err := s.storedFile(r, false)
	if err != nil {
		return err
	}
	return s.reply(w, r, f)
}

func (s *Server) deleteFile(w http.ResponseWriter, r *http.Request) error {
	f, err := s.storedFile(r, true)
	if err != nil {
		return err
	}
	return s.reply(w, r, f)
}

// putFile deletes a file when its delete is set to true.
func (s *Server) putFile(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Delete flag `json:"delete"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	f, err := s.storedFile(r, bool(req.Delete))
	if err != nil {
		return err
	}
	return s.reply(w, r, f)
}

// uploadFile takes a multipart form with one part named file, of any size.
func (s *Server) uploadFile(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	x, err := s.usable(pathNumber(r, "sid"))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	x.lastUse = s.clock.now()
	s.mu.Unlock()
	name, data, err := s.receive(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	// The upload may have taken longer than the session lived.
	if _, err := s.usable(x.id); err != nil {
		s.mu.Unlock()
		return err
	}
	f := *x.addFile(name, data)
	x.lastUse, x.sensorWaits = f.since, latest(x.sensorWaits, f.since)
	s.mu.Unlock()
	return s.reply(w, r, f)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// receive spools the part named file of a form.
func (s *Server) receive(r *http.Request) (name string, data blob, err error) {
	limit := s.as.uploadLimit()
	form, err := r.MultipartReader()
	if err != nil {
		return "", blob{}, badRequest(err)
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return "", blob{}, badRequest(errors.New("the form has no part named file"))
		}
		if err != nil {
			return "", blob{}, badRequest(err)
		}
		if part.FormName() != "file" {
			continue
		}
		var src io.Reader = part
		if limit > 0 {
			src = io.LimitReader(part, limit+1)
		}
		data, err := s.spool.save(src)
		var disk *fs.PathError
		if errors.As(err, &disk) {
			return "", blob{}, fmt.Errorf("keep %q: %w", part.FileName(), err)
		}
		if err != nil { // the client broke off
			return "", blob{}, badRequest(fmt.Errorf("receive %q: %w", part.FileName(), err))
		}
		if limit > 0 && data.size > limit {
			return "", blob{}, &apiError{http.StatusRequestEntityTooLarge, gatewayPage(http.StatusRequestEntityTooLarge)}
		}
		return baseName(part.FileName()), data, nil
	}
}

// fileContent streams a file's bytes, without a length as the real server does.
func (s *Server) fileContent(w http.ResponseWriter, r *http.Request) error {
	f, err := s.storedFile(r, false)
	if err != nil {
		return err
	}
	if f.Status != 0 {
		return &apiError{http.StatusNotFound, fmt.Sprintf("File %d has no content", f.ID)}
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", fmt.Sprintf(`"flask-%.2f-%d-%d"`, float64(f.since.UnixMilli())/1000, f.Size, uint32(mixString(0, f.Name))))
	h.Set("Last-Modified", f.since.UTC().Format(http.TimeFormat))
	if sized, ok := w.(interface{ expect(int64) }); ok {
		sized.expect(f.Size)
	}
	if s.as.rangeReq == "honour" && r.Header.Get("Range") != "" {
		http.ServeContent(w, r, "", f.since, f.data.reader())
		return nil
	}
	w.WriteHeader(http.StatusOK)
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, f.data.reader(), make([]byte, 256<<10))
	if err != nil { // after the head only a broken connection signals an error
		panic(http.ErrAbortHandler)
	}
	return nil
}

// statusCode parses a quirk's status, which has been checked.
func statusCode(s string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(s))
	return n
}

// snapshot copies a session's files that have content.
func (x *session) snapshot() []storedFile {
	var list []storedFile
	for _, f := range x.files {
		if !f.Delete && f.Status == 0 {
			list = append(list, *f)
		}
	}
	return slices.Clip(list)
}
