package events

import "time"

// Event is one report of an EDR product, in the same shape for every product.
// Sub-structs are always present; a field that the source lacks has the zero value.
// Hashes are lower case, Windows paths as the sensor sent them (lower case), addresses
// are text, ports 0 to 65535 with 0 for unknown.
//
// The expr tags are the names that rules use and are a contract with rule
// authors; the json tags are the same names in the same nesting.
type Event struct {
	Event     Meta           `expr:"event" json:"event"`
	Sensor    Sensor         `expr:"sensor" json:"sensor"`
	Process   Process        `expr:"process" json:"process,omitzero"`
	File      File           `expr:"file" json:"file,omitzero"`
	Reg       Reg            `expr:"reg" json:"reg,omitzero"`
	Net       Net            `expr:"net" json:"net,omitzero"`
	Module    Image          `expr:"module" json:"module,omitzero"`
	Child     Child          `expr:"child" json:"child,omitzero"`
	Target    Target         `expr:"target" json:"target,omitzero"`
	Script    Script         `expr:"script" json:"script,omitzero"`
	Binary    Binary         `expr:"binary" json:"binary,omitzero"`
	Image     ImageInfo      `expr:"image" json:"image,omitzero"`
	Watchlist Watchlist      `expr:"watchlist" json:"watchlist,omitzero"`
	Feed      Feed           `expr:"feed" json:"feed,omitzero"`
	IOC       IOC            `expr:"ioc" json:"ioc,omitzero"`
	Alert     Alert          `expr:"alert" json:"alert,omitzero"`
	Block     Block          `expr:"block" json:"block,omitzero"`
	Tamper    Tamper         `expr:"tamper" json:"tamper,omitzero"`
	Exploit   Exploit        `expr:"exploit" json:"exploit,omitzero"`
	USB       USB            `expr:"usb" json:"usb,omitzero"`
	Firewall  Firewall       `expr:"firewall" json:"firewall,omitzero"`
	IDS       IDS            `expr:"ids" json:"ids,omitzero"`
	K8s       K8s            `expr:"k8s" json:"k8s,omitzero"`
	Auth      Auth           `expr:"auth" json:"auth,omitzero"`
	Audit     AuditRecord    `expr:"audit" json:"audit,omitzero"`
	Raw       map[string]any `expr:"raw" json:"raw,omitempty"` // the message; of a hit, with the one doc. See LoadRaw

	original *original // what LoadRaw reads; nil for an event that was not decoded here
}

// Meta is about the event itself.
type Meta struct {
	ID           string        `expr:"id" json:"id"`                                               // hash of type and key fields: the same content has the same id
	Type         string        `expr:"type" json:"type"`                                           // canonical routing key, without database ids
	Kind         Kind          `expr:"kind" json:"kind"`                                           // what sort of thing happened
	Stage        string        `expr:"stage" json:"stage,omitempty" words:"ingress,query,storage"` // ingress, query, storage; hits and alerts only
	Time         time.Time     `expr:"time" json:"time,omitzero"`                                  // when it happened, by the clock of whoever observed it
	Received     time.Time     `expr:"received" json:"received,omitzero"`                          // when we got it
	Age          time.Duration `expr:"age" json:"-"`                                               // Received - Time; 0 when either is unknown
	Server       string        `expr:"server" json:"server,omitempty"`                             // name of the EDR server: as the event says, else as its source is bound
	Bound        string        `json:"-"`                                                          // the server that its source or subject is bound to, where the event names none
	Transport    string        `expr:"transport" json:"transport,omitempty"`                       // nats, amqp, http, tcp, file, …
	Flaws        []string      `expr:"flaws" json:"flaws,omitempty"`                               // what was wrong with the message, see the Flaw constants
	SensorAction string        `expr:"sensor_action" json:"sensor_action,omitempty"`               // what the sensor did about it: ACTION_ALLOW, …
	Origin       string        `expr:"origin" json:"origin,omitempty"`                             // part of the product that reported it: EDR, NGAV
}

// Kind classifies events independently of the product's own types. It is an alias
// because expr-lang does not compare a named text type with text.
type Kind = string

