package main

import (
	"edrpipe/internal/web"
)

// nightPeople are the situations of people who cannot come in.
func nightPeople() []situation {
	expired := func(w *nightWorld) (int, string) { return w.pipelineAs("old.token", "why", "WKS-0001") }
	return []situation{
		{
			name: "a person's token is wrong", fault: "the token of a person is not in the users file any more", interval: "at once",
			strike: func(w *nightWorld) { w.write("old.token", web.NewToken()); w.attack() },
			health: `the token is not known to the service[^→]*→ pipeline users add`, page: `the token is not known here: it was mistyped`, why: `the token is not known here.*pipeline users add`,
			ask: expired, sick: func(w *nightWorld) string { _, out := w.pipelineAs("old.token", "health"); return out }, look: func(w *nightWorld) []string {
				_, out := expired(w)
				return []string{out}
			},
			cure: "`pipeline users add NAME --role ROLE`, by an admin on the machine", heal: func(w *nightWorld) {
				w.do("users", "add", "cleo", "--role", "viewer", "--file", w.path("users.yaml"))
			},
		},
		{
			name: "users file rejected", fault: "the users file is saved with a mistake", interval: "at each request",
			strike: func(w *nightWorld) {
				w.write("users.yaml.good", w.read("users.yaml"))
				w.edit("users.yaml", "name: ada", "nam: ada")
			},
			health: `degraded users since .*users.yaml:\d+:\d+[^→]*→ mend the file`, page: `users works less than it should: .*users.yaml:\d+`, why: "— the users from before come in",
			cure: "`cp users.yaml.good users.yaml`", heal: func(w *nightWorld) { w.write("users.yaml", w.read("users.yaml.good")) }, healed: acts(),
		},
		{
			name: "new token of the EDR server cannot be used", fault: "the token file is saved empty; an event comes", interval: "every 2 s",
			strike: func(w *nightWorld) { w.write("edr.token", ""); w.attack() },
			health: `degraded credentials since .* server hq: [^→]*edr.token[^→]* → mend the file`, page: `credentials works less than it should: .*server hq`, why: "— the token from before stays in use",
			cure: "`cp new.token edr.token`", heal: func(w *nightWorld) { w.write("edr.token", w.sim.Token) }, healed: acts(),
		},
	}
}
