// Package deploytest holds tests of what is deployed: the compose file, alerts,
// dashboard, and the pages that go with them. It has no code of its own.
package deploytest
