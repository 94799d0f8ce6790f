package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edrpipe/internal/config"
	"edrpipe/pkg/edrsim"
)

// TestEachServerIsTried: with several servers each has findings of its own, and the
// cure names the key of its entry.
func TestEachServerIsTried(t *testing.T) {
	t.Parallel()
	d := healthy(t, edrsim.Config{TimeScale: 100})
	good := d.Config.AllServers()[0]
	good.Name, good.Accept = "hq", []string{"cbserver"}
	dead, refused := good, good
	dead.Name, dead.Own = "dead", &config.CarbonBlack{URL: "http://127.0.0.1:1", Token: "edr.token"}
	write(t, d.Dir, "wrong.token", "wrong")
	refused.Name, refused.Own = "refused", &config.CarbonBlack{URL: good.Own.(*config.CarbonBlack).URL, Token: "wrong.token"}
	d.Config.EDR.URL, d.Config.Servers = "", []config.Server{good, dead, refused}
	var got []string
	for _, x := range findings(t, d) {
		if strings.HasPrefix(x.Check, "edr") {
			got = append(got, fmt.Sprintf("%s %s %s %s", x.Check, x.State, x.Text, x.Cure))
		}
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{"edr/hq ok", "called by events cbserver", "edr/dead failed no connection", "edr/refused failed", "servers[2].token_file"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q:\n%s", want, text)
		}
	}
}

// TestWhatTheServiceSeesIsSaid: a service that is ready may still know of what people
// have to do.
func TestWhatTheServiceSeesIsSaid(t *testing.T) {
	t.Parallel()
	const evidence = "1,204 events name the server cbserver, which no configured server accepts: add it to accept"
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := ""
		if r.Header.Get("Authorization") == "Bearer of-ada" {
			text = evidence
		}
		fmt.Fprintf(w, `{"ready":true,"checks":[{"name":"bus","state":"ok"},{"name":"other_server","state":"degraded","evidence":%q,"cure":"add it"}]}`, text)
	}))
	t.Cleanup(service.Close)
	d := healthy(t, edrsim.Config{TimeScale: 100})
	d.Service, d.Token = service.URL, "of-ada"
	for _, x := range findings(t, d) {
		if x.Check == "service" && x.State == Degraded && strings.Contains(x.Text, evidence) && x.Cure == "add it" {
			return
		}
	}
	t.Error("nothing is said of events of another server")
}
