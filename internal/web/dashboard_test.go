package web_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/rs/zerolog"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/config"
	"edrpipe/internal/looseid"
	"edrpipe/internal/service"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edrsim"
)

var screenshots = flag.String("screenshots", "", "directory for pictures of every page, on a desktop and on a phone")

// hostile is a name that an endpoint could have, and that would run as a script
// where text becomes markup.
const hostile = `<img src=x onerror="document.title='owned'">`

// running is a service on a simulated EDR server.
type running struct {
	*apiclient.Client                   // as admin, who uses the pages
	kim               *apiclient.Client // asks for what admin is to approve
	dir               string
}

func startRunning(t *testing.T) running {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	sim := edrsim.New(edrsim.Config{TimeScale: 100, Fleet: []edrsim.SensorSpec{
		{Hostname: "WS-ONE", OS: "windows", Files: []edrsim.FileSpec{{Path: `c:\temp\x.exe`, Content: "collected\n"}}},
		{Hostname: hostile, OS: "windows"},
	}}).Start()
	t.Cleanup(sim.Close)
	cfg := config.Default()
	cfg.Data = filepath.Join(dir, "data")
	cfg.Rules = []string{write("rule.yaml", "rules:\n  - id: never-matches\n    title: \""+strings.ReplaceAll(hostile, `"`, `\"`)+"\"\n    on: registry\n    when: reg.path == \"nothing\"\n    steps:\n      - uses: list_processes\n")}
	cfg.Bus.Sync = time.Minute
	cfg.EDR.Name, cfg.EDR.URL, cfg.EDR.Token, cfg.EDR.SensorPoll = "sim", sim.URL, write("edr.token", sim.Token), 200*time.Millisecond
	cfg.Web.Listen = "127.0.0.1:0"
	admin, kim := web.NewToken(), web.NewToken()
	cfg.Web.Users = write("users.yaml", fmt.Sprintf("users:\n  - { name: admin, role: admin, token_hash: %s }\n  - { name: kim, role: admin, token_hash: %s }\n", web.HashToken(admin), web.HashToken(kim)))
	s, err := service.Open(context.Background(), cfg, "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return running{&apiclient.Client{Server: s.URL(), Token: admin}, &apiclient.Client{Server: s.URL(), Token: kim}, dir}
}

// submit submits a job as kim.
func (r running) submit(t *testing.T, sensor int, steps ...actions.Step) string {
	t.Helper()
	var j web.JobLine
	if err := r.kim.Post(t.Context(), "jobs", web.Submission{Sensor: looseid.ID(looseid.Text(sensor)), Steps: steps}, &j); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

// answer denies a job that asks.
func (r running) answer(t *testing.T, job string) {
	t.Helper()
	var page web.JobPage
	if err := r.Get(t.Context(), "jobs/"+job, nil, &page); err != nil {
		t.Fatal(err)
	}
	if err := r.Post(t.Context(), "jobs/"+job+"/answer", web.Answer{Step: page.Job.Steps[0].ID}, &page); err != nil {
		t.Fatal(err)
	}
}

// openBrowser starts Chromium, or skips the test where there is none.
func openBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here: apt-get install chromium")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	ctx, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)...)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Error(err)
		}
		closeTab()
		stop()
		cancel()
	})
	// The browser lives as long as the context of its first use.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// do runs steps, and shows the page's text when one does not work.
func do(t *testing.T, ctx context.Context, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(limited, steps...); err != nil {
		page, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText")) // only to explain the first error
		t.Fatalf("%s: %v; the page says:\n%s", what, err, page)
	}
}

// shows waits until an element holds the text.
func shows(selector, text string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[bool](fmt.Sprintf("!!document.querySelector(%q)?.textContent.includes(%q)", selector, text))(ctx, target)
		return chromedp.Void{}, err
	}
}

// open goes to a page by its name, as a link does, and waits until it is shown:
// the page before may have elements that look like those of this one.
func open(page string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[string](fmt.Sprintf("location.hash = %q", page))(ctx, target)
		if err == nil {
			_, err = chromedp.Poll[bool](fmt.Sprintf("document.getElementById('main').dataset.page === %q", "#"+page))(ctx, target)
		}
		return chromedp.Void{}, err
	}
}

