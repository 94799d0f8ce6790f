package lr

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edr"
)

const stored = "0123456789abcdefghijklmnopqrstuvwxyz"

// staged makes get file hand out file 1, with this content.
func (f *fake) staged(content string) {
	f.files["1/1"] = []byte(content)
	f.finish = func(_ *fake, cmd object) { cmd["file_id"] = 1 }
}

func TestDownloadResumes(t *testing.T) {
	type answer = func(f *fake, w http.ResponseWriter, r *http.Request, body []byte)
	tests := map[string]struct {
		answers []answer // to requests for the content, in order; then the fake's own
		want    error
		wrote   string // in case of an error
	}{
		"whole": {},
		"cut off, server knows no ranges": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) { truncated(w, []byte(stored), 20) },
		}},
		"cut off, server knows ranges": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) { truncated(w, []byte(stored), 20) },
			func(_ *fake, w http.ResponseWriter, r *http.Request, _ []byte) {
				if r.Header.Get("Range") != "bytes=16-" {
					t.Errorf("Range = %q", r.Header.Get("Range"))
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 16-%d/%d", len(stored)-1, len(stored)))
				w.WriteHeader(http.StatusPartialContent)
				io.WriteString(w, stored[16:])
			},
		}},
		"another range than asked for": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) { truncated(w, []byte(stored), 20) },
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				w.Header().Set("Content-Range", "bytes 0-35/36")
				w.WriteHeader(http.StatusPartialContent)
				io.WriteString(w, stored)
			},
		}},
		"cut off, then other bytes": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) { truncated(w, []byte(stored), 20) },
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				io.WriteString(w, strings.ToUpper(stored))
			},
		}, want: ErrChanged, wrote: stored[:16]},
		"chunked and too short": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				io.WriteString(w, stored[:10])
				w.(http.Flusher).Flush()
			},
		}},
		"always too long": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) { io.WriteString(w, stored+"more") },
		}, want: edr.ErrServer, wrote: stored + "more"},
		"a proxy's page": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				io.WriteString(w, "<h1>try later</h1>")
			},
		}},
		"compressed though not asked for": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				io.WriteString(z, stored)
				z.Close()
			},
		}},
		"stalls": {answers: []answer{
			func(_ *fake, w http.ResponseWriter, r *http.Request, _ []byte) {
				io.WriteString(w, stored[:5])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s := f.session(t, f.client(t, func(c *Config) { c.StallTimeout = 100 * time.Millisecond }))
			f.staged(stored)
			n := 0
			f.hook = func(f *fake, w http.ResponseWriter, r *http.Request, b []byte) bool {
				if !strings.HasSuffix(r.URL.Path, "/content") || n >= len(tt.answers) {
					return false
				}
				n++
				tt.answers[n-1](f, w, r, b)
				return true
			}
			var got bytes.Buffer
			info, err := s.GetFile(t.Context(), `c:\x`, edr.Range{}, &got)
			want := stored
			if tt.want != nil {
				want = tt.wrote
			}
			if !errors.Is(err, tt.want) || got.String() != want {
				t.Fatalf("got %q, %v; want %q, %v", got.String(), err, want, tt.want)
			}
			sum := sha256.Sum256([]byte(want))
			if info.SHA256 != hex.EncodeToString(sum[:]) || info.Size != int64(len(want)) {
				t.Errorf("info = %+v", info)
			}
			if f.count("POST "+sessionPath+"/1/command") != 1 {
				t.Error("the sensor read the file more than once")
			}
		})
	}
}

func TestDownloadInChunks(t *testing.T) {
	f := newFake(t)
	s := f.session(t, f.client(t, func(c *Config) { c.ChunkSize = 10 }))
	var asked []string
	f.finish = func(f *fake, cmd object) {
		if cmd["name"] == "directory list" {
			cmd["files"] = []object{{"filename": "x", "size": "36", "last_write_time": 5}}
			return
		}
		offset, _ := cmd["offset"].(float64)
		count := cmd["get_count"].(float64)
		asked = append(asked, fmt.Sprintf("%v+%v", offset, count))
		cmd["file_id"] = len(asked)
		f.files[fmt.Sprintf("1/%d", len(asked))] = []byte(stored[int(offset):min(int(offset+count), len(stored))])
	}
	var got bytes.Buffer
	if _, err := s.GetFile(t.Context(), `c:\x`, edr.Range{}, &got); err != nil || got.String() != stored {
		t.Errorf("got %q, %v", got.String(), err)
	}
	same(t, asked, []string{"0+10", "10+10", "20+10", "30+10"})
	if n := f.count("DELETE "); n != 4 {
		t.Errorf("%d pieces were removed from the store, want 4", n)
	}
}

