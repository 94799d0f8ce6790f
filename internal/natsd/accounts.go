package natsd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	confnats "edrpipe/deploy/nats"
)

// Names of accounts.conf that the embedded server uses.
const (
	serviceAccount = "EDR"
	ingestUser     = "ingest"
	readerUser     = "reader"
	ownerUser      = "in-process" // has all rights in the service's account
	operatorUser   = "operator"   // the same for other processes, unless Config names it otherwise
)

// users are the names that accounts.conf gives away itself.
var users = []string{"service", ingestUser, readerUser, "sys", ownerUser}

// owner is the user of connections within the process. Its password is drawn at
// each start and leaves the process never.
type owner struct{ password string }

func newOwner() owner { return owner{password: rand.Text()} }

// zones gives o the accounts of the shipped configuration. A user of it without a
// password in c cannot connect.
func zones(c Config, in owner, o *server.Options) error {
	var variables strings.Builder
	for _, name := range []string{"SERVICE", "INGEST", "READER", "SYS"} {
		fmt.Fprintf(&variables, "%s_PASSWORD: %q\n", name, rand.Text())
	}
	text := strings.Replace(confnats.Accounts, confnats.PasswordsFile, variables.String(), 1)
	if err := o.ProcessConfigString(text); err != nil {
		return fmt.Errorf("bus accounts: %w", err)
	}
	var service *server.Account
	for _, u := range o.Users {
		switch {
		case u.Username == ingestUser && c.Ingest != "":
			u.Password = c.Ingest
		case u.Username == readerUser && c.Reader != "":
			u.Password = c.Reader
		}
		if u.Account.Name == serviceAccount {
			service = u.Account
		}
	}
	if service == nil {
		return fmt.Errorf("bus accounts: no user of %s", serviceAccount)
	}
	o.Users = append(o.Users, &server.User{Username: ownerUser, Password: in.password, Account: service})
	if c.Pass != "" {
		o.Users = append(o.Users, &server.User{Username: c.User, Password: c.Pass, Account: service})
	}
	return nil
}

// adopt takes over the streams of a version that had no accounts: they lie under
// the name of the default account.
func adopt(store string) error {
	old, now := filepath.Join(store, "jetstream", "$G"), filepath.Join(store, "jetstream", serviceAccount)
	if _, err := os.Stat(now); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(old, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bus store: take over the streams of the version before: %w", err)
	}
	return nil
}

// InProcess is the option of a client of this process, by which nats.Connect needs
// no URL.
func (s *Server) InProcess() nats.Option {
	return func(o *nats.Options) error {
		o.InProcessServer = s
		o.User, o.Password = s.InProcessUser()
		return nil
	}
}

// InProcessUser gives user and password of connections through InProcessConn.
func (s *Server) InProcessUser() (user, password string) { return ownerUser, s.owner.password }
