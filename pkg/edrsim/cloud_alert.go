package edrsim

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// A cloudAlert is an alert with its notes and history.
type cloudAlert struct {
	fields  object
	notes   []object
	history []object
}

func (a *cloudAlert) id() string { return fmt.Sprint(a.fields["id"]) }

// cloudAlertTypes are the types of alerts, one of each being there at the start.
var cloudAlertTypes = []string{"CB_ANALYTICS", "WATCHLIST", "DEVICE_CONTROL", "HOST_BASED_FIREWALL", "INTRUSION_DETECTION_SYSTEM", "CONTAINER_RUNTIME"}

// raiseFirstAlerts makes one alert of each type in the last hour, on the first
// devices. Callers hold the server's mutex.
func (c *cloud) raiseFirstAlerts() {
	for i, typ := range cloudAlertTypes {
		at := c.srv.cfg.Start.Add(-time.Duration(55-8*i) * time.Minute)
		a := c.newAlert(typ, i%len(c.srv.sensors)+1, at)
		if i == 3 {
			a.fields["workflow"] = workflow("CLOSED", at.Add(time.Minute), "USER", "analyst@example.test", "RESOLVED")
		}
		c.alerts = append(c.alerts, a)
		c.forward(a)
	}
}

func workflow(status string, at time.Time, byType, by, reason string) object {
	return object{"status": status, "change_timestamp": cloudTime(at), "changed_by_type": byType, "changed_by": by, "closure_reason": reason}
}

// newAlert makes an alert about a sensor.
func (c *cloud) newAlert(typ string, sensorID int, at time.Time) *cloudAlert {
	x := c.srv.sensors[sensorID-1]
	id := c.uuid()
	raised := cloudTime(at.Add(20 * time.Second))
	p := cloudPlatforms[x.os()]
	v := object{
		"org_key": c.srv.cfg.OrgKey, "id": id, "type": typ,
		"alert_url":           "https://cbc.example.test/alerts?orgKey=" + c.srv.cfg.OrgKey + "&s%5Bc%5D%5Bquery_string%5D=id%3A" + id,
		"detection_timestamp": cloudTime(at), "first_event_timestamp": cloudTime(at.Add(-2 * time.Second)), "last_event_timestamp": cloudTime(at),
		"backend_timestamp": raised, "backend_update_timestamp": raised, "user_update_timestamp": nil, "is_updated": false,
		"severity": 5 + len(c.alerts)%4, "reason": "A simulated alert of type " + typ, "reason_code": "T_RUN_ANY",
		"threat_id": fmt.Sprintf("%032x", mixString(7, typ)), "primary_event_id": id, "policy_applied": "NOT_APPLIED", "run_state": "RAN", "sensor_action": "ALLOW",
		"workflow":      workflow("OPEN", at.Add(20*time.Second), "SYSTEM", "ALERT_CREATION", "NO_REASON"),
		"determination": object{"value": "NONE", "change_timestamp": raised, "changed_by_type": nil, "changed_by": nil},
		"tags":          nil, "alert_notes_present": false, "threat_notes_present": false,
		"device_id": x.deviceID(), "device_name": strings.ToUpper(x.hostname), "device_os": p.os, "device_os_version": p.version,
		"device_username": "user@example.test", "device_location": "ONSITE", "device_target_value": "MEDIUM",
		"device_policy": "Standard", "device_policy_id": 18800 + x.groupID, "device_external_ip": "198.51.100.7", "device_internal_ip": x.ip,
	}
	switch typ {
	case "DEVICE_CONTROL", "CONTAINER_RUNTIME":
	default:
		maps.Copy(v, c.alertProcess(x, at))
	}
	maps.Copy(v, alertDetails(typ))
	if typ == "CONTAINER_RUNTIME" {
		for k := range v {
			if strings.HasPrefix(k, "device_") && k != "device_os" && k != "device_location" {
				delete(v, k)
			}
		}
	}
	return &cloudAlert{fields: v}
}

// alertProcess names a process that runs on the device.
func (c *cloud) alertProcess(x *sensor, at time.Time) object {
	procs := x.computer(at).procs
	p := procs[len(procs)-1]
	const from1601To1970 = 116444736000000000
	started := uint64(p.started.UnixNano()/100) + from1601To1970
	return object{
		"process_guid": fmt.Sprintf("%s-%08x-%08x-00000000-%x", c.srv.cfg.OrgKey, x.deviceID(), p.pid, started),
		"process_pid":  p.pid, "process_name": p.path, "process_cmdline": p.line, "process_username": p.user,
		"process_sha256": fmt.Sprintf("%064x", mixString(3, p.path)), "process_md5": fmt.Sprintf("%032x", mixString(4, p.path)),
		"process_reputation": "NOT_LISTED", "process_effective_reputation": "NOT_LISTED",
		"parent_pid": p.parent, "ttps": []string{"RUN_ANOTHER_APP"}, "attack_tactic": "TA0002", "attack_technique": "T1059",
	}
}

// alertDetails are the fields that only alerts of one type have.
func alertDetails(typ string) object {
	net := object{"netconn_protocol": "", "netconn_local_ip": "10.20.0.1", "netconn_local_port": 50123, "netconn_remote_ip": "203.0.113.5", "netconn_remote_port": 443, "netconn_remote_domain": "c2.example.test"}
	switch typ {
	case "WATCHLIST":
		return object{"watchlists": []object{{"id": "P9o8I7u6Y5t4R3e2W1q0Zz", "name": "ATT&CK Framework"}}, "report_id": "r-1", "report_name": "Simulated report",
			"report_tags": []string{"simulated"}, "ioc_id": "ioc-1", "ioc_hit": "process_name:cmd.exe", "ioc_field": "process_name"}
	case "DEVICE_CONTROL":
		return object{"external_device_friendly_name": "Example USB Drive", "vendor_name": "Example", "vendor_id": "0x0951", "product_name": "Traveler",
			"product_id": "0x1666", "serial_number": "E0D55E6C", "policy_applied": "APPLIED", "sensor_action": "DENY", "run_state": "DID_NOT_RUN"}
	case "HOST_BASED_FIREWALL":
		net["rule_id"], net["rule_config_id"], net["rule_config_name"], net["rule_config_category"] = "00000000-0000-4000-8000-0000000000f1", "f1", "Block outbound SMB", "core_prevention"
		return net
	case "INTRUSION_DETECTION_SYSTEM":
		net["tms_rule_id"], net["threat_name"] = "4b98443a-ba0d-4ff5-b99e-d5e70432a214", "Simulated C2 traffic"
		return net
	case "CONTAINER_RUNTIME":
		return object{"k8s_cluster": "prod:east", "k8s_namespace": "shop", "k8s_workload_name": "web", "k8s_pod_name": "web-1", "k8s_rule": "Allowed public destinations"}
	}
	return object{}
}

// changed notes that an alert has another state and forwards it again as a whole.
func (c *cloud) changed(a *cloudAlert, at time.Time, byUser bool) {
	a.fields["is_updated"] = true
	a.fields["backend_update_timestamp"] = cloudTime(at)
	if byUser {
		a.fields["user_update_timestamp"] = cloudTime(at)
	}
	c.forward(a)
}

// alert finds one by id. Callers hold the server's mutex.
func (c *cloud) alert(id string) (*cloudAlert, error) {
	for _, a := range c.alerts {
		if a.id() == id {
			return a, nil
		}
	}
	return nil, notFound("Alert " + id + " not found")
}
