package doctor

import (
	"fmt"
	"strings"
	"testing"

	"edrpipe/internal/config"
	"edrpipe/internal/kinds"
	"edrpipe/pkg/edrsim"
)

// TestPermissionsOfACloudKey: each right that the key may lack is named, with its cure,
// whichever it is; nothing is changed by finding out.
func TestPermissionsOfACloudKey(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{
		"none", "device:READ", "org.liveresponse.session:READ", "org.liveresponse.session:CREATE", "org.liveresponse.session:DELETE",
		"org.liveresponse.file:READ", "org.liveresponse.file:CREATE", "org.liveresponse.file:DELETE",
		"org.liveresponse.process:READ", "org.liveresponse.process:EXECUTE", "org.liveresponse.process:DELETE",
		"org.liveresponse.registry:READ", "org.liveresponse.registry:CREATE", "org.liveresponse.registry:UPDATE", "org.liveresponse.registry:DELETE",
		"org.liveresponse.memdump:READ", "org.reputations:READ", "org.reputations:CREATE", "org.reputations:DELETE",
		"org.alerts:READ", "org.alerts.close:EXECUTE", "jobs.status:READ", "org.alerts.notes:READ", "org.alerts.notes:CREATE",
	} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			d := healthy(t, edrsim.Config{})
			sim := edrsim.New(edrsim.Config{Kind: edrsim.KindCloud, Sensors: 2, Quirks: edrsim.Quirks{"missing-permission": missing}}).Start()
			t.Cleanup(sim.Close)
			write(t, d.Dir, "cloud.token", sim.Token)
			d.Config.EDR.URL = ""
			d.Config.Servers = []config.Server{{Name: "cloud", Kind: kinds.CloudKind, Own: &kinds.Cloud{URL: sim.URL, OrgKey: sim.OrgKey(), Token: d.Dir + "/cloud.token", Rate: 1000, Burst: 100}}}
			var failed, other []string
			for _, x := range findings(t, d) {
				switch {
				case x.Check != "edr":
				case x.State == Failed && strings.Contains(x.Text, "the key lacks"):
					failed = append(failed, x.Text+" "+x.Cure)
				default:
					other = append(other, fmt.Sprint(x.State, " ", x.Text))
				}
			}
			name, right, _ := strings.Cut(missing, ":")
			switch {
			case missing == "none" && (len(failed) > 0 || !strings.Contains(strings.Join(other, "\n"), "23 of 24 permissions") || !strings.Contains(strings.Join(other, "\n"), "not tried: device.quarantine")):
				t.Errorf("a key with all: %q, %q", failed, other)
			case missing != "none" && (len(failed) != 1 || !strings.Contains(failed[0], name+" "+right+", which is needed for ") || !strings.Contains(failed[0], "tick "+right+" for "+name)):
				t.Errorf("findings %q, %q", failed, other)
			}
			n := sim.Counters()
			if n.Sessions.Opened != 0 || n.Commands != 0 || n.Requests["POST /appservices/v6/orgs/{org}/device_actions"] != 0 {
				t.Errorf("finding out opened %d sessions and sent %d commands", n.Sessions.Opened, n.Commands)
			}
		})
	}
}