// The kinds of event.
const (
	ProcessStart Kind = "process_start"
	ProcessEnd   Kind = "process_end"
	ChildProcess Kind = "child_process"
	ModuleLoad   Kind = "module_load"
	FileChange   Kind = "file"
	Registry     Kind = "registry"
	Network      Kind = "network"
	CrossProcess Kind = "cross_process"
	ScriptLoad   Kind = "script"
	TamperAlert  Kind = "tamper"
	Blocked      Kind = "block"
	ExploitGuard Kind = "exploit"
	BinaryInfo   Kind = "binary_info"
	WatchlistHit Kind = "watchlist_hit"
	FeedHit      Kind = "feed_hit"
	AlertRaised  Kind = "alert"
	BinarySeen   Kind = "binary_seen"
	BinaryStored Kind = "binary_stored"
	Audit        Kind = "audit"
	Other        Kind = "other"
)

// Sensor is the endpoint (or endpoints) that the event is about.
type Sensor struct {
	ID             string            `expr:"id" json:"id,omitempty"`         // text, as "42"; empty unless there is exactly one
	IDs            []string          `expr:"ids" json:"ids"`                 // every sensor that the event names
	Server         string            `expr:"server" json:"server,omitempty"` // configured name of the server that has the sensor
	Hostname       string            `expr:"hostname" json:"hostname,omitempty"`
	Hostnames      []string          `expr:"hostnames" json:"hostnames,omitempty"`
	OtherHostnames []string          `expr:"other_hostnames" json:"other_hostnames,omitempty"` // of an alert about a binary: the further hosts that have it
	Group          string            `expr:"group" json:"group,omitempty"`
	Groups         []string          `expr:"groups" json:"groups,omitempty"`
	OS             string            `expr:"os" json:"os,omitempty" form:"os" words:"windows,linux,osx"`                          // windows, linux, osx
	OSVersion      string            `expr:"os_version" json:"os_version,omitempty"`                                              // as the server writes it
	Type           string            `expr:"type" json:"type,omitempty" form:"word" words:"workstation,server,domain_controller"` // workstation, server, domain_controller
	Criticality    float64           `expr:"criticality" json:"criticality,omitempty"`
	Tags           []string          `expr:"tags" json:"tags,omitempty"`     // from the endpoints file
	Labels         map[string]string `expr:"labels" json:"labels,omitempty"` // from the endpoints file
	Tenant         string            `expr:"tenant" json:"tenant,omitempty"` // of the server
	Known          Facts             `json:"known,omitempty"`                // facts that are known although their value is empty
	Given          Facts             `json:"given,omitempty"`                // facts that do not come from the event: its server or the endpoints file gave them
	Pending        Facts             `json:"-"`                              // facts that the server may have and that have not been read yet
	Domain         string            `expr:"domain" json:"domain,omitempty"` // of the host name, where the event has it
	InternalIP     string            `expr:"internal_ip" json:"internal_ip,omitempty" form:"ip"`
	ExternalIP     string            `expr:"external_ip" json:"external_ip,omitempty" form:"ip"`
	Location       string            `expr:"location" json:"location,omitempty"` // ONSITE, OFFSITE, UNKNOWN
	User           string            `expr:"user" json:"user,omitempty"`         // last one known on the device
	Priority       string            `expr:"priority" json:"priority,omitempty"` // LOW, MEDIUM, HIGH, MISSION_CRITICAL
}

