//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/lr"
)

// Names that stand for another thing in each run of an example.
const (
	helpJob      = "8f3a21c0"
	helpArtifact = "5d41402a"
	helpEvent    = "3f2a91c4"
	helpSilence  = "6c1d2e3f"
	helpNoted    = "4711:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
)

// helpEndless are the examples that end when they are interrupted only, and what each
// has printed by then.
var helpEndless = map[string]string{
	"pipeline demo":        "WS-ANN",
	"pipeline demo --keep": "WS-ANN",
	"pipeline bridge amqp --amqp amqp://cb@edr.example:5004/ --amqp-password-file /run/secrets/amqp --server edr01 --nats nats://bus:4222": "connection refused", // there is no RabbitMQ here
	"pipeline docs serve --listen 127.0.0.1:7481":                                                                 "http://127",
	"pipeline events tail --filter 'event.kind == \"network\" and net.remote_port == 443'":                        "WS-TAIL",
	"pipeline events tail --since 1h --output json | jq .process.command_line":                                    "\"",
	"pipeline rules test --watch --run 'kill-.*/word' rules/":                                                     "test",
	"pipeline run --config pipeline.yaml":                                                                         "edrpipe is running",
	"pipeline sim":                                                                                                "token",
	"pipeline sim --tls --sensors 500 --version 7.7":                                                              "token",
	"pipeline sim --kind carbonblack-cloud --tls --token SECRET/ID --org-key A1B2C3D4 --sensors 20 --check-in 2s": "org",
	"pipeline sim --time-scale 20 --quirk duplicate-session=existing --fault 502=0.1 --fault lost-answer=0.05":    "token",
}

// helpRefused are the examples that cannot be executed here, and what each says then.
var helpRefused = map[string]string{
	"pipeline lr WS-0042": "the shell needs a terminal",
}

type preparation = func(t *testing.T, w *helpWorld, dir string) (replace []string)

// helpPrepared makes ready what an example with the text needs, and names it.
var helpPrepared = map[string]preparation{
	"jobs approve":        jobOf(asksPeople, jobs.Held),
	"jobs deny":           jobOf(asksPeople, jobs.Held),
	"jobs cancel":         jobOf(asksPeople, jobs.Held),
	"jobs retry":          jobOf(actions.Step{Uses: "get_file", With: map[string]any{"path": `c:\not-there`}}, jobs.Failed),
	"jobs undo":           jobOf(actions.Step{Uses: "isolate"}, jobs.Succeeded),
	"jobs watch":          jobOf(actions.Step{Uses: "list_processes"}, jobs.Succeeded),
	"jobs show 8f3a21c0":  jobOfRule("mimikatz.exe"),
	"rules record 8f3a21": jobOfRule("mimikatz.exe"),
	"jobs resolve":        unknownJob,
	"artifacts":           collected,
	"rules reset": func(t *testing.T, w *helpWorld, dir string) []string {
		return jobOfRule("mimikatz.exe")(t, w, dir) // it failed, and opened the breaker
	},
	"quarantine drop":    damaged("wiper"),
	"quarantine restore": damaged("ransomware"),
	"events show": func(t *testing.T, w *helpWorld, _ string) []string {
		id := w.ingest(t, w.processStart(3, "WS-CAROL", "notepad.exe"))
		w.await(t, "the event is on the bus", func() bool { return w.asks.Get(t.Context(), "events/"+id, nil, nil) == nil })
		return []string{helpEvent, id}
	},
	"events dead":          deadLetters,
	"events tail":          tailed,
	"audit verify --noted": noted,
	"state verify":         exported,
	"state import": func(t *testing.T, w *helpWorld, dir string) []string {
		exported(t, w, dir)
		key, err := os.ReadFile(filepath.Join(w.data, "state.key"))
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, dir, "data/state.key", string(key))
		return embedded(t, w, dir)
	},
	"pipeline run ":     embedded,
	"events.ndjson.gz":  zipped("events.ndjson", "events.ndjson.gz"),
	"zcat events.gz":    zipped("cloud.jsonl", "events.gz"),
	"stop --why":        after("resume"),
	"dry-run on":        after("dry-run", "off"),
	"resume --why":      before("stop"),
	"dry-run off":       before("dry-run", "on"),
	"--changed HEAD":    repository,
	"--update":          before("rules", "import", "sigma", "DIR/sigma/rules/windows", "--out", "DIR/rules/sigma.yaml"),
	"check rules/sigma": before("rules", "import", "sigma", "DIR/sigma/rules/windows", "--out", "DIR/rules/sigma.yaml"),
	"silence remove": func(t *testing.T, w *helpWorld, _ string) []string {
		s := web.Silence{Sensor: "edr01/40", Comment: "a test", Until: time.Now().Add(time.Hour)}
		if err := w.other.Post(t.Context(), "silences", s, &s); err != nil {
			t.Fatal(err)
		}
		return []string{helpSilence, s.ID}
	},
}