// press waits for what has that text, in the open dialog if there is one, and
// clicks it in the same breath: a page that refreshes itself has no moment between.
func press(text string) chromedp.Action[chromedp.Void] {
	const find = `(() => {
		const all = (document.querySelector("dialog[open]") ?? document).querySelectorAll("button, main a");
		const it = [...all].find((e) => e.textContent.trim() === %q && e.checkVisibility() && !e.disabled);
		it?.click();
		return !!it;
	})()`
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[bool](fmt.Sprintf(find, text))(ctx, target)
		return chromedp.Void{}, err
	}
}

// leads waits until the page that a step leads to has been loaded.
func leads(step chromedp.Action[chromedp.Void]) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.RunResponse(ctx, step)
		return chromedp.Void{}, err
	}
}

func TestDashboard(t *testing.T) {
	ctx := openBrowser(t)
	r := startRunning(t)
	collected := r.submit(t, 1, actions.Step{Uses: "get_file", With: map[string]any{"path": `c:\temp\x.exe`}})
	asked := r.submit(t, 2, actions.Step{Uses: "list_processes", Approval: &actions.Approval{Within: time.Hour}})

	do(t, ctx, "a wrong token", chromedp.Navigate(r.Server), chromedp.SendKeys("#token", "edrp_wrong"), leads(chromedp.Click("form[action='/login'] button")), chromedp.WaitVisible("#wrong"))
	do(t, ctx, "log in", chromedp.SendKeys("#token", r.Token), leads(chromedp.Click("form[action='/login'] button")), shows("h1", "Overview"), shows("#me", "admin"))
	do(t, ctx, "a job", open("/jobs/"+collected), shows("#state", "succeeded"), shows(".timeline", "get_file"), shows("main", "WS-ONE"))

	t.Run("download", func(t *testing.T) { download(t, ctx, r) })
	t.Run("refresh", func(t *testing.T) { refreshUnderTheHand(t, ctx, r, collected) })
	t.Run("approval", func(t *testing.T) {
		do(t, ctx, "the question", open("/approvals"), shows(".question", "list_processes"), shows("#badge-approvals", "1"))
		do(t, ctx, "answer", chromedp.SendKeys(".question input", "it is fine"), press("Allow"), shows("main", "Nobody has to decide"))
		do(t, ctx, "its job", open("/jobs/"+asked), shows("#state", "succeeded"))
	})
	t.Run("stop and resume", func(t *testing.T) {
		do(t, ctx, "stop", open("/guards"), press("Stop everything"), chromedp.SendKeys("dialog[open] input", "somebody is looking"), press("Stop"))
		do(t, ctx, "stopped", shows("#banner", "Stopped by admin: somebody is looking"))
		var g web.GuardsPage
		if err := r.Get(t.Context(), "guards", nil, &g); err != nil || g.Stopped == nil {
			t.Errorf("the service is not stopped: %+v, %v", g, err)
		}
		do(t, ctx, "think better of it", press("Resume"), press("Not now"), chromedp.WaitNotPresent("dialog[open].ask"), shows("#banner", "Stopped"))
		do(t, ctx, "resume", press("Resume"), chromedp.WaitVisible("dialog[open] input"), press("Resume"), chromedp.WaitNotPresent("#banner .stopped"))
	})
	t.Run("hostile text stays text", func(t *testing.T) {
		name := strings.ToUpper(hostile) // as the simulator has it
		for page, text := range map[string]string{"/jobs": name, "/rules": hostile, "/sensors": name, "/live": name, "/why?about=sensor:2": name, "/jobs/" + asked: name} {
			do(t, ctx, page, open(page), shows("main", text))
			if n := evaluate[int](t, ctx, "document.querySelectorAll('main img').length"); n != 0 {
				t.Errorf("%s: %d elements were made of an endpoint's text", page, n)
			}
		}
		if title := evaluate[string](t, ctx, "document.title"); title == "owned" {
			t.Error("an endpoint's text ran as a script")
		}
	})
	t.Run("keyboard", func(t *testing.T) {
		do(t, ctx, "go to rules", open("/"), shows("h1", "Overview"), chromedp.KeyEvent("g"), chromedp.KeyEvent("r"), shows("h1", "Rules"))
		do(t, ctx, "search", chromedp.KeyEvent("/"), chromedp.KeyEvent("no such"), chromedp.WaitNotVisible("main tbody tr"))
	})
	t.Run("pages", func(t *testing.T) {
		r.submit(t, 2, actions.Step{Uses: "list_processes", Approval: &actions.Approval{Within: time.Hour}})
		lookAtPages(t, ctx, collected)
	})
	do(t, ctx, "log out", leads(chromedp.Click("form[action='/logout'] button")), chromedp.WaitVisible("#token"))
}