// Image is an executable or library on disk.
type Image struct {
	Path   string `expr:"path" json:"path,omitempty" form:"path"`
	Name   string `expr:"name" json:"name,omitempty" form:"name"` // last part of the path
	MD5    string `expr:"md5" json:"md5,omitempty" form:"md5"`
	SHA256 string `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
}

// Process is the acting process.
type Process struct {
	GUID           string    `expr:"guid" json:"guid,omitempty"` // sensor, pid and start time, see FormatGUID
	Segment        int64     `expr:"segment" json:"segment,omitempty"`
	PID            int       `expr:"pid" json:"pid,omitempty" form:"pid"`
	Path           string    `expr:"path" json:"path,omitempty" form:"path"`
	Name           string    `expr:"name" json:"name,omitempty" form:"name"`
	CommandLine    string    `expr:"command_line" json:"command_line,omitempty"`
	User           string    `expr:"user" json:"user,omitempty"`
	UID            string    `expr:"uid" json:"uid,omitempty"`
	MD5            string    `expr:"md5" json:"md5,omitempty" form:"md5"`
	SHA256         string    `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
	Start          time.Time `expr:"start" json:"start,omitzero"`
	AlreadyRunning bool      `expr:"already_running" json:"already_running,omitempty"` // it ran before the sensor started
	LogonType      int       `expr:"logon_type" json:"logon_type,omitempty"`
	Reputation     string    `expr:"reputation" json:"reputation,omitempty"` // KNOWN_MALWARE, TRUSTED_WHITE_LIST, …
	ForkPID        int       `expr:"fork_pid" json:"fork_pid,omitempty"`
	Parent         Parent    `expr:"parent" json:"parent,omitzero"`
	Counts         Counts    `expr:"counts" json:"counts,omitzero"`
}

// Parent is the parent of the acting process.
type Parent struct {
	GUID        string `expr:"guid" json:"guid,omitempty"`
	PID         int    `expr:"pid" json:"pid,omitempty" form:"pid"`
	Path        string `expr:"path" json:"path,omitempty" form:"path"`
	Name        string `expr:"name" json:"name,omitempty" form:"name"`
	CommandLine string `expr:"command_line" json:"command_line,omitempty"`
	MD5         string `expr:"md5" json:"md5,omitempty" form:"md5"`
	SHA256      string `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
	User        string `expr:"user" json:"user,omitempty"`
}

// Counts is how much a process had done when its document was written.
type Counts struct {
	Modload      int `expr:"modload" json:"modload,omitempty"`
	Filemod      int `expr:"filemod" json:"filemod,omitempty"`
	Netconn      int `expr:"netconn" json:"netconn,omitempty"`
	Regmod       int `expr:"regmod" json:"regmod,omitempty"`
	Childproc    int `expr:"childproc" json:"childproc,omitempty"`
	Crossproc    int `expr:"crossproc" json:"crossproc,omitempty"`
	Emet         int `expr:"emet" json:"emet,omitempty"`
	Processblock int `expr:"processblock" json:"processblock,omitempty"`
}

// File is a file that was created, written or deleted.
type File struct {
	Path   string `expr:"path" json:"path,omitempty" form:"path"`
	Name   string `expr:"name" json:"name,omitempty" form:"name"`
	Ext    string `expr:"ext" json:"ext,omitempty" form:"ext"`                                                                                                                                                                // without the dot, lower case
	Action string `expr:"action" json:"action,omitempty" form:"word" words:"create,write,delete,lastwrite,open,#"`                                                                                                            // create, write, delete, lastwrite, open
	Type   string `expr:"type" json:"type,omitempty" words:"Unknown,Pe,Elf,UniversalBin,Eicar,OfficeLegacy,OfficeOpenXml,Pdf,ArchivePkzip,ArchiveLzh,ArchiveLzw,ArchiveRar,ArchiveTar,Archive7zip,MsLnk,FlashFlv,FlashSwf,#"` // Pe, Elf, Pdf, …
	MD5    string `expr:"md5" json:"md5,omitempty" form:"md5"`
	SHA256 string `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
}

// Reg is a registry key or value that changed.
type Reg struct {
	Path    string `expr:"path" json:"path,omitempty" form:"reg"`                                                 // as Live Response takes it: HKLM\…, HKEY_USERS\…
	RawPath string `expr:"raw_path" json:"raw_path,omitempty"`                                                    // as the sensor sent it: \registry\machine\…
	Action  string `expr:"action" json:"action,omitempty" form:"word" words:"createkey,writeval,delkey,delval,#"` // createkey, writeval, delkey, delval
}

