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

	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
)

var screenshots = flag.String("screenshots", "", "directory for pictures of every page, on a desktop and on a phone")

// hostile is a name that an endpoint could have, and that would run as a script
// where text becomes markup.
const hostile = `<img src=x onerror="document.title='owned'">`

// openBrowser starts Chromium, or skips the test where there is none.
func openBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here: apt-get install chromium")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Minute)
	ctx, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)...)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("end %s: %v", path, err)
		}
		closeTab()
		stop()
		cancel()
	})
	// The browser lives as long as the context of its first use.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// do runs steps, and shows the page's text when one does not work.
func do(t *testing.T, ctx context.Context, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := chromedp.Do(limited, steps...); err != nil {
		page, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText.slice(0, 4000)")) // only to explain the first error
		t.Fatalf("%s: %v; the page says:\n%s", what, err, page)
	}
}

// until waits for a condition of the page as long as its step may take: on a machine with
// much to do nothing comes within half a minute for sure.
func until(condition string) chromedp.Action[bool] {
	return chromedp.Poll[bool](condition, chromedp.WithPollingTimeout(0))
}

// shows waits until an element holds the text.
func shows(selector, text string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := until(fmt.Sprintf("!!document.querySelector(%q)?.textContent.includes(%q)", selector, text))(ctx, target)
		return chromedp.Void{}, err
	}
}

// keepWords keeps what the page says for a moment from now on, until it is loaded again.
func keepWords() chromedp.Action[chromedp.Void] {
	const keep = `new MutationObserver((all) => all.forEach((m) => m.addedNodes.forEach((n) => document.documentElement.dataset.said = (document.documentElement.dataset.said ?? "") + n.textContent + "\n"))).observe(document.getElementById("toasts"), { childList: true }), true`
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[bool](keep)(ctx, target)
		return chromedp.Void{}, err
	}
}

// said waits until the page has said the text since keepWords, however short it was shown.
func said(text string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := until(fmt.Sprintf("!!document.documentElement.dataset.said?.includes(%q)", text))(ctx, target)
		if err != nil {
			words, _ := chromedp.Evaluate[string]("document.documentElement.dataset.said ?? 'nothing'")(ctx, target) // only to explain the first error
			err = fmt.Errorf("%w; it has said: %s", err, words)
		}
		return chromedp.Void{}, err
	}
}

// open goes to a page by its name, as a link does, and waits until it is shown:
// the page before may have elements that look like those of this one.
func open(page string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[string](fmt.Sprintf("location.hash = %q", page))(ctx, target)
		if err == nil {
			_, err = until(fmt.Sprintf("document.getElementById('main').dataset.page === %q", "#"+page))(ctx, target)
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
		_, err := until(fmt.Sprintf(find, text))(ctx, target)
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
		if err := r.Post(t.Context(), "jobs", web.Submission{Sensor: "1", Steps: []actions.Step{{Uses: "list_processes", Approval: &actions.Approval{Within: time.Hour}}}}, nil); err != nil {
			t.Fatal(err)
		}
		do(t, ctx, "one's own question", open("/approvals"), shows("main", "Asks because"), shows("main", "another person has to allow it"))
		if evaluate[bool](t, ctx, "[...document.querySelectorAll('.question button')].some((b) => b.textContent === 'Allow')") {
			t.Error("who submitted a job is offered to allow it")
		}
		do(t, ctx, "take it back", press("Deny"), shows("main", "Nobody has to decide"))
	})
	t.Run("why leads on", func(t *testing.T) {
		do(t, ctx, "why", open("/why?about=sensor:1"), chromedp.WaitReady(".timeline strong a[href='#/jobs/"+collected+"']"))
		do(t, ctx, "jobs of a server", open("/jobs?server=nowhere"), shows("main", "No job fits"), open("/jobs?server=SIM"), chromedp.WaitReady("a[href='#/jobs/"+collected+"']"))
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
		for page, text := range map[string]string{"/jobs": name, "/rules": hostile, "/sensors": name, "/live": name, "/why?about=sensor:2": name, "/jobs/" + asked: name, "/endpoints/sim%2F2": name, "/rules/never-matches": hostile} {
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
		lookAtPages(t, ctx, screens, map[string]string{"/": "Overview", "/jobs/" + collected: "Job on WS-ONE", "/artifacts": "Artifacts", "/live": "Live", "/why?about=sensor:1": "Why", "/endpoints/sim%2F1": "WS-ONE"})
	})
	t.Run("refresh goes on", func(t *testing.T) { refreshGoesOn(t, ctx) })
	t.Run("exact times", func(t *testing.T) { exactTimes(t, ctx, collected) })
	do(t, ctx, "log out", leads(chromedp.Click("form[action='/logout'] button")), chromedp.WaitVisible("#token"))
}

func evaluate[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("evaluate %.200s: %v", script, err)
	}
	return v
}

func download(t *testing.T, ctx context.Context, r running) {
	events := true
	do(t, ctx, "allow downloads", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: r.dir, EventsEnabled: &events})
		return err
	}))
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
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