func evaluate[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func download(t *testing.T, ctx context.Context, r running) {
	events := true
	do(t, ctx, "allow downloads", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: r.dir, EventsEnabled: &events})
		return err
	}))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ended := chromedp.BrowserEvents(ctx, browser.DownloadProgress)
	do(t, ctx, "click the file", open("/artifacts"), press("x.exe"))
	for e, err := range ended {
		if err != nil {
			t.Fatal(err)
		}
		if e.State == browser.DownloadProgressStateCompleted {
			break
		}
	}
	got, err := os.ReadFile(filepath.Join(r.dir, "x.exe"))
	if err != nil || string(got) != "collected\n" {
		t.Errorf("downloaded %q, %v", got, err)
	}
}

// refreshUnderTheHand changes what a page shows while somebody works on it: they
// lose neither the place where they are nor what they typed.
func refreshUnderTheHand(t *testing.T, ctx context.Context, r running, job string) {
	link := func(id string) string { return fmt.Sprintf("a[href='#/jobs/%s']", id) }
	do(t, ctx, "go to a job by keyboard", open("/jobs"), chromedp.WaitReady(link(job)), chromedp.Focus(link(job)))
	newer := r.submit(t, 1, actions.Step{Uses: "list_processes"})
	do(t, ctx, "follow the link after a refresh", chromedp.WaitReady(link(newer)), chromedp.KeyEvent(kb.Enter), shows("#state", "succeeded"))
	if at := evaluate[string](t, ctx, "location.hash"); at != "#/jobs/"+job {
		t.Errorf("Enter led to %s, the focus was on job %s", at, job)
	}
	do(t, ctx, "type half of it", open("/approvals"), chromedp.SendKeys(".question input", "half a rea"))
	second := r.submit(t, 1, actions.Step{Uses: "list_processes", Approval: &actions.Approval{Within: time.Hour}})
	do(t, ctx, "type the rest after a refresh", chromedp.WaitReady(".question "+link(second)), chromedp.KeyEvent("son"))
	if typed := evaluate[string](t, ctx, "document.activeElement.value"); typed != "half a reason" {
		t.Errorf("typed %q", typed)
	}
	r.answer(t, second)
	do(t, ctx, "somebody else answers", chromedp.WaitNotPresent(link(second)))
}

// lookAtPages opens every page on a desktop and on a phone, light and dark: none
// may be wider than the screen, and none may say that it did not work.
func lookAtPages(t *testing.T, ctx context.Context, job string) {
	for name, screen := range map[string]struct {
		width  int64
		scheme string
	}{"desktop-light": {1280, "light"}, "desktop-dark": {1280, "dark"}, "phone-light": {390, "light"}, "phone-dark": {390, "dark"}} {
		do(t, ctx, name, chromedp.EmulateViewport(screen.width, 844), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}})
			return err
		}))
		for page, title := range map[string]string{"/": "Overview", "/jobs": "Jobs", "/jobs/" + job: "Job on WS-ONE", "/approvals": "Approvals", "/rules": "Rules", "/events": "Events", "/sensors": "Sensors", "/guards": "Guards", "/artifacts": "Artifacts", "/live": "Live", "/why?about=sensor:1": "Why"} {
			do(t, ctx, page, open(page), shows("main h1", title))
			if w := evaluate[int64](t, ctx, "document.documentElement.scrollWidth"); w > screen.width {
				t.Errorf("%s on %s is %d wide, the screen %d", page, name, w, screen.width)
			}
			if *screenshots != "" {
				shoot(t, ctx, name+"-"+title)
			}
		}
	}
}

func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}
