package sigma

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// logSource says which log a Sigma rule reads.
type logSource struct {
	Category string `yaml:"category"`
	Product  string `yaml:"product"`
	Service  string `yaml:"service"`
}

// source is a Sigma category as events of the EDR.
type source struct {
	kind   string           // of the events
	only   string           // further condition; may be empty
	fields map[string]field // by Sigma's name
}

// field is a field of the event that means what Sigma's does.
type field struct {
	path string // as rules write it
	kind fieldKind

	// inbound is the field for connections that the other side began; path is
	// then that of the others only.
	inbound string

	folded bool // a path: sensors on Windows report it in lower case
}

type fieldKind int

const (
	textField fieldKind = iota
	intField
	boolField     // Sigma writes 'true' and 'false'
	accessField   // number that Sigma writes in hexadecimal
	registryField // text with a root key
	hashesField   // MD5=…,SHA256=…: path is the image that has the hashes
	protocolField
	initiatedField // who began a connection
	actionField    // Sysmon's EventType of registry events
	detailsField   // data of a registry value, read back from the endpoint
	versionField   // text of the image's version resource
	signedField    // whether the image has a signature
)

// text reports whether the field can be encoded, and compared with regard to case.
func (k fieldKind) text() bool {
	return k == textField || k == registryField || k == detailsField || k == versionField
}

// refers reports whether |fieldref can compare the field with another one.
func (k fieldKind) refers() bool { return k == textField || k == versionField }

// image are the fields of the acting process that every event has.
var image = map[string]field{
	"Image":     {path: "process.path", folded: true},
	"ProcessId": {path: "process.pid", kind: intField},
}

// versions are the fields of the image's version resource.
var versions = map[string]field{
	"OriginalFileName": {path: "image.original_name", kind: versionField},
	"Description":      {path: "image.description", kind: versionField},
	"Product":          {path: "image.product", kind: versionField},
	"Company":          {path: "image.company", kind: versionField},
}

func withVersions(fields map[string]field) map[string]field {
	maps.Copy(fields, versions)
	return with(fields)
}

func with(fields map[string]field) map[string]field {
	all := maps.Clone(image)
	maps.Copy(all, fields)
	return all
}

var registryFields = with(map[string]field{
	"TargetObject": {path: "reg.path", kind: registryField, folded: true},
	"EventType":    {path: "reg.action", kind: actionField},
	"Details":      {path: readBackText, kind: detailsField},
})

// sources are the categories that the EDR has events for.
var sources = map[string]*source{
	"process_creation": {"process_start", "!process.already_running", withVersions(map[string]field{
		"CommandLine":     {path: "process.command_line"},
		"ParentImage":     {path: "process.parent.path", folded: true},
		"ParentProcessId": {path: "process.parent.pid", kind: intField},
		"User":            {path: "process.user"},
		"md5":             {path: "process.md5"},
		"sha256":          {path: "process.sha256"},
		"Hashes":          {path: "process", kind: hashesField},
	})},
	"process_termination": {"process_end", "", image},
	"file_event": {"file", `file.action == "create"`, with(map[string]field{
		"TargetFilename": {path: "file.path", folded: true},
	})},
	"file_delete": {"file", `file.action == "delete"`, with(map[string]field{
		"TargetFilename": {path: "file.path", folded: true},
	})},
	"registry_event":  {"registry", "", registryFields},
	"registry_set":    {"registry", `reg.action == "writeval"`, registryFields},
	"registry_add":    {"registry", `reg.action == "createkey"`, registryFields},
	"registry_delete": {"registry", `reg.action in ["delkey", "delval"]`, registryFields},
	"network_connection": {"network", "", with(map[string]field{
		"DestinationIp":       {path: "net.remote_ip", inbound: "net.local_ip"},
		"DestinationPort":     {path: "net.remote_port", kind: intField, inbound: "net.local_port"},
		"DestinationHostname": {path: "net.domain"},
		"SourceIp":            {path: "net.local_ip", inbound: "net.remote_ip"},
		"SourcePort":          {path: "net.local_port", kind: intField, inbound: "net.remote_port"},
		"Protocol":            {path: "net.protocol", kind: protocolField},
		"Initiated":           {path: "net.direction", kind: initiatedField},
	})},
	"image_load": {"module_load", "", withVersions(map[string]field{
		"ImageLoaded": {path: "module.path", folded: true},
		"md5":         {path: "module.md5"},
		"sha256":      {path: "module.sha256"},
		"Hashes":      {path: "module", kind: hashesField},
		"Signed":      {path: hasSignature, kind: signedField},
	})},
	"create_remote_thread": {"cross_process", `target.action == "remote_thread" && !target.is_target`, map[string]field{
		"SourceImage":     {path: "process.path", folded: true},
		"SourceProcessId": {path: "process.pid", kind: intField},
		"TargetImage":     {path: "target.path", folded: true},
		"TargetProcessId": {path: "target.pid", kind: intField},
	}},
	"process_access": {"cross_process", `target.action == "open_process" && !target.is_target`, map[string]field{
		"SourceImage":     {path: "process.path", folded: true},
		"SourceProcessId": {path: "process.pid", kind: intField},
		"TargetImage":     {path: "target.path", folded: true},
		"TargetProcessId": {path: "target.pid", kind: intField},
		"GrantedAccess":   {path: "target.access", kind: accessField},
	}},
	"ps_script": {"script", "", map[string]field{
		"ScriptBlockText": {path: "script.text"},
	}},
}

// unavailable are categories that are refused with a better reason than that
// they are not known.
var unavailable = map[string]string{
	"dns_query":    "the EDR reports connections with the name they were made to, not queries",
	"driver_load":  "the EDR does not tell drivers from other modules",
	"file_rename":  "the EDR does not report renames",
	"file_change":  "the EDR does not report changes of time stamps",
	"file_access":  "the EDR reports no reads of files",
	"pipe_created": "the EDR does not report named pipes",
}

func sourceOf(ls logSource) (*source, error) {
	if ls.Service != "" {
		return nil, refuse("it reads the log of service %q, which the EDR does not have", ls.Service)
	}
	if src := sources[ls.Category]; src != nil {
		if ls.Product != "" && !slices.Contains([]string{"windows", "linux", "macos"}, ls.Product) {
			return nil, refuse("product %q has no sensor", ls.Product)
		}
		return src, nil
	}
	if why := unavailable[ls.Category]; why != "" {
		return nil, refuse("category %s: %s", ls.Category, why)
	}
	return nil, refuse("log source %s is not among the EDR's events", strings.TrimPrefix(ls.Category+" "+ls.Product, " "))
}

// onOS is the condition that the endpoint may run an operating system.
func onOS(name string) string {
	return fmt.Sprintf("(!known(sensor.os) || sensor.os == %q)", name)
}

// conditions are what the log source says of events: its kind of action, and
// the operating system unless it is not known.
func (s *source) conditions(ls logSource) []string {
	var cs []string
	switch ls.Product {
	case "windows", "linux":
		cs = append(cs, onOS(ls.Product))
	case "macos":
		cs = append(cs, onOS("osx"))
	}
	if s.only != "" {
		cs = append(cs, s.only)
	}
	return cs
}
