package edrtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
)

func commandList(t *testing.T, ctx context.Context, b Backend) {
	s := open(t, ctx, b)
	processes := power[edr.Processes](t, s)
	for range 3 {
		if _, err := processes.Processes(ctx); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Commands(ctx)
	if err != nil || len(all) != 3 {
		t.Fatalf("Commands = %d, %v", len(all), err)
	}
	if !slices.IsSortedFunc(all, func(x, y edr.Command) int { return cmp.Compare(x.ID, y.ID) }) || all[0].ID == all[1].ID {
		t.Errorf("ids do not increase: %+v", all)
	}
	one, err := s.Command(ctx, all[2].ID, true)
	if err != nil || one.ID != all[2].ID || one.Name != "process list" || !one.Status.Done() {
		t.Errorf("Command = %+v, %v", one, err)
	}
}

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// put writes a new file on the endpoint.
func put(t *testing.T, ctx context.Context, s edr.Files, path string, b []byte) {
	t.Helper()
	info, err := s.PutFile(ctx, path, bytes.NewReader(b))
	if err != nil || info.Size != int64(len(b)) || info.SHA256 != digest(b) {
		t.Fatalf("PutFile(%s) = %+v, %v", path, info, err)
	}
}

func files(t *testing.T, ctx context.Context, b Backend) {
	s := power[edr.Files](t, open(t, ctx, b))
	for _, n := range []int{0, 1, 3 << 20} {
		path := b.Dir + `\edrtest.bin`
		want := content(n)
		put(t, ctx, s, path, want)
		var got bytes.Buffer
		info, err := s.GetFile(ctx, path, edr.Range{}, &got)
		if err != nil || !bytes.Equal(got.Bytes(), want) || info.Size != int64(n) || info.SHA256 != digest(want) {
			t.Errorf("GetFile of %d bytes: %d bytes, %+v, %v", n, got.Len(), info, err)
		}
		if err := s.DeleteFile(ctx, path); err != nil {
			t.Errorf("DeleteFile: %v", err)
		}
	}
}

func ranges(t *testing.T, ctx context.Context, b Backend) {
	s := power[edr.Files](t, open(t, ctx, b))
	path := b.Dir + `\edrtest-range.bin`
	put(t, ctx, s, path, []byte("0123456789"))
	for r, want := range map[edr.Range]string{
		{Offset: 3}:           "3456789",
		{Count: 4}:            "0123",
		{Offset: 3, Count: 4}: "3456",
		{Offset: 8, Count: 9}: "89",
	} {
		var got bytes.Buffer
		if info, err := s.GetFile(ctx, path, r, &got); err != nil || got.String() != want || info.SHA256 != digest([]byte(want)) {
			t.Errorf("GetFile(%+v) = %q, %v, want %q", r, got.String(), err, want)
		}
	}
}

func missing(t *testing.T, ctx context.Context, b Backend) {
	s := power[edr.Files](t, open(t, ctx, b))
	path := b.Dir + `\edrtest-no-such-file`
	var got bytes.Buffer
	if _, err := s.GetFile(ctx, path, edr.Range{}, &got); !errors.Is(err, fs.ErrNotExist) || got.Len() != 0 {
		t.Errorf("GetFile = %v with %d bytes", err, got.Len())
	}
	err := s.DeleteFile(ctx, path)
	var refused *edr.ResultError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &refused) || refused.Sensor != b.Sensor || refused.Object != path {
		t.Errorf("DeleteFile = %+v", err)
	}
}