// Net is a network connection; of a feed hit, the one that matched.
type Net struct {
	Direction   string `expr:"direction" json:"direction,omitempty" form:"word" words:"inbound,outbound"`                         // inbound, outbound
	Protocol    string `expr:"protocol" json:"protocol,omitempty" form:"word" words:"tcp,udp,icmp,icmpv6,igmp,gre,esp,ah,sctp,#"` // tcp, udp, or the number
	Domain      string `expr:"domain" json:"domain,omitempty" form:"domain"`
	LocalIP     string `expr:"local_ip" json:"local_ip,omitempty" form:"ip"`
	LocalPort   int    `expr:"local_port" json:"local_port,omitempty" form:"port"`
	RemoteIP    string `expr:"remote_ip" json:"remote_ip,omitempty" form:"ip"`
	RemotePort  int    `expr:"remote_port" json:"remote_port,omitempty" form:"port"`
	Proxy       bool   `expr:"proxy" json:"proxy,omitempty"`
	ProxyIP     string `expr:"proxy_ip" json:"proxy_ip,omitempty" form:"ip"`
	ProxyPort   int    `expr:"proxy_port" json:"proxy_port,omitempty" form:"port"`
	ProxyDomain string `expr:"proxy_domain" json:"proxy_domain,omitempty" form:"domain"`
	JA3         string `expr:"ja3" json:"ja3,omitempty" form:"md5"`
	JA3S        string `expr:"ja3s" json:"ja3s,omitempty" form:"md5"`

	BytesSent     int64  `expr:"bytes_sent" json:"bytes_sent,omitempty"`
	BytesReceived int64  `expr:"bytes_received" json:"bytes_received,omitempty"`
	DNSQuery      string `expr:"dns_query" json:"dns_query,omitempty" form:"domain"` // name that was looked up
}

// Child is a process that the acting process started or lost.
type Child struct {
	GUID        string `expr:"guid" json:"guid,omitempty"`
	PID         int    `expr:"pid" json:"pid,omitempty" form:"pid"`
	Path        string `expr:"path" json:"path,omitempty" form:"path"`
	Name        string `expr:"name" json:"name,omitempty" form:"name"`
	MD5         string `expr:"md5" json:"md5,omitempty" form:"md5"`
	SHA256      string `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
	CommandLine string `expr:"command_line" json:"command_line,omitempty"`
	User        string `expr:"user" json:"user,omitempty"`
	Created     bool   `expr:"created" json:"created,omitempty"`
	Type        string `expr:"type" json:"type,omitempty" form:"word" words:"exec,fork,other_exec,#"` // exec, fork, other_exec
	Suppressed  bool   `expr:"suppressed" json:"suppressed,omitempty"`                                // it will have no process_start of its own
}

// Target is the process that another process opened or injected into.
type Target struct {
	GUID     string `expr:"guid" json:"guid,omitempty"`
	PID      int    `expr:"pid" json:"pid,omitempty" form:"pid"`
	Path     string `expr:"path" json:"path,omitempty" form:"path"`
	Name     string `expr:"name" json:"name,omitempty" form:"name"`
	MD5      string `expr:"md5" json:"md5,omitempty" form:"md5"`
	SHA256   string `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
	Access   int64  `expr:"access" json:"access,omitempty"`                                                              // requested access rights
	Action   string `expr:"action" json:"action,omitempty" form:"word" words:"open_process,open_thread,remote_thread,#"` // open_process, open_thread, remote_thread
	IsTarget bool   `expr:"is_target" json:"is_target,omitempty"`                                                        // the acting process is the victim
}

// Script is script text that the endpoint was about to run.
type Script struct {
	Text   string `expr:"text" json:"text,omitempty"`
	SHA256 string `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
}

// Binary is the metadata of an executable image.
type Binary struct {
	MD5          string   `expr:"md5" json:"md5,omitempty" form:"md5"`
	SHA256       string   `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
	Size         int64    `expr:"size" json:"size,omitempty"` // bytes
	Paths        []string `expr:"paths" json:"paths,omitempty"`
	Signed       bool     `expr:"signed" json:"signed,omitempty"`
	SignResult   string   `expr:"sign_result" json:"sign_result,omitempty" words:"Signed,Unsigned,Bad Signature,Invalid Signature,Expired,Invalid Chain,Untrusted Root,Explicit Distrust"` // Signed, Unsigned, Bad Signature, …
	Publisher    string   `expr:"publisher" json:"publisher,omitempty"`
	Product      string   `expr:"product" json:"product,omitempty"`
	Company      string   `expr:"company" json:"company,omitempty"`
	Description  string   `expr:"description" json:"description,omitempty"`
	OriginalName string   `expr:"original_name" json:"original_name,omitempty"`
	Is64bit      bool     `expr:"is_64bit" json:"is_64bit,omitempty"`
	HostCount    int      `expr:"host_count" json:"host_count,omitempty"`
}