var asksPeople = actions.Step{Uses: "list_processes", Approval: &actions.Approval{From: []string{"soc-leads"}, Within: time.Hour}}

// jobOf submits a job of one step and names it.
func jobOf(step actions.Step, want jobs.State) preparation {
	return func(t *testing.T, w *helpWorld, _ string) []string {
		return []string{helpJob, w.job(t, "10", step, want)}
	}
}

// jobOfRule names the failed job of the event of a program, which comes once.
func jobOfRule(program string) preparation {
	return func(t *testing.T, w *helpWorld, _ string) []string {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.jobs[program] == "" {
			w.ingest(t, w.processStart(12, "WS-0012", program))
			w.await(t, "the job of "+program, func() bool {
				var page web.JobsPage
				if err := w.other.Get(t.Context(), "jobs", url.Values{"state": {"failed"}, "text": {program}}, &page); err != nil {
					t.Fatal(err)
				}
				for _, j := range page.Jobs {
					if j.Rule != "" {
						w.jobs[program] = j.ID
					}
				}
				return w.jobs[program] != ""
			})
		}
		return []string{helpJob, w.jobs[program]}
	}
}

// unknownJob starts a program whose session is closed by other hands.
func unknownJob(t *testing.T, w *helpWorld, _ string) []string {
	var line web.JobLine
	step := actions.Step{Uses: "create_process", With: map[string]any{"program": `c:\windows\system32\cmd.exe`}}
	if err := w.other.Post(t.Context(), "jobs", web.Submission{Sensor: "edr01/41", Steps: []actions.Step{step}}, &line); err != nil {
		t.Fatal(err)
	}
	c, err := lr.New(lr.Config{URL: w.sim.URL, Token: w.sim.Token})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdle()
	w.await(t, "the program runs", func() bool {
		for _, s := range w.sim.State().Sessions {
			if s.SensorID == 41 && s.Waiting == 1 {
				return c.CloseSession(t.Context(), strconv.Itoa(s.ID)) == nil
			}
		}
		return false
	})
	w.awaitState(t, line.ID, jobs.Unknown)
	return []string{helpJob, line.ID}
}

// collected names a job that collected a file, and the file.
func collected(t *testing.T, w *helpWorld, _ string) []string {
	id := w.job(t, "7", actions.Step{Uses: "get_file", With: map[string]any{"path": `c:\temp\x.exe`}}, jobs.Succeeded)
	var found []actions.Artifact
	if err := w.asks.Get(t.Context(), "artifacts", url.Values{"job": {id}}, &found); err != nil || len(found) == 0 {
		t.Fatalf("the artifact of job %s: %v, %v", id, found, err)
	}
	return []string{helpJob, id, helpArtifact, found[0].ID}
}

// damaged opens the breaker of a rule and overwrites its record with noise.
func damaged(rule string) preparation {
	return func(t *testing.T, w *helpWorld, dir string) []string {
		jobOfRule(map[string]string{"wiper": "wiper.exe", "ransomware": "locker.exe"}[rule])(t, w, dir)
		b := w.connect(t)
		defer b.Close()
		kv, err := b.JetStream().KeyValue(t.Context(), bus.BucketControl)
		if err != nil {
			t.Fatal(err)
		}
		key := "guard.breaker." + rule
		w.await(t, "the breaker's record", func() bool { _, err := kv.Get(t.Context(), key); return err == nil })
		if _, err := kv.Put(t.Context(), key, []byte("noise")); err != nil {
			t.Fatal(err)
		}
		return []string{"guard.breaker.ransomware", key}
	}
}

