package web

import (
	"embed"
	"io/fs"
	"net/http"
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
	user, ok := s.cfg.Users.Current().ByToken(r.PostFormValue("token"))
	if !ok {
		s.cfg.Log.Warn().Str("from", r.RemoteAddr).Msg("a login with a wrong token")
		http.Redirect(w, r, "/login?wrong", http.StatusSeeOther)
		return
	}
	http.SetCookie(w, s.auth.seal(user.Name))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: s.auth.secure, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
