package secretfiles

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// usersFile says who may use the dashboard and the API; internal/web reads it.
const usersFile = "users.yaml"

// people are the first users, each with a token in a file <name>.token: a person
// who may do everything, and Prometheus, which only looks.
var people = []struct{ name, role string }{{"admin", "admin"}, {"metrics", "viewer"}}

// users makes the users file and its tokens, unless there is a users file.
func users(dir string) (made []string, err error) {
	name := filepath.Join(dir, usersFile)
	switch _, err := os.Stat(name); {
	case err == nil:
		return nil, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("secret: %w", err)
	}
	var b strings.Builder
	b.WriteString("# Made by `pipeline secrets`; `pipeline users` changes it.\nusers:\n")
	for _, p := range people {
		random := make([]byte, 32)
		_, _ = rand.Read(random) // never fails
		token := "edrp_" + hex.EncodeToString(random)
		if err := write(filepath.Join(dir, p.name+".token"), token+"\n"); err != nil {
			return made, err
		}
		hash := sha256.Sum256([]byte(token))
		fmt.Fprintf(&b, "  - name: %s\n    role: %s\n    token_hash: %s\n", p.name, p.role, hex.EncodeToString(hash[:]))
		made = append(made, p.name+".token")
	}
	return append(made, usersFile), write(name, b.String())
}
