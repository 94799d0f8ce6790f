package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/strictyaml"
)

// Role is what a user may do. Each role may do what the ones before it may.
type Role string

// Roles.
const (
	Viewer   Role = "viewer"   // look
	Approver Role = "approver" // answer approvals, stop and resume
	Admin    Role = "admin"    // everything
)

var rank = map[Role]int{Viewer: 1, Approver: 2, Admin: 3}

// Allows reports whether r may do what needs the other role.
func (r Role) Allows(need Role) bool { return rank[r] >= rank[need] && rank[need] > 0 }

// User is a person or script with access.
type User struct {
	Name   string   `yaml:"name,required"`
	Role   Role     `yaml:"role,required" enum:"viewer,approver,admin"`
	Groups []string `yaml:"groups"`     // for approvals `from: [soc-leads]`
	Token  string   `yaml:"token_hash"` // SHA-256 of the token; tokens are random, so one round is enough
	Email  string   `yaml:"email"`      // for those who come by OpenID Connect

	Tenants []string `yaml:"tenants"` // the user sees servers with these labels only; empty: all
}

// Limited reports whether the user sees the servers of some tenants only.
func (u User) Limited() bool { return len(u.Tenants) > 0 }

// Sees reports whether the user may see servers of a tenant; "" is the label of those
// that have none, which only users of all tenants see.
func (u User) Sees(tenant string) bool {
	return !u.Limited() || tenant != "" && slices.Contains(u.Tenants, tenant)
}

// Users is the list of those who may come in; it is a file of its own.
type Users struct {
	List []User `yaml:"users,required"`
}

// tokenPrefix makes a token recognisable to secret scanners.
const tokenPrefix = "edrp_"

// NewToken makes a token of 256 random bits.
func NewToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program rather than that
	return tokenPrefix + hex.EncodeToString(b)
}

// HashToken is what the users file keeps of a token.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// LoadUsers reads a users file.
func LoadUsers(name string) (*Users, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	u := &Users{}
	if _, err := strictyaml.Decode(name, data, u); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, user := range u.List {
		if seen[user.Name] {
			return nil, fmt.Errorf("%s: user %q is there twice", name, user.Name)
		}
		seen[user.Name] = true
	}
	return u, nil
}

// Save writes the users file whole, or not at all.
func (u *Users) Save(name string) error {
	var list []map[string]any
	for _, user := range u.List {
		entry := map[string]any{"name": user.Name, "role": string(user.Role)}
		if len(user.Groups) > 0 {
			entry["groups"] = user.Groups
		}
		if user.Token != "" {
			entry["token_hash"] = user.Token
		}
		if user.Email != "" {
			entry["email"] = user.Email
		}
		if len(user.Tenants) > 0 {
			entry["tenants"] = user.Tenants
		}
		list = append(list, entry)
	}
	data, err := yaml.Marshal(map[string]any{"users": list})
	if err != nil {
		return err
	}
	tmp := name + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	return os.Rename(tmp, name)
}

// ByToken returns the user with the token, in constant time.
func (u *Users) ByToken(token string) (User, bool) {
	hash := []byte(HashToken(strings.TrimSpace(token)))
	var found User
	ok := false
	for _, user := range u.List {
		if user.Token != "" && subtle.ConstantTimeCompare(hash, []byte(user.Token)) == 1 {
			found, ok = user, true
		}
	}
	return found, ok
}

// ByEmail returns the user who comes by OpenID Connect with that address.
func (u *Users) ByEmail(email string) (User, bool) {
	for _, user := range u.List {
		if user.Email != "" && strings.EqualFold(user.Email, email) {
			return user, true
		}
	}
	return User{}, false
}
