package demo

import (
	"time"

	"edrpipe/pkg/edrsim"
)

// Scale is how much faster than real time the simulated server runs, so that
// check-ins of half a minute can be watched.
const Scale = 10

// Sensors of the fleet, by what happens to them in the story.
const (
	Ann   = 1 // opens a document that starts a shell
	Bob   = 2 // gets an autorun key
	Carol = 3 // is named by a watchlist that isolates
	DB    = 4 // a Linux server, named by a watchlist that collects
	Dan   = 5 // a Mac, likewise
	Eve   = 6 // asleep when her event arrives, wakes later
	Slow  = 7 // takes seconds for each command
)

// ShellPID is the process that the first event is about.
const ShellPID = 4711

// EveWakes is when the sleeping sensor wakes, in real time after the start.
const EveWakes = 14 * time.Second

// Fleet is seven endpoints with what the rules will look for on them.
func Fleet() []edrsim.SensorSpec {
	implant := edrsim.FileSpec{Path: `c:\users\public\updater.exe`, Content: "MZ\x90\x00 a harmless stand-in for an implant\n"}
	return []edrsim.SensorSpec{
		{Hostname: "WS-ANN", OS: "windows", Group: "Office", Processes: []edrsim.ProcessSpec{
			{PID: 812, Path: `c:\program files\microsoft office\winword.exe`, CommandLine: `winword.exe "invoice.docm"`, User: `CORP\ann`},
			{PID: ShellPID, Path: `c:\windows\system32\windowspowershell\v1.0\powershell.exe`, CommandLine: "powershell -enc SQBFAFgA", User: `CORP\ann`},
		}},
		{Hostname: "WS-BOB", OS: "windows", Group: "Office", Files: []edrsim.FileSpec{implant}, Registry: []edrsim.RegistrySpec{
			{Path: `HKLM\software\microsoft\windows\currentversion\run\updater`, Type: "REG_SZ", Data: `c:\users\public\updater.exe -quiet`},
		}},
		{Hostname: "WS-CAROL", OS: "windows", Group: "Office", Files: []edrsim.FileSpec{implant}},
		{Hostname: "SRV-DB", OS: "linux", Group: "Servers", Files: []edrsim.FileSpec{{Path: "/tmp/.x/miner", Content: "\x7fELF a harmless stand-in for a miner\n"}}},
		{Hostname: "MAC-DAN", OS: "osx", Group: "Office", Files: []edrsim.FileSpec{{Path: "/Users/dan/Downloads/tool", Content: "a harmless stand-in\n"}}},
		{Hostname: "WS-EVE", OS: "windows", Group: "Travel", Files: []edrsim.FileSpec{implant}, Power: edrsim.Power{AsleepUntil: EveWakes * Scale}},
		{Hostname: "WS-SLOW", OS: "windows", Group: "Branch", Files: []edrsim.FileSpec{implant}, Latency: edrsim.Latency{Min: 10 * time.Second, Max: 20 * time.Second}},
	}
}
