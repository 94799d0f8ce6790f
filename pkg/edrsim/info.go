package edrsim

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// releases are the full version strings of the presets.
var releases = map[string]struct{ version, release string }{
	"5.1": {"5.1.1.160416.0935", "5.1.1-3"},
	"6.2": {"6.2.0.171114.1158", "6.2.0-1"},
	"7.1": {"7.1.0.200414.1500", "7.1.0-1"},
	"7.7": {"7.7.0.220330.1245", "7.7.0-1"},
}

type object = map[string]any

func (s *Server) getInfo(w http.ResponseWriter, r *http.Request) error {
	v := releases[s.as.version]
	info := object{
		"version": v.version, "version_release": v.release, "cblrEnabled": s.as.cblr == "enabled", "banningEnabled": true,
		"liveResponseAutoAttach": true, "vdiGloballyEnabled": false, "linuxInstallerExists": true, "osxInstallerExists": true,
		"binaryPageSize": 10, "binaryOrder": "", "processPageSize": 10, "processOrder": "", "searchExportCount": 1000,
		"maxSearchResultRows": 1000, "maxRowsSolrReportQuery": 10000, "timestampDeltaThreshold": 5,
		"features": object{"thirdparty_sharing": false},
	}
	if s.as.version != "5.1" {
		info["cloud_install"] = false
		info["features"] = object{"thirdparty_sharing": false, "immutable_documents": true, "event_exclusions": false, "ipv6_support": true}
		info["user_preferences"] = userPreferences()
	}
	return s.reply(w, r, info)
}

// userPreferences are the console's settings of the token's user. API clients ignore
// them; the real answer has them.
func userPreferences() object {
	expiry := object{"enabled": "on", "timeframeVal": 6, "timeframeUnits": "months", "ignoreIds": []int{}}
	shown, events := object{"visible": true}, object{"visible": true, "event": true, "summary": false}
	columns := object{}
	for _, name := range []string{"username", "endpoint", "start-time", "last-update-time", "pid", "i-watch", "i-tags"} {
		columns[name] = shown
	}
	for _, name := range []string{"i-mod", "i-file", "i-net", "i-child", "i-reg"} {
		columns[name] = events
	}
	grid := func(width int) []object {
		var items []object
		for i, name := range []string{"alerts", "sensors", "quickSearch", "eventMonitor", "dwellTime", "hygiene", "resolutionTime"} {
			items = append(items, object{"i": name, "x": 0, "y": 2 * i, "w": width, "h": 2, "minW": width, "minH": 2, "moved": false, "static": false})
		}
		return items
	}
	small := grid(1)
	for _, item := range small {
		delete(item, "moved")
		delete(item, "static")
		item["enabled"] = true
	}
	return object{
		"default": false, "minimalLeftNavigation": false, "processSearchSortOrder": "", "savedSearches": []any{}, "searchTablePreferences": columns,
		"userMgmt": object{"sortOrder": "first_name"}, "watchlistExpiration": expiry, "watchlists": object{"sortOrder": "name", "expiration": expiry},
		"facetsEnabled": []string{"process_name", "group", "hostname"}, "hudGridItems": object{"lg": grid(3), "md": grid(2), "sm": small},
	}
}

// getPartitions lists the event partitions. Clients use the route to find out whether
// the server supports partitions.
func (s *Server) getPartitions(w http.ResponseWriter, r *http.Request) error {
	switch s.as.partitions {
	case "403":
		return &apiError{http.StatusForbidden, "Forbidden"}
	case "404":
		return &apiError{http.StatusNotFound, "Not Found"}
	}
	const day = 24 * time.Hour
	now := s.clock.now().UTC().Truncate(time.Second)
	parts := object{}
	for i := range 3 {
		start := now.Add(-time.Duration(i*3+1) * day)
		name, status, end := "writer", "hot", any(nil)
		dir := "cbevents_" + start.Format("2006_01_02_1504")
		if i > 0 {
			name, status, end = dir, "warm", partitionTime(start.Add(3*day))
		}
		parts[name] = object{"name": name, "status": status, "info": object{
			"dir": "/var/cb/data/solr5/cbevents/" + dir, "schema": "cbevents_v1", "startDate": partitionTime(start), "endDate": end,
			"partitionId": start.Unix() << 16, "numDocs": 1200 + i, "maxDoc": 1200 + i, "deletedDocs": 0, "segmentCount": 4 + i,
			"sizeInBytes": 1917159, "isLegacy": false, "userMounted": false,
		}}
	}
	return s.reply(w, r, parts)
}

func partitionTime(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000Z") }

func (s *Server) getWatchlists(w http.ResponseWriter, r *http.Request) error {
	added := stamp(s.cfg.Start.Add(-90*24*time.Hour), s.as.location())
	list := []object{}
	for i, name := range []string{"New programs", "New libraries", "Unsigned drivers"} {
		kind, executable := "modules", i != 1
		l := object{
			"id": fmt.Sprint(i + 1), "name": name, "search_query": fmt.Sprintf("cb.urlver=1&q=is_executable_image%%3A%t", executable), "index_type": kind,
			"enabled": true, "readonly": false, "group_id": -1, "last_hit_count": i, "total_hits": "12", "total_tags": "12",
			"search_timestamp": "1970-01-01T00:00:00.000Z", "date_added": added, "last_hit": added,
		}
		if i == 2 {
			l["last_hit"] = nil
		}
		if s.as.version == "5.1" {
			l["alliance_id"], l["from_alliance"] = nil, false
		} else {
			l["description"] = ""
		}
		list = append(list, l)
	}
	return s.reply(w, r, list)
}

// group is a sensor group. Sensors may be put into any; each has a name.
func (s *Server) group(id int) object {
	name := fmt.Sprintf("Group %d", id)
	if id == 1 {
		name = "Default Group"
	}
	sensors := 0
	for _, x := range s.sensors {
		if x.groupID == id {
			sensors++
		}
		if x.spec.Group != "" && max(x.spec.GroupID, 1) == id {
			name = x.spec.Group
		}
	}
	return object{"id": id, "name": name, "site_id": 1, "sensorbackend_server": "https://edr.example.com:443", "num_sensors": sensors}
}

func (s *Server) listGroups(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	ids := []int{1}
	for _, x := range s.sensors {
		if !slices.Contains(ids, x.groupID) {
			ids = append(ids, x.groupID)
		}
	}
	list := make([]object, len(ids))
	for i, id := range ids {
		list[i] = s.group(id)
	}
	s.mu.Unlock()
	return s.reply(w, r, list)
}

func (s *Server) getGroup(w http.ResponseWriter, r *http.Request) error {
	id := pathNumber(r, "id")
	if id < 1 {
		return &apiError{http.StatusNotFound, fmt.Sprintf("Group %s not found", r.PathValue("id"))}
	}
	s.mu.Lock()
	v := s.group(id)
	s.mu.Unlock()
	return s.reply(w, r, v)
}