// Watchlist is the saved search that matched.
type Watchlist struct {
	ID   int64  `expr:"id" json:"id,omitempty"`
	Name string `expr:"name" json:"name,omitempty"` // of several, the first

	Names []string `expr:"names" json:"names,omitempty"` // of all watchlists of a hit
	IDs   []string `expr:"ids" json:"ids,omitempty"`     // their ids, where they are text
}

// Feed is the threat feed, and the report in it, that matched.
type Feed struct {
	ID          int64   `expr:"id" json:"id,omitempty"` // -1: a watchlist, not a feed
	Name        string  `expr:"name" json:"name,omitempty"`
	ReportID    string  `expr:"report_id" json:"report_id,omitempty"`
	ReportTitle string  `expr:"report_title" json:"report_title,omitempty"`
	Score       float64 `expr:"score" json:"score,omitempty"` // 0 to 100

	ReportTags []string `expr:"report_tags" json:"report_tags,omitempty"`
}

// IOC is the indicator that matched.
type IOC struct {
	Type  string         `expr:"type" json:"type,omitempty"` // md5, sha256, dns, ipv4, ipv6, query
	Value string         `expr:"value" json:"value,omitempty"`
	Query string         `expr:"query" json:"query,omitempty"`
	Attrs map[string]any `expr:"attrs" json:"attrs,omitempty"`
	ID    string         `expr:"id" json:"id,omitempty"`
}

// Alert is an alert that the server raised.
type Alert struct {
	ID       string  `expr:"id" json:"id,omitempty"`
	Severity float64 `expr:"severity" json:"severity,omitempty"` // 0 to 100; 1 to 10 in Carbon Black Cloud
	Status   string  `expr:"status" json:"status,omitempty"`     // OPEN, IN_PROGRESS, CLOSED; of Carbon Black EDR Unresolved, Resolved, …
	Type     string  `expr:"type" json:"type,omitempty"`

	Key           string    `expr:"key" json:"key,omitempty"`                 // server and id: the same for every copy of one alert
	Updated       bool      `expr:"updated" json:"updated"`                   // a copy that was sent because the alert changed
	UpdateTime    time.Time `expr:"update_time" json:"update_time,omitzero"`  // of the last change
	Reason        string    `expr:"reason" json:"reason,omitempty"`           // a sentence
	ReasonCode    string    `expr:"reason_code" json:"reason_code,omitempty"` // stands for the kind of reason
	ThreatID      string    `expr:"threat_id" json:"threat_id,omitempty"`     // the same for alerts of one threat
	URL           string    `expr:"url" json:"url,omitempty"`                 // of the alert in the console
	Action        string    `expr:"action" json:"action,omitempty"`           // what the sensor did: ALLOW, DENY, TERMINATE, …
	PolicyApplied bool      `expr:"policy_applied" json:"policy_applied"`     // a policy stopped it already
	RunState      string    `expr:"run_state" json:"run_state,omitempty"`     // RAN, DID_NOT_RUN, UNKNOWN
	Determination string    `expr:"determination" json:"determination,omitempty"`
	ClosureReason string    `expr:"closure_reason" json:"closure_reason,omitempty"`
	ChangedBy     string    `expr:"changed_by" json:"changed_by,omitempty"`
	ChangedByType string    `expr:"changed_by_type" json:"changed_by_type,omitempty"` // USER, API, SYSTEM, …
	TTPs          []string  `expr:"ttps" json:"ttps,omitempty"`
	Tactic        string    `expr:"tactic" json:"tactic,omitempty"`       // of MITRE ATT&CK: TA0002
	Technique     string    `expr:"technique" json:"technique,omitempty"` // of MITRE ATT&CK: T1059.001
}

