package console

import "testing"

func TestIsInbox(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]bool{
		"_INBOX.ann.x1.1": true, "_INBOX.x": true, "_R_.abc.1": true,
		"": false, "$KV.control.guard.control": false, "edr.audit": false, "$JS.API.STREAM.PURGE.KV_jobs": false, "_INBOXES.x": false, "a._INBOX.x": false,
	} {
		if got := isInbox(reply); got != want {
			t.Errorf("isInbox(%q) = %v, want %v", reply, got, want)
		}
	}
}
