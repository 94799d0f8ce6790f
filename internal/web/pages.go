package web

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
)

// The pages are plain files: no build step, nothing loaded from elsewhere.
//
//go:embed static
var files embed.FS

func static() fs.FS {
	sub, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the directory is in the binary
	}
	return sub
}

// Stylesheet is the look of the pages, for others that are to look the same.
func Stylesheet() []byte {
	text, err := fs.ReadFile(static(), "app.css")
	if err != nil {
		panic(err) // the file is in the binary
	}
	return text
}

// page serves one of the files.
func page(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, static(), name)
	})
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	page("login.html").ServeHTTP(w, r)
}

// login takes a token once and gives the browser a cookie for it.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		if os.IsTimeout(err) {
			panic(http.ErrAbortHandler) // a body that never comes gets no answer
		}
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	user, ok := s.cfg.Users.Current().ByToken(r.PostFormValue("token"))
	if !ok {
		s.cfg.Log.Warn().Str("from", r.RemoteAddr).Msg("a login with a wrong token")
		http.Redirect(w, r, "/login?wrong", http.StatusSeeOther)
		return
	}
	http.SetCookie(w, s.auth.seal(user))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// logout ends the login here too, not in the browser alone.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	s.auth.logout(r)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: s.auth.secure, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// views serves the module that lists the views: each file of static/views is one, and
// exports its pages and its entry in the navigation.
func views() http.Handler {
	names, err := fs.Glob(static(), "views/*.js")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var imports, list strings.Builder
	for i, name := range names {
		fmt.Fprintf(&imports, "import * as v%d from %q;\n", i, "./"+path.Base(name))
		fmt.Fprintf(&list, "v%d, ", i)
	}
	module := imports.String() + "export default [" + strings.TrimSuffix(list.String(), ", ") + "];\n"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = io.WriteString(w, module) // an error here means that the client has gone
	})
}
