package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// startSim runs pipeline sim and gives what it prints first; stop ends it and
// gives its exit status.
func startSim(t *testing.T, lines int, args ...string) (printed string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, append([]string{"sim", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), w, &stderr)
		w.Close()
	}()
	in := bufio.NewReader(r)
	for range lines {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("sim ended after %q: %s", printed, &stderr)
		}
		printed += line
	}
	rest := make(chan struct{})
	go func() { io.Copy(io.Discard, in); close(rest) }()
	return printed, func() int {
		cancel()
		s := <-status
		<-rest
		return s
	}
}

func TestSimServesUntilItIsStopped(t *testing.T) {
	printed, stop := startSim(t, 5, "--tls", "--sensors", "20")
	url := regexp.MustCompile(`https://\S+:\d+`).FindString(printed)
	token := regexp.MustCompile(`token +([0-9a-f]{40})`).FindStringSubmatch(printed)
	print := regexp.MustCompile(`sha256 ([0-9a-f]{64})`).FindStringSubmatch(printed)
	if url == "" || token == nil || print == nil || !strings.Contains(printed, "20 (16 windows, 2 linux, 2 osx)") {
		t.Fatalf("printed:\n%s", printed)
	}
	pinned := &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		if sum := sha256.Sum256(s.PeerCertificates[0].Raw); hex.EncodeToString(sum[:]) != print[1] {
			t.Errorf("the certificate is not the one whose fingerprint was printed")
		}
		return nil
	}}
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: pinned}}
	defer hc.CloseIdleConnections()
	req, _ := http.NewRequest("GET", url+"/api/info", nil)
	req.Header.Set("X-Auth-Token", token[1])
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("info = %s", resp.Status)
	}
	if got := stop(); got != exitOK {
		t.Errorf("exit status = %d, want %d", got, exitOK)
	}
}

// TestSimSpeaksHTTPAndHTTPS: with default flags a client that insists on https
// finds it, and one that says nothing keeps nobody waiting.
func TestSimSpeaksHTTPAndHTTPS(t *testing.T) {
	printed, stop := startSim(t, 4, "--token", "tok")
	address := strings.TrimPrefix(regexp.MustCompile(`http://\S+:\d+`).FindString(printed), "http://")
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("%v; printed:\n%s", err, printed)
	}
	defer silent.Close()
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer hc.CloseIdleConnections()
	for _, scheme := range []string{"http", "https"} {
		req, _ := http.NewRequest("GET", scheme+"://"+address+"/api/info", nil)
		req.Header.Set("X-Auth-Token", "tok")
		resp, err := hc.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", scheme, resp.Status)
		}
	}
	if got := stop(); got != exitOK {
		t.Errorf("exit status = %d, want %d", got, exitOK)
	}
}

func TestSimKeepsAGivenTokenToItself(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EDRPIPE_SIM_TOKEN", "from-environment")
	for token, args := range map[string][]string{"from-flag": {"--token", "from-flag"}, "from-file": {"--token-file", file}, "from-environment": nil} {
		printed, stop := startSim(t, 4, args...)
		if strings.Contains(printed, token) {
			t.Errorf("the token is printed:\n%s", printed)
		}
		req, _ := http.NewRequest("GET", regexp.MustCompile(`http://\S+:\d+`).FindString(printed)+"/api/info", nil)
		req.Header.Set("X-Auth-Token", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s = %s", token, resp.Status)
		}
		stop()
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestSimRefusesMistakes(t *testing.T) {
	for want, args := range map[string][]string{
		`no quirk is named "x"; there are active-only`:   {"--quirk", "x=y"},
		`quirk range: "yes" is not one of ignore`:        {"--quirk", "range=yes"},
		`--quirk range: want name=value`:                 {"--quirk", "range"},
		`no fault is named "x"; there are 429, 500, 502`: {"--fault", "x=0.1"},
		`--fault hang=often: want name=rate`:             {"--fault", "hang=often"},
		`version "9" is not one of 5.1, 6.2, 7.1, 7.7`:   {"--version", "9"},
		`--tls-cert and --tls-key belong together`:       {"--tls-cert", "x"},
		`no such file`:            {"--fleet", "/no/such/file"},
		`none of the others can`:  {"--fleet", "x", "--sensors", "3"},
		`unknown command "extra"`: {"extra"},
	} {
		var stderr bytes.Buffer
		status := run(t.Context(), append([]string{"sim"}, args...), strings.NewReader(""), io.Discard, &stderr)
		if status == exitOK || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: status %d, %s; want %s", args, status, &stderr, want)
		}
	}
}

// TestSimFlagsAreDocumented holds the flags in docs/simulator.md to the
// command. EDRPIPE_UPDATE_DOCS=1 rewrites it.
func TestSimFlagsAreDocumented(t *testing.T) {
	const page, start, end = "../../docs/simulator.md", "<!-- flags -->\n", "<!-- end -->"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	flags := "```\n" + newSimCommand().Flags().FlagUsages() + "```\n"
	before, rest, _ := strings.Cut(string(b), start)
	_, after, _ := strings.Cut(rest, end)
	want := before + start + flags + end + after
	if os.Getenv("EDRPIPE_UPDATE_DOCS") != "" {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(b) != want {
		t.Errorf("%s is behind the command: run EDRPIPE_UPDATE_DOCS=1 go test ./cmd/pipeline -run SimFlags", page)
	}
}
