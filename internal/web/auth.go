package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// sessionCookie holds the signed login of the dashboard.
const sessionCookie = "edrpipe_session"

// sessionLife is how long a login lasts.
const sessionLife = 12 * time.Hour

// auth authenticates requests. Scripts present a bearer token; people log in once and
// then present a signed cookie, which no other site can make their browser send.
type auth struct {
	users  func() *Users
	key    []byte // signs cookies; new at each start, which ends all logins
	secure bool   // cookies only over TLS
	now    func() time.Time
	look   time.Duration // between two looks whether the user of a long answer still may have it

	sessions sessions
}

func newAuth(users func() *Users, secure bool, now func() time.Time) *auth {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return &auth{users: users, key: key, secure: secure, now: now, look: lookAgain}
}

type userKey struct{}

// UserOf returns the user who makes the request; require has put it there.
func UserOf(ctx context.Context) User {
	u, _ := ctx.Value(userKey{}).(User)
	return u
}

// require lets only users through who have the role.
func (a *auth) require(need Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := a.identify(r)
		switch {
		case !ok && wantsPage(r):
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		case !ok:
			w.Header().Set("WWW-Authenticate", `Bearer realm="edrpipe"`)
			writeError(w, http.StatusUnauthorized, stranger(r))
		case !user.Role.Allows(need):
			writeError(w, http.StatusForbidden, user.Name+" is "+string(user.Role)+", and this needs "+string(need))
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
		}
	})
}

// stranger says why a request is of no known user.
func stranger(r *http.Request) string {
	if _, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return "the token is not known here: it was mistyped, replaced, or its user was removed"
	}
	if _, err := r.Cookie(sessionCookie); err == nil {
		return "the login has ended, or its user was changed: log in again"
	}
	return "who is there? Send Authorization: Bearer TOKEN"
}

// wantsPage reports whether the request comes from a browser, not a script.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (a *auth) identify(r *http.Request) (User, bool) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return a.users().ByToken(token)
	}
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return User{}, false
	}
	return a.open(c.Value)
}

// login is the content of a cookie.
type login struct {
	Name  string    `json:"n"`
	Until time.Time `json:"u"`
	ID    string    `json:"i"`
	User  string    `json:"d"` // digest of the user as it was at the login
}

// seal makes the cookie of a user who has proved to be that user.
func (a *auth) seal(user User) *http.Cookie {
	until := a.now().Add(sessionLife)
	body, _ := json.Marshal(login{Name: user.Name, Until: until, ID: rand.Text(), User: user.digest()}) // strings and a time always can be
	payload := base64.RawURLEncoding.EncodeToString(body)
	return &http.Cookie{
		Name: sessionCookie, Value: payload + "." + a.sign(payload), Path: "/", Expires: until,
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
	}
}

// open reads a cookie and looks the user up anew: a user who was changed, taken off
// the list or has logged out is out at once.
func (a *auth) open(value string) (User, bool) {
	l, ok := a.login(value)
	if !ok || a.sessions.has(l) {
		return User{}, false
	}
	for _, u := range a.users().List {
		if u.Name == l.Name {
			return u, u.digest() == l.User
		}
	}
	return User{}, false
}

// login decodes a cookie if its signature is valid and it has not expired.
func (a *auth) login(value string) (login, bool) {
	payload, mac, _ := strings.Cut(value, ".")
	if !hmac.Equal([]byte(mac), []byte(a.sign(payload))) {
		return login{}, false
	}
	body, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return login{}, false
	}
	var l login
	if json.Unmarshal(body, &l) != nil || a.now().After(l.Until) {
		return login{}, false
	}
	return l, true
}

// logout ends the login of the request's cookie.
func (a *auth) logout(r *http.Request) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return
	}
	if l, ok := a.login(c.Value); ok {
		a.sessions.end(l, a.now())
	}
}

func (a *auth) sign(payload string) string {
	m := hmac.New(sha256.New, a.key)
	m.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// writeError answers with what is wrong, in the one form that all errors have.
func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error here means that the client has gone
}

// protect sets what keeps a page from being used against its user: it runs only
// our own scripts, sits in nobody's frame, and takes no posts from other sites.
func protect(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusForbidden, "a page of another site may not do this in your name")
	}))
	inner := sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		inner.ServeHTTP(w, r)
	})
}
