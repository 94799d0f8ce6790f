package demo

import (
	_ "embed"
	"time"

	"edrpipe/pkg/events"
)

// QuestionRule is the rule file of the tour: its rule asks people about Question.
//
//go:embed question.yaml
var QuestionRule []byte

// Question is an event after the story, for those who look around while the demo stays
// up: a question that waits for their answer.
func Question(now time.Time) events.Message {
	return raw(Bob, "WS-BOB", "procstart", float64(now.UnixMilli())/1000, map[string]any{
		"path": `c:\users\bob\downloads\mimikatz.exe`, "command_line": "mimikatz.exe privilege::debug", "username": `CORP\bob`,
		"pid": 5012, "process_guid": guid(Bob, 5012), "md5": implantMD5,
		"parent_path": `c:\windows\explorer.exe`, "parent_pid": 1200, "parent_process_guid": guid(Bob, 1200),
	})
}
