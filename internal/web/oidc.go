package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDC lets people log in at their organisation by OpenID Connect. Who they are
// there says nothing of what they may do here: their address has to be in the
// users file.
type OIDC struct {
	Issuer   string
	Client   string // client id
	Secret   string // client secret; empty for a public client
	Redirect string // https://host/auth/callback, as registered at the issuer
	HTTP     *http.Client
}

const (
	flowCookie = "edrpipe_login"
	flowLife   = 10 * time.Minute
)

// organisation is OIDC with what the issuer says of itself, which is asked for at
// the first login: an issuer that is down shall not keep the service from starting.
type organisation struct {
	OIDC
	mu       sync.Mutex
	provider *oidc.Provider
}

func (o *organisation) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps its context for fetching keys later on.
	p, err := oidc.NewProvider(o.context(context.WithoutCancel(ctx)), o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("OpenID Connect issuer: %w", err)
	}
	o.provider = p
	return p, nil
}

func (o *organisation) context(ctx context.Context) context.Context {
	client := o.HTTP
	if client == nil {
		client = &http.Client{Timeout: 15 * time.Second}
	}
	return oidc.ClientContext(ctx, client)
}

func (o *organisation) config(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: o.Client, ClientSecret: o.Secret, Endpoint: p.Endpoint(), RedirectURL: o.Redirect, Scopes: []string{oidc.ScopeOpenID, "email"}}
}

// flow is what the browser keeps, signed, while its user is at the issuer.
type flow struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Until    time.Time `json:"u"`
}

func (s *Server) offers(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"oidc": s.organisation != nil})
}

// startLogin sends the browser to the issuer.
func (s *Server) startLogin(w http.ResponseWriter, r *http.Request) {
	p, err := s.organisation.discover(r.Context())
	if err != nil {
		s.refuseLogin(w, r, err)
		return
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Until: s.cfg.Now().Add(flowLife)}
	body, _ := json.Marshal(f) // strings and a time always can be
	payload := base64.RawURLEncoding.EncodeToString(body)
	http.SetCookie(w, s.flowCookie(payload+"."+s.auth.sign(flowCookie+payload), int(flowLife.Seconds())))
	to := s.organisation.config(p).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *Server) flowCookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: flowCookie, Value: value, Path: "/auth/", MaxAge: age, HttpOnly: true, Secure: s.auth.secure, SameSite: http.SameSiteLaxMode}
}

// endLogin takes the browser back from the issuer.
func (s *Server) endLogin(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, s.flowCookie("", -1)) // good for one try
	user, err := s.finishLogin(r)
	if err != nil {
		s.refuseLogin(w, r, err)
		return
	}
	http.SetCookie(w, s.auth.seal(user))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) finishLogin(r *http.Request) (User, error) {
	f, err := s.openFlow(r)
	if err != nil {
		return User{}, err
	}
	q := r.URL.Query()
	if !hmac.Equal([]byte(q.Get("state")), []byte(f.State)) {
		return User{}, errors.New("the answer belongs to another login")
	}
	if e := q.Get("error"); e != "" {
		return User{}, fmt.Errorf("the issuer refused: %q", e)
	}
	ctx := s.organisation.context(r.Context())
	p, err := s.organisation.discover(ctx)
	if err != nil {
		return User{}, err
	}
	token, err := s.organisation.config(p).Exchange(ctx, q.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return User{}, fmt.Errorf("exchange of the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: s.organisation.Client, Now: s.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return User{}, fmt.Errorf("identity token: %w", err)
	}
	if !hmac.Equal([]byte(id.Nonce), []byte(f.Nonce)) {
		return User{}, errors.New("the identity token was made for another login")
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil {
		return User{}, fmt.Errorf("identity token: %w", err)
	}
	if !claims.Verified {
		return User{}, fmt.Errorf("the issuer does not vouch for the address %q", claims.Email)
	}
	user, ok := s.cfg.Users.Current().ByEmail(claims.Email)
	if !ok {
		return User{}, fmt.Errorf("%q is not in the users file", claims.Email)
	}
	return user, nil
}

func (s *Server) openFlow(r *http.Request) (flow, error) {
	var f flow
	c, err := r.Cookie(flowCookie)
	if err != nil {
		return f, errors.New("no login was begun in this browser")
	}
	payload, mac, _ := strings.Cut(c.Value, ".")
	if !hmac.Equal([]byte(mac), []byte(s.auth.sign(flowCookie+payload))) {
		return f, errors.New("the login's cookie is not ours")
	}
	body, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(body, &f) != nil {
		return f, errors.New("the login's cookie is damaged")
	}
	if s.cfg.Now().After(f.Until) {
		return f, errors.New("the login took too long")
	}
	return f, nil
}

// refuseLogin logs the reason and tells the browser only that the login failed, so that
// a stranger learns nothing about the users.
func (s *Server) refuseLogin(w http.ResponseWriter, r *http.Request, err error) {
	s.cfg.Log.Warn().Err(err).Str("from", r.RemoteAddr).Msg("a login by OpenID Connect was refused")
	http.Redirect(w, r, "/login?refused", http.StatusSeeOther)
}