func directories(t *testing.T, ctx context.Context, b Backend) {
	s := power[edr.Files](t, open(t, ctx, b))
	dir := b.Dir + `\edrtest-dir`
	if err := s.MakeDir(ctx, dir); err != nil {
		t.Fatalf("MakeDir: %v", err)
	}
	if err := s.MakeDir(ctx, dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("MakeDir again = %v", err)
	}
	put(t, ctx, s, dir+`\a.txt`, []byte("abc"))
	got, err := s.List(ctx, dir+`\`)
	if err != nil || len(got) != 1 || got[0].Name != "a.txt" || got[0].Size != 3 || got[0].Dir || got[0].Modified.IsZero() {
		t.Errorf("List = %+v, %v", got, err)
	}
	got, err = s.List(ctx, dir)
	if err != nil || len(got) != 1 || !strings.EqualFold(got[0].Name, "edrtest-dir") || !got[0].Dir {
		t.Errorf("List of the directory itself = %+v, %v", got, err)
	}
}

func processes(t *testing.T, ctx context.Context, b Backend) {
	s := open(t, ctx, b)
	list := power[edr.Processes](t, s)
	all, err := list.Processes(ctx)
	if err != nil || len(all) == 0 {
		t.Fatalf("Processes = %d, %v", len(all), err)
	}
	var refused *edr.ResultError
	if err := list.Kill(ctx, 99999999); !errors.As(err, &refused) {
		t.Errorf("Kill of an unknown process = %v", err)
	}
	if b.Command == "" {
		return
	}
	out := b.Dir + `\edrtest-out.txt`
	files := power[edr.Files](t, s)
	r, err := power[edr.Runner](t, s).Run(ctx, edr.ProcessSpec{CommandLine: b.Command, Wait: true, OutputFile: out})
	if err != nil || !b.NoReturnCode && (r.PID == 0 || !r.Exited || r.ReturnCode != 0) {
		t.Fatalf("Run = %+v, %v", r, err)
	}
	var got bytes.Buffer
	if _, err := files.GetFile(ctx, out, edr.Range{}, &got); err != nil || strings.TrimSpace(got.String()) != "hello" {
		t.Errorf("output = %q, %v", got.String(), err)
	}
	if err := files.DeleteFile(ctx, out); err != nil {
		t.Error(err)
	}
}

func registry(t *testing.T, ctx context.Context, b Backend) {
	if b.Key == "" {
		t.Skip("no registry")
	}
	s := power[edr.Registry](t, open(t, ctx, b))
	key := b.Key + `\edrtest`
	if err := s.CreateRegistryKey(ctx, key); err != nil {
		t.Fatalf("CreateRegistryKey: %v", err)
	}
	values := []edr.RegistryValue{
		{Name: "sz", Type: "REG_SZ", Data: "text"},
		{Name: "expand", Type: "REG_EXPAND_SZ", Data: `%windir%\x`},
		{Name: "multi", Type: "REG_MULTI_SZ", Data: []string{"a", "b c"}},
		{Name: "dword", Type: "REG_DWORD", Data: int64(4294967295)},
		{Name: "qword", Type: "REG_QWORD", Data: int64(1) << 40},
		{Name: "binary", Type: "REG_BINARY", Data: "00ff10"},
	}
	for _, v := range values {
		path := key + `\` + v.Name
		if err := s.SetRegistryValue(ctx, path, v, false); err != nil {
			t.Fatalf("SetRegistryValue(%s): %v", v.Name, err)
		}
		got, err := s.RegistryValue(ctx, path)
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("RegistryValue = %#v, %v, want %#v", got, err, v)
		}
	}
	got, err := s.RegistryKey(ctx, key)
	if err != nil || len(got.Values) != len(values) {
		t.Errorf("RegistryKey = %+v, %v", got, err)
	}
	if err := s.DeleteRegistryValue(ctx, key+`\sz`); err != nil {
		t.Errorf("DeleteRegistryValue: %v", err)
	}
	if _, err := s.RegistryValue(ctx, key+`\sz`); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted value = %v", err)
	}
	if err := s.DeleteRegistryKey(ctx, key); err != nil {
		t.Errorf("DeleteRegistryKey: %v", err)
	}
	if _, err := s.RegistryKey(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted key = %v", err)
	}
}

func traceOrder(t *testing.T, ctx context.Context, b Backend) {
	s := open(t, ctx, b)
	var seen []string
	var ids []int64
	note := func(what string) func(context.Context, edr.Command) {
		return func(_ context.Context, c edr.Command) {
			seen, ids = append(seen, what+" "+c.Name), append(ids, c.ID)
		}
	}
	traced := edr.WithTrace(ctx, &edr.Trace{
		Submitting: func(_ context.Context, name, object, session string, after int64) error {
			if session != s.Info().ID || name == "delete file" && object != `c:\nothing` {
				t.Errorf("Submitting(%q, %q, session %s)", name, object, session)
			}
			seen, ids = append(seen, "submitting "+name), append(ids, after)
			return nil
		},
		Submitted: note("submitted"), Finished: note("finished"),
	})
	if _, err := power[edr.Processes](t, s).Processes(traced); err != nil {
		t.Fatal(err)
	}
	if err := power[edr.Files](t, s).DeleteFile(traced, `c:\nothing`); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("DeleteFile = %v", err)
	}
	want := []string{
		"submitting process list", "submitted process list", "finished process list",
		"submitting delete file", "submitted delete file", "finished delete file",
	}
	if !slices.Equal(seen, want) {
		t.Fatalf("seen %q, want %q", seen, want)
	}
	if ids[0] >= ids[1] || ids[1] != ids[2] || ids[3] != ids[2] || ids[4] <= ids[3] || ids[5] != ids[4] {
		t.Errorf("ids = %v", ids)
	}
}

func traceStops(t *testing.T, ctx context.Context, b Backend) {
	s := open(t, ctx, b)
	stop := errors.New("stopped")
	traced := edr.WithTrace(ctx, &edr.Trace{Submitting: func(context.Context, string, string, string, int64) error { return stop }})
	if _, err := power[edr.Processes](t, s).Processes(traced); !errors.Is(err, stop) {
		t.Errorf("Processes = %v", err)
	}
	if all, err := s.Commands(ctx); err != nil || len(all) != 0 {
		t.Errorf("commands were sent: %+v, %v", all, err)
	}
}