// deadLetters has two of them, and names them.
func deadLetters(t *testing.T, w *helpWorld, _ string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.connect(t)
	defer b.Close()
	for range 2 {
		if _, err := b.JetStream().Publish(t.Context(), "edr.events.edr01.process", fmt.Appendf(nil, `{"type" %d}`, w.sent.Add(1))); err != nil {
			t.Fatal(err)
		}
	}
	var page web.DeadPage
	w.await(t, "two dead letters", func() bool {
		if err := w.asks.Get(t.Context(), "dead", nil, &page); err != nil {
			t.Fatal(err)
		}
		return len(page.Letters) >= 2
	})
	return []string{"17", fmt.Sprint(page.Letters[0].Sequence), "18", fmt.Sprint(page.Letters[1].Sequence)}
}

// tailed has events come while the example looks.
func tailed(t *testing.T, w *helpWorld, _ string) []string {
	ctx, cancel := context.WithCancel(t.Context())
	var sent sync.WaitGroup
	sent.Go(func() {
		for pace.Sleep(ctx, 300*time.Millisecond) == nil {
			_, err := w.post(ctx, fmt.Sprintf(`{"type":"ingress.event.netconn","event_type":"netconn","sensor_id":11,"computer_name":"WS-TAIL","timestamp":%d,"pid":7,"process_path":"c:\\x.exe","process_guid":"0000000b-0000-0007-01da-ff710e784000","remote_ip":"192.0.2.%d","remote_port":443,"local_port":%[2]d,"direction":"outbound","protocol":6,"cb_server":"edr01"}`, time.Now().Unix(), 1+w.sent.Add(1)%200))
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(func() { cancel(); sent.Wait() })
	w.ingest(t, w.processStart(11, "WS-TAIL", "powershell.exe"))
	return nil
}

// noted names the last entry of the audit log.
func noted(t *testing.T, w *helpWorld, _ string) []string {
	var r web.AuditReport
	if err := w.asks.Get(t.Context(), "audit/verify", nil, &r); err != nil {
		t.Fatal(err)
	}
	return []string{helpNoted, fmt.Sprintf("%d:%s", r.Entries, r.Head)}
}

// exported writes the state of the service into the file that the examples name.
func exported(t *testing.T, w *helpWorld, dir string) []string {
	return before("state", "export", "--config", "DIR/bus.yaml", "DIR/edrpipe.state.gz")(t, w, dir)
}

// embedded makes the configuration one with a bus of its own.
func embedded(t *testing.T, _ *helpWorld, dir string) []string {
	if err := os.Rename(filepath.Join(dir, "embedded.yaml"), filepath.Join(dir, "pipeline.yaml")); err != nil {
		t.Fatal(err)
	}
	return nil
}

func zipped(from, to string) preparation {
	return func(t *testing.T, w *helpWorld, dir string) []string {
		text, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(text); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		w.write(t, dir, to, b.String())
		return nil
	}
}

// before runs a command for the example; after does so when the example has ended.
func before(args ...string) preparation {
	return func(t *testing.T, w *helpWorld, dir string) []string {
		w.pipeline(t, dir, args)
		return nil
	}
}

func after(args ...string) preparation {
	return func(t *testing.T, w *helpWorld, dir string) []string {
		t.Cleanup(func() { w.pipeline(t, dir, args) })
		return nil
	}
}

func (w *helpWorld) pipeline(t *testing.T, dir string, args []string) {
	t.Helper()
	words := strings.Split(strings.ReplaceAll(strings.Join(args, "\n"), "DIR", dir), "\n")
	cmd := exec.Command("pipeline", words...)
	cmd.Dir, cmd.Env = dir, w.environ(dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pipeline %q: %v\n%s", words, err, out)
	}
}

// repository makes the directory a repository with one commit.
func repository(t *testing.T, _ *helpWorld, dir string) []string {
	for _, args := range [][]string{{"init", "-q"}, {"add", "rules"}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "rules"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	return nil
}
