package web

import (
	"net/http"
	"net/http/pprof"
)

// profiles tells where the running service's time and memory go, as `go tool
// pprof` reads it. Stacks and sizes are in a profile, and no values.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/{name}", func(w http.ResponseWriter, r *http.Request) {
		pprof.Handler(r.PathValue("name")).ServeHTTP(w, r)
	})
	return mux
}
