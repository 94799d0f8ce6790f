package web

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer is an OpenID Connect issuer whose only user is whom the test says.
type issuer struct {
	*httptest.Server
	key      *rsa.PrivateKey
	email    string
	verified bool
	nonce    string // instead of the one asked for; empty: that one
	audience string

	asked, challenge string
}

func startIssuer(t *testing.T) *issuer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, email: "ada@example.org", verified: true, audience: "edrpipe"}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/authorize", i.authorize)
	mux.HandleFunc("/token", i.token)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i.asked, i.challenge = q.Get("nonce"), q.Get("code_challenge")
	http.Redirect(w, r, q.Get("redirect_uri")+"?code=c0de&state="+url.QueryEscape(q.Get("state")), http.StatusSeeOther)
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if r.PostFormValue("code") != "c0de" || base64.RawURLEncoding.EncodeToString(sum[:]) != i.challenge {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	nonce := i.nonce
	if nonce == "" {
		nonce = i.asked
	}
	claims, _ := json.Marshal(map[string]any{
		"iss": i.URL, "aud": i.audience, "sub": "1", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"nonce": nonce, "email": i.email, "email_verified": i.verified,
	})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k"}}, nil)
	if err != nil {
		panic(err) // the key is an RSA key
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	writeJSON(w, 200, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": text})
}

func TestLoginAtTheOrganisation(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*issuer)
		want  string // path that the browser ends at
	}{
		"a user":                     {func(*issuer) {}, "/"},
		"address in other case":      {func(i *issuer) { i.email = "ADA@example.org" }, "/"},
		"not in the users file":      {func(i *issuer) { i.email = "eve@example.org" }, "/login"},
		"address is not vouched for": {func(i *issuer) { i.verified = false }, "/login"},
		"token of another login":     {func(i *issuer) { i.nonce = "replayed" }, "/login"},
		"token for another client":   {func(i *issuer) { i.audience = "other" }, "/login"},
		"user without an address":    {func(i *issuer) { i.email = "" }, "/login"},
		"code was begun by another":  {func(i *issuer) { i.challenge = "x"; i.Config.Handler = spoiled(i) }, "/login"},
	} {
		t.Run(name, func(t *testing.T) {
			i := startIssuer(t)
			tc.spoil(i)
			s, _, _ := startWeb(t, &OIDC{Issuer: i.URL, Client: "edrpipe", Secret: "s", HTTP: i.Client()})
			jar, _ := cookiejar.New(nil) // nil options are no error
			browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
			res, err := browser.Get(s.URL + "/auth/start")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if got := res.Request.URL.Path; got != tc.want {
				t.Errorf("the browser ends at %s, want %s", got, tc.want)
			}
			me, err := browser.Get(s.URL + "/api/v1/me")
			if err != nil {
				t.Fatal(err)
			}
			defer me.Body.Close()
			if in := me.StatusCode == 200; in != (tc.want == "/") {
				t.Errorf("logged in: %t", in)
			}
		})
	}
}

// spoiled makes the issuer forget the challenge, as when a stolen code is used.
func spoiled(i *issuer) http.Handler {
	inner := i.Config.Handler
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			i.challenge = "of another browser"
		}
		inner.ServeHTTP(w, r)
	})
}

func TestALoginThatWasNotBegunHere(t *testing.T) {
	i := startIssuer(t)
	s, _, _ := startWeb(t, &OIDC{Issuer: i.URL, Client: "edrpipe", HTTP: i.Client()})
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(fmt.Sprintf("%s/auth/callback?code=c0de&state=guessed", s.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Location"); got != "/login?refused" {
		t.Errorf("sent to %q", got)
	}
}
