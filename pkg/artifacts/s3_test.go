package artifacts

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket answers the requests of S3 that a Backend needs, in path style.
type bucket struct {
	mu      sync.Mutex
	objects map[string]string
	parts   map[string]map[int]string // by upload
}

func fakeS3(t *testing.T) Backend {
	b := &bucket{objects: map[string]string{}, parts: map[string]map[int]string{}}
	srv := httptest.NewServer(b)
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); srv.Close() })
	client, err := minio.New(strings.TrimPrefix(srv.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4("key", "secret", ""), Region: "us-east-1", Transport: transport, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	return S3{Client: client, Bucket: "evidence", Prefix: "edrpipe/"}
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/evidence/")
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		id := strconv.Itoa(len(b.parts) + 1)
		b.parts[id] = map[int]string{}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case r.Method == http.MethodPut && q.Has("partNumber"):
		n, _ := strconv.Atoi(q.Get("partNumber"))
		b.parts[q.Get("uploadId")][n] = body(r)
		w.Header().Set("ETag", `"part"`)
	case r.Method == http.MethodPost && q.Has("uploadId"):
		parts := b.parts[q.Get("uploadId")]
		var whole strings.Builder
		for n := 1; n <= len(parts); n++ {
			whole.WriteString(parts[n])
		}
		b.objects[key] = whole.String()
		fmt.Fprint(w, `<CompleteMultipartUploadResult><Bucket>evidence</Bucket><ETag>"whole"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		delete(b.parts, q.Get("uploadId"))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		b.objects[key] = body(r)
		w.Header().Set("ETag", `"whole"`)
	case r.Method == http.MethodDelete:
		delete(b.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case q.Has("list-type"):
		b.list(w, q.Get("prefix"))
	default:
		b.read(w, r, key)
	}
}

func (b *bucket) read(w http.ResponseWriter, r *http.Request, key string) {
	text, ok := b.objects[key]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		if r.Method != http.MethodHead {
			fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
		}
		return
	}
	w.Header().Set("ETag", `"whole"`)
	http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(text))
}

func (b *bucket) list(w http.ResponseWriter, prefix string) {
	type content struct {
		Key          string
		Size         int
		LastModified string
	}
	result := struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []content
	}{}
	for key, text := range b.objects {
		if strings.HasPrefix(key, prefix) {
			result.Contents = append(result.Contents, content{key, len(text), "2026-01-05T09:00:00.000Z"})
		}
	}
	slices.SortFunc(result.Contents, func(a, b content) int { return strings.Compare(a.Key, b.Key) })
	_ = xml.NewEncoder(w).Encode(result)
}

// body reads a request's payload, which the client may have cut into signed
// chunks.
func body(r *http.Request) string {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		text, _ := io.ReadAll(r.Body)
		return string(text)
	}
	var whole strings.Builder
	in := bufio.NewReader(r.Body)
	for {
		head, err := in.ReadString('\n')
		if err != nil {
			return whole.String()
		}
		size, _, _ := strings.Cut(strings.TrimSpace(head), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil || n == 0 {
			_, _ = io.Copy(io.Discard, in)
			return whole.String()
		}
		_, _ = io.CopyN(&whole, in, n)
		_, _ = in.ReadString('\n')
	}
}
