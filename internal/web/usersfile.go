package web

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// UsersFile is a users file that may change while the service runs. A changed
// file that has mistakes leaves the last good list in force.
type UsersFile struct {
	name string
	log  zerolog.Logger

	mu      sync.Mutex
	users   *Users
	changed time.Time
	problem error
}

// OpenUsers reads the users file of that name.
func OpenUsers(name string, log zerolog.Logger) (*UsersFile, error) {
	u, err := LoadUsers(name)
	if err != nil {
		return nil, err
	}
	f := &UsersFile{name: name, log: log, users: u}
	f.changed = f.modified()
	return f, nil
}

// FirstUsers opens the users file of dir, or makes one with a user admin whose
// token it leaves in admin.token beside it, readable by the owner only.
func FirstUsers(dir string, log zerolog.Logger) (*UsersFile, error) {
	name := filepath.Join(dir, "users.yaml")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		token := NewToken()
		if err := os.WriteFile(filepath.Join(dir, "admin.token"), []byte(token+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("first user: %w", err)
		}
		first := &Users{List: []User{{Name: "admin", Role: Admin, Token: HashToken(token)}}}
		if err := first.Save(name); err != nil {
			return nil, err
		}
	}
	return OpenUsers(name, log)
}

// Current is the list in force; a change of the file is seen at the next call.
func (f *UsersFile) Current() *Users {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at := f.modified(); !at.Equal(f.changed) {
		f.changed = at
		u, err := LoadUsers(f.name)
		if f.problem = err; err != nil {
			f.log.Error().Err(err).Msg("the users file has mistakes; the users from before stay")
			return f.users
		}
		f.users = u
		f.log.Info().Int("users", len(u.List)).Msg("users read again")
	}
	return f.users
}

// Problem returns why the newest file is not in force; nil: it is.
func (f *UsersFile) Problem() error {
	f.Current()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.problem
}

func (f *UsersFile) modified() time.Time {
	fi, err := os.Stat(f.name)
	if err != nil {
		return f.changed // being replaced just now
	}
	return fi.ModTime()
}
