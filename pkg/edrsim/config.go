package edrsim

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// Config describes the simulation. The zero value is a version 6.2 server with one
// online Windows sensor, as in recordings.
type Config struct {
	// Kind is the product whose API is served: KindEDR or KindCloud. Empty: KindEDR.
	Kind string
	// OrgKey is the organisation of a Carbon Black Cloud. Empty: A1B2C3D4.
	OrgKey string
	// Token is the API token that requests must carry in X-Auth-Token. Empty: a
	// random one is made, see Server.Token.
	Token string
	// Username owns the token and is named in commands and bans. Empty: admin.
	Username string
	// Version is one of Versions, which presets the quirks. Empty: 6.2.
	Version string
	// Quirks overrides single quirks of the version, by name.
	Quirks Quirks
	// Faults are the rates, 0 to 1, at which requests go wrong, by name.
	Faults Faults
	// Seed makes faults, jitter and latencies reproducible.
	Seed uint64

	// Fleet describes the sensors. Empty: Sensors of a mixed default fleet.
	Fleet []SensorSpec
	// Sensors is the size of the default fleet; 0 means 1. Sensor 1 is Windows.
	Sensors int
	// CheckIn is the interval at which sensors poll the server. 0: as the real
	// server decides, 30 s for small fleets and one second per hundred sensors
	// for large ones.
	CheckIn time.Duration
	// Slots is the number of sessions that may be pending or active at once; a
	// Carbon Black Cloud counts the devices that have one. 0 means 10, or 100 for
	// a Carbon Black Cloud.
	Slots int

	// TimeScale makes the simulated clock run that many times faster than the
	// real one; 0 means 1.
	TimeScale float64
	// Start is the simulated time at which the simulation begins. Zero: now.
	Start time.Time

	// SpoolDir is where uploads larger than SpoolAbove bytes are kept, in files
	// without a name whose space the system takes back. Empty: os.TempDir.
	SpoolDir   string
	SpoolAbove int64 // 0 means 1 MiB

	// Forwarder receives the files of a Carbon Black Cloud's Data Forwarder, one
	// for each alert that is raised or changes. nil: there is no forwarder.
	Forwarder ForwarderSink
}

// Kinds of servers that are simulated.
const (
	KindEDR   = "carbonblack-edr"
	KindCloud = "carbonblack-cloud"
)

// Kinds lists the kinds of servers that are simulated.
var Kinds = []string{KindEDR, KindCloud}

// Limits of the simulated server.
const (
	defaultSlots      = 10
	defaultSpoolAbove = 1 << 20
	// maxHistory bounds the finished sessions that are remembered; the real server
	// keeps them for storageTTL only.
	maxHistory = 2000
	storageTTL = 7 * 24 * time.Hour
	// onlineFor is how long after its last check-in a sensor still reads Online.
	onlineFor = 5 * time.Minute
)

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	c.Username = cmp.Or(c.Username, "admin")
	c.Version = cmp.Or(c.Version, defaultVersion)
	c.Kind = cmp.Or(c.Kind, KindEDR)
	if c.Kind == KindCloud {
		c = c.withCloudDefaults()
	}
	c.Slots = cmp.Or(c.Slots, defaultSlots)
	c.SpoolAbove = cmp.Or(c.SpoolAbove, defaultSpoolAbove)
	c.TimeScale = cmp.Or(c.TimeScale, 1)
	if c.Token == "" {
		c.Token = randomToken()
	}
	if c.Start.IsZero() {
		c.Start = time.Now()
	}
	if len(c.Fleet) == 0 {
		c.Fleet = DefaultFleet(max(c.Sensors, 1))
	}
	c.Fleet = numberGroups(c.Fleet)
	if c.CheckIn == 0 {
		c.CheckIn = checkInInterval(countSensors(c.Fleet))
	}
	return c
}

// Validate returns the errors in c: unknown names, rates and values out of range, an
// impossible fleet.
func (c Config) Validate() error {
	if err := c.validateQuirks(); err != nil {
		return err
	}
	if err := c.Faults.validate(); err != nil {
		return err
	}
	for i, spec := range c.Fleet {
		if err := spec.validate(); err != nil {
			return fmt.Errorf("sensors[%d]: %w", i, err)
		}
	}
	switch {
	case c.Slots < 0:
		return fmt.Errorf("slots: %d is negative", c.Slots)
	case c.Sensors < 0:
		return fmt.Errorf("sensors: %d is negative", c.Sensors)
	case c.CheckIn < 0 || c.CheckIn > 0 && c.CheckIn < minCheckIn:
		return fmt.Errorf("check-in: %v is less than %v", c.CheckIn, minCheckIn)
	case c.TimeScale < 0:
		return fmt.Errorf("time-scale: %v is negative", c.TimeScale)
	}
	return nil
}

// validateQuirks checks kind, version and quirks, which depend on each other.
func (c Config) validateQuirks() error {
	switch c.Kind {
	case "", KindEDR:
		if c.OrgKey != "" || c.Forwarder != nil {
			return fmt.Errorf("a server of kind %s has neither an organisation nor a Data Forwarder; the kind %s has", KindEDR, KindCloud)
		}
		_, err := newBehaviour(cmp.Or(c.Version, defaultVersion), c.Quirks)
		return err
	case KindCloud:
		if c.OrgKey != "" && !orgKeyForm.MatchString(c.OrgKey) {
			return fmt.Errorf("org-key: %q is not letters and digits", c.OrgKey)
		}
		_, err := newCloudQuirks(c.Quirks)
		return err
	}
	return unknownName("kind of server", c.Kind, Kinds)
}

// checkInInterval is the real server's rule: half a minute for up to 25 sensors,
// then one second per hundred of them, at most 1335 s.
func checkInInterval(sensors int) time.Duration {
	const shortest, longest = 30 * time.Second, 1335 * time.Second
	if sensors <= 25 {
		return shortest
	}
	return min(max(time.Duration(sensors)*time.Second/100, shortest), longest)
}

// randomToken makes an API token of the real server's form: 40 hex characters.
func randomToken() string {
	b := make([]byte, 20)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