// refreshGoesOn has questions of the first page fail, one for the page and one that comes
// only after it: what is shown is read again all the same.
func refreshGoesOn(t *testing.T, ctx context.Context) {
	const breaks = `(() => {
		const real = window.fetch, root = document.documentElement.dataset;
		root.asked = 0;
		window.fetch = (...all) => {
			if (!String(all[0]).includes("overview")) return real(...all);
			return [1, 2, 4].includes(++root.asked) ? Promise.reject(new TypeError("planted")) : real(...all);
		};
		return true;
	})()`
	do(t, ctx, "the first page", open("/"), shows("h1", "Overview"))
	evaluate[bool](t, ctx, breaks)
	do(t, ctx, "a failure in words", shows("h1", "That did not work"), shows("main", "the service does not answer"))
	do(t, ctx, "refreshed after both", shows("h1", "Overview"), waits("document.documentElement.dataset.asked >= 8"))
	do(t, ctx, "as it was", chromedp.Reload(), shows("h1", "Overview"))
}

// exactTimes asks for jobs of an exact time, which the address holds.
func exactTimes(t *testing.T, ctx context.Context, job string) {
	link := fmt.Sprintf("a[href='#/jobs/%s']", job)
	do(t, ctx, "exact times", open("/jobs?state=succeeded"), chromedp.WaitReady(link), choose("select[name=days]", "exact"), chromedp.WaitReady("input[name=until]"), chromedp.WaitReady(link))
	address := evaluate[string](t, ctx, "location.hash")
	if !strings.Contains(address, "since=") || !strings.Contains(address, "until=") || !strings.Contains(address, "state=succeeded") || strings.Contains(address, "days=") {
		t.Errorf("the address is %s", address)
	}
	do(t, ctx, "a time before", set("input[name=since]", "2020-01-31T03:00:00"), set("input[name=until]", "2020-01-31T03:30:00"), press("Search"), shows("main", "No job fits"), chromedp.WaitNotPresent(link))
	want := evaluate[string](t, ctx, "new Date('2020-01-31T03:30:00').toISOString().replace('.000', '')")
	if at := evaluate[string](t, ctx, "new URLSearchParams(location.hash.split('?')[1]).get('until')"); at != want {
		t.Errorf("the address has until=%s, want %s", at, want)
	}
	do(t, ctx, "the fields have it after a reload", chromedp.Reload(), shows("main", "No job fits"))
	if at := evaluate[string](t, ctx, "document.querySelector('input[name=until]').value"); at != "2020-01-31T03:30" && at != "2020-01-31T03:30:00" {
		t.Errorf("the field has %s", at)
	}
	do(t, ctx, "a wrong address", open("/jobs?since=yesterday"), shows("main", "since: write a time such as"))
	do(t, ctx, "the end before the beginning", open("/events?since=2020-01-31T03:30:00Z&until=2020-01-31T03:00:00Z"), shows("main", "is before since"))
	do(t, ctx, "back to periods", open("/jobs?since=2020-01-31T03:00:00Z&until=2020-01-31T03:30:00Z"), shows("main", "No job in this time"), choose("select[name=days]", "1"), chromedp.WaitReady(link), chromedp.WaitNotPresent("input[name=until]"))
}

// waits is until, as a step.
func waits(condition string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := until(condition)(ctx, target)
		return chromedp.Void{}, err
	}
}

// set gives a field a value, and choose makes a choice as a person does.
func set(selector, value string) chromedp.Action[chromedp.Void] {
	return waits(fmt.Sprintf("(() => { const e = document.querySelector(%q); if (e) e.value = %q; return !!e; })()", selector, value))
}

func choose(selector, value string) chromedp.Action[chromedp.Void] {
	return waits(fmt.Sprintf("(() => { const e = document.querySelector(%q); if (!e) return false; e.value = %q; e.dispatchEvent(new Event('change')); return true; })()", selector, value))
}

// screen is what a page is looked at on.
type screen struct {
	name, scheme string
	width        int64
}

var screens = []screen{{"desktop-light", "light", 1280}, {"desktop-dark", "dark", 1280}, {"phone-light", "light", 390}, {"phone-dark", "dark", 390}}

func (s screen) use() chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		if _, err := chromedp.EmulateViewport(s.width, 844)(ctx, target); err != nil {
			return chromedp.Void{}, err
		}
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}}})
		return chromedp.Void{}, err
	}
}

// lookAtPages opens pages on screens: none may be wider than the screen, none
// may say that it did not work, and all can be read and reached by everybody.
func lookAtPages(t *testing.T, ctx context.Context, screens []screen, pages map[string]string) {
	t.Helper()
	for _, s := range screens {
		do(t, ctx, s.name, s.use())
		for page, title := range pages {
			do(t, ctx, page, open(page), shows("main h1", title))
			if w := evaluate[int64](t, ctx, "document.documentElement.scrollWidth"); w > s.width {
				t.Errorf("%s on %s is %d wide, the screen %d", page, s.name, w, s.width)
			}
			for _, problem := range evaluate[[]string](t, ctx, audit) {
				t.Errorf("%s on %s: %s", page, s.name, problem)
			}
			if *screenshots != "" {
				shoot(t, ctx, s.name+"-"+strings.NewReplacer("/", "-", "?", "-", "%2F", "-").Replace(strings.Trim(page, "/")))
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