// Block is a banned binary that was stopped.
type Block struct {
	Event  string `expr:"event" json:"event,omitempty" words:"ProcessCreate,RunningProcess,#"`
	Result string `expr:"result" json:"result,omitempty" words:"ProcessTerminated,NotTerminatedCBProcess,NotTerminatedSystemProcess,NotTerminatedCriticalSystemProcess,NotTerminatedWhitelistedPath,NotTerminatedOpenProcessError,NotTerminatedTerminateError,#"`
	Error  int64  `expr:"error" json:"error,omitempty"`
	Path   string `expr:"path" json:"path,omitempty" form:"path"`
	SHA256 string `expr:"sha256" json:"sha256,omitempty" form:"sha256"`
}

// Tamper is an attack on the sensor itself.
type Tamper struct {
	Type string `expr:"type" json:"type,omitempty" words:"CoreDriverUnloaded,NetworkDriverUnloaded,CbServiceStopped,CbProcessTerminated,CbCodeInjection,#"`
}

// Exploit is an exploit mitigation that fired.
type Exploit struct {
	Mitigation string `expr:"mitigation" json:"mitigation,omitempty"`
	Blocked    bool   `expr:"blocked" json:"blocked,omitempty"`
	Message    string `expr:"message" json:"message,omitempty"`
}

// USB is a device that was plugged in.
type USB struct {
	Name      string `expr:"name" json:"name,omitempty"`
	Vendor    string `expr:"vendor" json:"vendor,omitempty"`
	VendorID  string `expr:"vendor_id" json:"vendor_id,omitempty"` // 0x0951
	Product   string `expr:"product" json:"product,omitempty"`
	ProductID string `expr:"product_id" json:"product_id,omitempty"`
	Serial    string `expr:"serial" json:"serial,omitempty"`
}

// Firewall is the rule of a host's firewall that matched.
type Firewall struct {
	RuleID   string `expr:"rule_id" json:"rule_id,omitempty"`
	RuleName string `expr:"rule_name" json:"rule_name,omitempty"`
}

// IDS is the rule of intrusion detection that matched.
type IDS struct {
	RuleID string `expr:"rule_id" json:"rule_id,omitempty"`
	Threat string `expr:"threat" json:"threat,omitempty"`
}

// K8s is the container workload that an alert is about.
type K8s struct {
	Cluster   string `expr:"cluster" json:"cluster,omitempty"`
	Namespace string `expr:"namespace" json:"namespace,omitempty"`
	Workload  string `expr:"workload" json:"workload,omitempty"`
	Pod       string `expr:"pod" json:"pod,omitempty"`
	Rule      string `expr:"rule" json:"rule,omitempty"`
}

// Auth is a logon at an endpoint.
type Auth struct {
	Action        string `expr:"action" json:"action,omitempty"` // as the server writes it
	User          string `expr:"user" json:"user,omitempty"`
	Domain        string `expr:"domain" json:"domain,omitempty"`
	RemoteIP      string `expr:"remote_ip" json:"remote_ip,omitempty" form:"ip"`
	RemoteHost    string `expr:"remote_host" json:"remote_host,omitempty"`
	LogonType     int    `expr:"logon_type" json:"logon_type,omitempty"` // of Windows: 3 network, 10 remote desktop
	RemotePort    int    `expr:"remote_port" json:"remote_port,omitempty" form:"port"`
	FailureStatus int    `expr:"failure_status" json:"failure_status,omitempty"` // an NTSTATUS, signed
	FailedCount   int    `expr:"failed_count" json:"failed_count,omitempty"`
}

// AuditRecord is an action of a user in the server's console or by its API.
type AuditRecord struct {
	Actor   string `expr:"actor" json:"actor,omitempty"`       // a user or an API key
	ActorIP string `expr:"actor_ip" json:"actor_ip,omitempty"` // where the request came from
	Text    string `expr:"text" json:"text,omitempty"`
	URL     string `expr:"url" json:"url,omitempty"` // that was requested
	Flagged bool   `expr:"flagged" json:"flagged,omitempty"`
}