// dropSession closes session 1 before the request is served.
func dropSession(f *fake) {
	f.mu.Lock()
	f.sessions[0]["status"] = "close"
	f.mu.Unlock()
}

// TestEndpointRedoesUploadWithItsCommand: a file id of a lost session would name
// another file in the next one.
func TestEndpointRedoesUploadWithItsCommand(t *testing.T) {
	f := newFake(t)
	e := f.client(t).Endpoint("1")
	f.hook = first("POST", "/1/command", func(f *fake, w http.ResponseWriter, r *http.Request, _ []byte) {
		dropSession(f)
		http.Error(w, "Session 1 not found", 404)
	})
	if _, err := e.PutFile(t.Context(), `c:\x`, strings.NewReader(stored)); err != nil {
		t.Fatal(err)
	}
	cmd := f.commands[2][0]
	id := fmt.Sprintf("2/%v", cmd["file_id"])
	if string(f.files[id]) != stored || len(f.commands[1]) != 0 {
		t.Errorf("put file %s = %q; uploads %d", id, f.files[id], len(f.files))
	}
	if err := e.Close(t.Context()); err != nil || f.sessions[1]["status"] != "close" {
		t.Errorf("Close: %v, session is %v", err, f.sessions[1]["status"])
	}
}

func TestEndpointDoesNotRedoWhatCannotBeReadAgain(t *testing.T) {
	f := newFake(t)
	e := f.client(t).Endpoint("1")
	f.hook = first("POST", "/1/command", func(f *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
		dropSession(f)
		http.Error(w, "Session 1 not found", 404)
	})
	_, err := e.PutFile(t.Context(), `c:\x`, io.MultiReader(strings.NewReader(stored)))
	if !errors.Is(err, edr.ErrSessionGone) || len(f.sessions) != 1 {
		t.Errorf("got %v with %d sessions", err, len(f.sessions))
	}
}

// TestEndpointGoesOnWithDownload continues in a second session at the byte where
// the first one ended.
func TestEndpointGoesOnWithDownload(t *testing.T) {
	for name, modified := range map[string]int{"same file": 5, "changed file": 6} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			c := f.client(t)
			e := c.Endpoint("1")
			f.finish = func(f *fake, cmd object) {
				switch {
				case cmd["name"] == "directory list" && cmd["session_id"] == 1.0:
					cmd["files"] = []object{{"filename": "x", "size": 36, "last_write_time": 5}}
				case cmd["name"] == "directory list":
					cmd["files"] = []object{{"filename": "x", "size": 36, "last_write_time": modified}}
				default:
					cmd["file_id"] = 1
					offset, _ := cmd["offset"].(float64)
					f.files[fmt.Sprintf("%v/1", cmd["session_id"])] = []byte(stored[int(offset):])
				}
			}
			f.hook = first("GET", "/content", func(f *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				dropSession(f)
				truncated(w, []byte(stored), 20)
			})
			var got bytes.Buffer
			_, err := e.GetFile(t.Context(), `c:\x`, edr.Range{}, &got)
			if modified == 5 && (err != nil || got.String() != stored) {
				t.Errorf("got %q, %v", got.String(), err)
			}
			if modified == 6 && (!errors.Is(err, ErrChanged) || got.String() != stored[:16]) {
				t.Errorf("got %q, %v, want ErrChanged", got.String(), err)
			}
		})
	}
}

// TestTransfersNeedConstantMemory moves 64 MiB each way.
func TestTransfersNeedConstantMemory(t *testing.T) {
	const size = 64 << 20
	f := newFake(t)
	s := f.session(t, f.client(t))
	f.Server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/content"):
			io.Copy(w, io.LimitReader(zeros{}, size))
		case strings.HasSuffix(r.URL.Path, "/file"):
			n, _ := io.Copy(io.Discard, r.Body)
			write(w, object{"id": 1, "size": 0, "sent": n})
		case strings.HasSuffix(r.URL.Path, "/file/1"):
			write(w, object{"id": 1, "size_uploaded": size})
		default:
			f.ServeHTTP(w, r)
		}
	})
	f.finish = func(_ *fake, cmd object) { cmd["file_id"] = 1 }
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if info, err := s.PutFile(t.Context(), `c:\x`, io.LimitReader(zeros{}, size)); err != nil || info.Size != size {
		t.Fatal(info, err)
	}
	if info, err := s.GetFile(t.Context(), `c:\x`, edr.Range{}, io.Discard); err != nil || info.Size != size {
		t.Fatal(info, err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("%d MiB were allocated to move 128 MiB", got>>20)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
