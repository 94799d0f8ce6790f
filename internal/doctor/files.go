package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"edrpipe/internal/config"
	"edrpipe/internal/diskspace"
	"edrpipe/internal/health"
	"edrpipe/internal/web"
)

// secrets checks every file that holds one: that it is there, holds something, and
// is for its owner only.
func (d *Doctor) secrets() {
	count := 0
	for _, k := range config.Keys() {
		name := k.Text(d.Config)
		if k.Secret != "file" || name == "" {
			continue
		}
		count++
		info, err := os.Stat(d.path(name))
		if err == nil {
			_, err = os.ReadFile(d.path(name))
		}
		switch {
		case err != nil:
			d.failed("secrets", k.Path+": "+err.Error(), cureOf(err, k.Path))
		case info.Size() == 0:
			d.failed("secrets", fmt.Sprintf("%s: %s is empty", k.Path, name), "write the secret into it")
		case info.Mode().Perm()&0o077 != 0 && k.Path != "web.users_file":
			d.degraded("secrets", fmt.Sprintf("%s: other users of this machine can read %s (mode %04o)", k.Path, name, info.Mode().Perm()), "chmod 600 "+name)
		default:
			count--
		}
	}
	if count == 0 {
		d.ok("secrets", "every file is there and private")
	}
}

// exposure reports connections that are not verified and listeners without TLS. Files of
// secrets and web.listen have checks of their own.
func (d *Doctor) exposure() {
	for _, problem := range d.Config.Exposure() {
		key, text, _ := strings.Cut(problem, ": ")
		if !strings.HasSuffix(key, "_file") && key != "web.listen" {
			text, cure, _ := strings.Cut(text, ": ")
			d.degraded("exposure", key+": "+text, cure)
		}
	}
}

// data checks the directory of the service, and the room on its disk.
func (d *Doctor) data() {
	dir := d.path(d.Config.Data)
	err := writable(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writable(filepath.Dir(dir)); err == nil {
			d.ok("data", dir+" will be made at the first start")
			d.disk(filepath.Dir(dir))
			return
		}
	}
	if err != nil {
		d.failed("data", err.Error(), "let the user who runs pipeline write there, or set data")
		return
	}
	d.ok("data", dir+" can be written")
	d.disk(dir)
}

// writable makes a file in dir and removes it.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (d *Doctor) disk(dir string) {
	if d.Config.Bus.URL != "" {
		return // the bus keeps its data elsewhere
	}
	free, err := diskspace.Free(dir)
	floor := uint64(d.Config.Bus.Floor)
	need := floor + uint64(d.Config.Bus.Events.Bytes+d.Config.Bus.Dead.Bytes+d.Config.Bus.Results.Bytes+d.Config.Bus.History.Bytes)
	switch {
	case err != nil:
		d.unknown("disk", err.Error(), "")
	case free < floor:
		d.failed("disk", fmt.Sprintf("%s is free, less than bus.floor (%s): no event is taken", size(free), size(floor)), "make room on the disk of "+dir)
	case free < need:
		d.degraded("disk", fmt.Sprintf("%s is free; events, results and history may take %s", size(free), size(need)), "make room, or lower bus.events.bytes and the like")
	default:
		d.ok("disk", size(free)+" is free")
	}
}

func size(n uint64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// users checks who may come in, and the certificate of the listener.
func (d *Doctor) users() {
	w := d.Config.Web
	if w.Listen == "" {
		d.degraded("web", "web.listen is empty: no dashboard, API, metrics or posts of events", "")
		return
	}
	if w.Users != "" {
		u, err := web.LoadUsers(d.path(w.Users))
		if err != nil {
			d.failed("web", err.Error(), "correct web.users_file; `pipeline users add` makes users")
			return
		}
		d.ok("web", fmt.Sprintf("%d users in %s", len(u.List), w.Users))
	} else {
		d.ok("web", "one user, admin, whose token is made at the first start")
	}
	if w.Cert == "" {
		if !loopback(w.Listen) {
			d.degraded("web", "tokens and cookies cross the network in clear text: web.listen is "+w.Listen+" and web.cert is not set", "set web.cert and web.key, or end TLS in a proxy before it")
		}
		return
	}
	pair, err := tls.LoadX509KeyPair(d.path(w.Cert), d.path(w.Key))
	if err != nil {
		d.failed("web", "web.cert, web.key: "+err.Error(), "give a certificate and its key in PEM")
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		d.failed("web", "web.cert: "+err.Error(), "give a certificate in PEM")
		return
	}
	d.expiry("web", "web.cert", leaf)
}

// loopback reports whether only this machine reaches the address.
func loopback(listen string) bool {
	return strings.HasPrefix(listen, "127.") || strings.HasPrefix(listen, "localhost:") || strings.HasPrefix(listen, "[::1]:")
}

func (d *Doctor) expiry(check, what string, c *x509.Certificate) {
	left := c.NotAfter.Sub(d.Now())
	days := int(left / (24 * time.Hour))
	switch {
	case left < 0:
		d.failed(check, fmt.Sprintf("%s expired on %s", what, c.NotAfter.Format(time.DateOnly)), "renew it")
	case left < health.CertificateSoon:
		d.degraded(check, fmt.Sprintf("%s expires in %d days, on %s", what, days, c.NotAfter.Format(time.DateOnly)), "renew it")
	default:
		d.ok(check, fmt.Sprintf("%s is good for %d days", what, days))
	}
}
