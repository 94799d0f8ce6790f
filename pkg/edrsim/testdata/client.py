#!/usr/bin/env python3
"""Drive a Carbon Black EDR server's REST API as a black box.

usage: client.py URL TOKEN [SENSOR]

Written for the simulator (`pipeline sim`) with nothing but the standard library
and the protocol in mind. Prints one line for each check and exits with the number
of those that failed. It changes things: do not point it at a server you care for.
"""
import concurrent.futures
import hashlib
import http.client
import io
import json
import re
import ssl
import sys
import tarfile
import threading
import time
import urllib.parse
import uuid

WIN32 = {2: "file not found", 3: "path not found", 5: "access denied", 32: "sharing violation",
         80: "file exists", 87: "invalid parameter", 183: "already exists", 193: "bad exe format"}
FINAL = ("complete", "error", "cancel", "canceled", "cancelled")


class HTTPError(Exception):
    def __init__(self, status, body):
        super().__init__("HTTP %d: %s" % (status, body[:200]))
        self.status, self.body = status, body


class LiveResponseError(Exception):
    """An endpoint refused a command; the HRESULT is decoded."""

    def __init__(self, command):
        code = command["result_code"]
        self.code, self.type = code, command["result_type"]
        text = hex(code)
        if self.type == "WinHresult" and (code >> 16) & 0x1FFF == 7:
            text = WIN32.get(code & 0xFFFF, text)
        super().__init__("%s %r: %s" % (command["name"], command["object"], text))


class Server:
    def __init__(self, url, token):
        u = urllib.parse.urlsplit(url)
        self.host, self.tls, self.token = u.netloc, u.scheme == "https", token
        self.kept = threading.local()  # a connection for each thread

    def connect(self):
        if not self.tls:
            return http.client.HTTPConnection(self.host, timeout=120)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(self.host, timeout=120, context=context)

    def request(self, method, path, body=None, content_type="application/json"):
        connection = getattr(self.kept, "connection", None) or self.connect()
        self.kept.connection = connection
        connection.request(method, path, body, {"X-Auth-Token": self.token, "Content-Type": content_type})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status not in (200, 204):
            raise HTTPError(answer.status, data.decode(errors="replace"))
        return data

    def json(self, method, path, value=None):
        data = self.request(method, path, None if value is None else json.dumps(value, sort_keys=True))
        answer = json.loads(data) if data else None
        if isinstance(answer, dict) and "errorMessage" in answer:
            raise HTTPError(200, answer["errorMessage"])
        return answer

    def get(self, path):
        return self.json("GET", path)


class Session:
    """A Live Response session: an existing one of the sensor is joined."""

    def __init__(self, server, sensor_id):
        self.server, self.sensor_id = server, sensor_id
        mine = [s for s in server.get("/api/v1/cblr/session?active_only=true")
                if s["sensor_id"] == sensor_id and s["status"] in ("pending", "active")]
        s = mine[0] if mine else server.json("POST", "/api/v1/cblr/session", {"sensor_id": sensor_id})
        self.id, self.path = s["id"], "/api/v1/cblr/session/%d" % s["id"]
        end = time.time() + 360
        while s["status"] == "pending":
            if time.time() > end:
                raise TimeoutError("session %d is still pending" % self.id)
            time.sleep(0.05)
            s = server.get(self.path)
        if s["status"] != "active":
            raise RuntimeError("session is " + s["status"])
        self.info = s

    def submit(self, name, obj=None, **more):
        body = dict(more, session_id=self.id, name=name)
        if obj is not None:
            body["object"] = obj
        return self.server.json("POST", self.path + "/command", body)

    def finish(self, command, wait=False):
        path = "%s/command/%d" % (self.path, command["id"])
        end = time.time() + 120
        while True:
            c = self.server.get(path + ("?wait=true" if wait else ""))
            if c["status"] == "error":
                raise LiveResponseError(c)
            if c["status"] in FINAL:
                return c
            if time.time() > end:
                raise TimeoutError(c)
            time.sleep(0.02)

    def run(self, name, obj=None, **more):
        return self.finish(self.submit(name, obj, **more))

    def get_file(self, path, **more):
        c = self.run("get file", path, **more)
        return self.server.request("GET", "%s/file/%d/content" % (self.path, c["file_id"]))

    def upload(self, data):
        boundary = uuid.uuid4().hex
        body = (b"--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"data.bin\"\r\n"
                b"Content-Type: application/octet-stream\r\n\r\n%s\r\n--%s--\r\n"
                % (boundary.encode(), data, boundary.encode()))
        return json.loads(self.server.request("POST", self.path + "/file", body,
                                              "multipart/form-data; boundary=" + boundary))

    def put_file(self, data, path):
        f = self.upload(data)
        self.run("put file", path, file_id=f["id"])
        return f

    def create_process(self, line, output):
        c = self.run("create process", line, wait=True, output_file=output)
        data = self.get_file(output)
        self.run("delete file", output)
        return c, data

    def close(self):
        s = self.server.get(self.path)
        s["status"] = "close"
        return self.server.json("PUT", self.path, s)


class Checks:
    def __init__(self):
        self.failed = 0

    def __call__(self, what, ok, got=""):
        print("%-4s %s %s" % ("ok" if ok else "FAIL", what, "" if ok else "-- got %r" % (got,)), flush=True)
        self.failed += not ok

    def refused(self, what, code, call):
        try:
            got = call()
        except LiveResponseError as e:
            self(what + " is refused: " + str(e), e.code == code, hex(e.code))
        else:
            self(what, False, got)

    def http(self, what, status, prefix, call):
        try:
            got = call()
        except HTTPError as e:
            self(what, e.status == status and e.body.startswith(prefix), (e.status, e.body))
        else:
            self(what, False, got)


def server_checks(check, server, sensor_id):
    info = server.get("/api/info")
    check("info has a version", re.match(r"\d+\.\d+\.\d+", info["version"]) is not None, info["version"])
    check("Live Response is enabled", info["cblrEnabled"] is True)
    if int(info["version"].split(".")[0]) >= 6:
        check("partitions", isinstance(server.get("/api/v1/storage/events/partition"), dict))
    check.http("a wrong token is refused", 401, "", lambda: Server_with(server, "wrong").get("/api/info"))
    sensor = server.get("/api/v1/sensor/%d" % sensor_id)
    check("sensor is an online Windows", (sensor["os_type"], sensor["status"], sensor["supports_cblr"]) == (1, "Online", True), sensor)
    check("numbers as text", all(isinstance(sensor[k], str) for k in ("uptime", "clock_delta", "num_eventlog_bytes")))
    check("date with zone", re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?[+-]\d\d:\d\d$", sensor["last_checkin_time"]) is not None, sensor["last_checkin_time"])
    name = sensor["computer_name"]
    found = server.get("/api/v1/sensor?hostname=" + urllib.parse.quote(name.lower()))
    check("sensor by host name", sensor_id in [s["id"] for s in found], found)
    check("no sensor matches", server.get("/api/v1/sensor?hostname=nobody-has-this") is None)
    page = server.get("/api/v2/sensor?start=0&rows=100&sort.col=computer_name&sort.dir=asc")
    check("page of sensors", page["total_results"] >= 1 and len(page["results"]) >= 1, page)
    count = server.get("/api/v2/sensor?rows=0")
    check("count of sensors", count["results"] == [] and count["total_results"] == page["total_results"], count)
    check.http("an unknown sensor", 404, "Sensor ", lambda: server.get("/api/v1/sensor/99999999"))


def Server_with(server, token):
    other = Server("http://x", token)
    other.host, other.tls = server.host, server.tls
    return other


def isolation_checks(check, server, sensor_id):
    path = "/api/v1/sensor/%d" % sensor_id
    for want in (True, False):
        sensor = server.get(path)
        body = {"group_id": sensor["group_id"], "network_isolation_enabled": want}
        check("isolation %s is taken" % want, server.json("PUT", path, body) is None)
        end, states = time.time() + 120, []
        while time.time() < end:
            sensor = server.get(path)
            state = (sensor["network_isolation_enabled"], sensor["is_isolating"])
            if not states or states[-1] != state:
                states.append(state)
            if state == (want, want):
                break
            time.sleep(0.02)
        check("isolation %s in two steps" % want, states in ([(want, not want), (want, want)], [(want, want)]), states)


def command_checks(check, session):
    info = session.info
    check("fifteen commands", len(info["supported_commands"]) == 15, info["supported_commands"])
    check("drives", "C:\\" in info["drives"], info["drives"])
    check("sensor id is a number", info["sensor_id"] == session.sensor_id and isinstance(info["id"], int))
    temp = "c:\\windows\\temp\\cblr.%s" % uuid.uuid4().hex[:12]
    data = bytes(range(256)) * 8192  # 2 MiB, spooled
    f = session.put_file(data, temp)
    check("upload", f["size"] == len(data) and f["size_uploaded"] == len(data) and f["status"] == 0, f)
    got = session.get_file(temp)
    check("put, then get", hashlib.sha256(got).digest() == hashlib.sha256(data).digest(), len(got))
    check("a part of a file", session.get_file(temp, offset=255, get_count=3) == b"\xff\x00\x01")
    check.refused("put onto a file", 0x80070050, lambda: session.put_file(b"x", temp))
    check.refused("put onto a directory", 0x80070005, lambda: session.put_file(b"x", "c:\\windows\\temp"))
    entries = session.run("directory list", "c:\\windows\\temp\\*")["files"]
    check("directory list", {".", "..", temp.split("\\")[-1]} <= {e["filename"] for e in entries}, entries)
    entry = session.run("directory list", temp)["files"]
    check("one entry", len(entry) == 1 and entry[0]["size"] == len(data) and "ARCHIVE" in entry[0]["attributes"], entry)
    session.run("delete file", temp)
    check.refused("delete a missing file", 0x80070002, lambda: session.run("delete file", temp))
    check.refused("get a missing file", 0x80070002, lambda: session.get_file(temp))
    session.run("create directory", temp)
    check.refused("create it again", 0x800700B7, lambda: session.run("create directory", temp))

    for line, want in (("cmd.exe /c echo hello", b"hello"), ("whoami", b"nt authority\\system"), ("ipconfig /all", b"IPv4 Address")):
        c, out = session.create_process(line, temp + ".out")
        check("output of " + line, want in out.lower() or want in out, out)
        check("exit code and pid of " + line, c["return_code"] == 0 and c["pid"] > 0, c)
    check.refused("an unknown program", 0x80070002, lambda: session.run("create process", "c:\\nosuch.exe", wait=True))
    pid = session.run("create process", "notepad.exe")["pid"]
    processes = {p["pid"]: p for p in session.run("process list")["processes"]}
    check("the new process runs", pid in processes and processes[pid]["parent"] in processes, pid)
    guid = processes[pid]["proc_guid"]
    check("process GUID", re.match(r"%08x-%04x-%04x-[0-9a-f]{4}-[0-9a-f]{12}$" % (session.sensor_id, pid >> 16, pid & 0xFFFF), guid) is not None, guid)
    session.run("kill", pid)
    check("it is killed", pid not in {p["pid"] for p in session.run("process list", "")["processes"]})
    check.refused("kill it again", 0x80070057, lambda: session.run("kill", pid))
    dump = session.run("memdump", temp + ".dmp")
    check("memory dump", dump["complete"] is True and dump["return_code"] == 0, dump)
    session.run("memdump", temp + ".dmp", compress=True)
    check("compressed dump is a .zip", len(session.get_file(temp + ".dmp.zip", get_count=10)) == 10)


def registry_checks(check, session):
    key = "HKLM\\SOFTWARE\\edrsim-%s" % uuid.uuid4().hex[:8]
    session.run("reg create key", key)
    for kind, sent in (("REG_SZ", "text"), ("REG_EXPAND_SZ", "%windir%"), ("REG_MULTI_SZ", ["a", "b"]), ("REG_DWORD", 5), ("REG_QWORD", 2 ** 40), ("REG_BINARY", "00ff")):
        session.run("reg set value", key + "\\v", value_data=sent, value_type=kind, overwrite=True)
        value = session.run("reg query value", key + "\\v")["value"]
        check("registry " + kind, (value["value_name"], value["value_type"], value["value_data"]) == ("v", kind, sent), value)
    check.refused("set without overwrite", 0x800700B7, lambda: session.run("reg set value", key + "\\v", value_data="x", value_type="REG_SZ"))
    session.run("reg create key", key + "\\sub")
    c = session.run("reg enum key", key.replace("HKLM", "HKEY_LOCAL_MACHINE"))
    check("enumerate a key", c["sub_keys"] == ["sub"] and [v["value_name"] for v in c["values"]] == ["v"], c)
    session.run("reg delete key", key + "\\sub")
    session.run("reg delete value", key + "\\v")
    check.refused("a deleted value", 0x80070002, lambda: session.run("reg query value", key + "\\v"))
    session.run("reg delete key", key)
    check.refused("a deleted key", 0x80070002, lambda: session.run("reg enum key", key))
    run = session.run("reg enum key", "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run")
    check("there is something to start with", len(run["values"]) >= 1, run)


def session_checks(check, server, session):
    slow = session.submit("create process", "ping -n 3 127.0.0.1", wait=True)
    queued = session.submit("delete file", "c:\\never-deleted")
    taken = server.json("PUT", "%s/command/%d" % (session.path, queued["id"]), {"id": queued["id"], "status": "cancel"})
    check("cancel while pending", taken["status"].startswith("cancel"), taken)
    check("wait=true blocks", session.finish(slow, wait=True)["return_code"] == 0)
    commands = server.get(session.path + "/command")
    check("commands in order", [c["id"] for c in commands] == list(range(1, len(commands) + 1)))
    check("lists are summaries", not any("processes" in c or "pid" in c for c in commands))
    check("filter by status", all(c["status"] == "error" for c in server.get(session.path + "/command?status=error&count=2")))
    check("keepalive", server.get(session.path + "/keepalive")["status"] == "active")
    check.http("unsupported command", 400, "", lambda: session.submit("rename file", "c:\\x"))
    files = server.get(session.path + "/file")
    last = files[-1]["id"]
    server.json("DELETE", "%s/file/%d" % (session.path, files[0]["id"]))
    server.json("PUT", "%s/file/%d" % (session.path, last), {"id": last, "delete": True})
    left = [f["id"] for f in server.get(session.path + "/file")]
    check("files are deleted from storage", files[0]["id"] not in left and last not in left, left)
    check("storage_size is text", isinstance(server.get(session.path)["storage_size"], str))
    with tarfile.open(fileobj=io.BytesIO(server.request("GET", session.path + "/archive")), mode="r:gz") as tar:
        names = tar.getnames()
    check("archive holds commands and files", any("command" in n for n in names) and any("file" in n for n in names), names)
    closed = session.close()
    check("close", closed["status"] in ("close", "active"), closed)
    check.http("a closed session takes no commands", 404, "Session ", lambda: session.submit("process list"))
    check.http("nor keepalives", 404, "Session ", lambda: server.get(session.path + "/keepalive"))
    again = [s for s in server.get("/api/v1/cblr/session") if s["id"] == session.id]
    check("it stays in the list", len(again) == 1 and again[0]["status"] == "close" and again[0]["close_time"] > 0, again)
    check.http("an unknown session", 404, "Session ", lambda: server.get("/api/v1/cblr/session/99999999"))


def job_checks(check, server):
    """What a job scheduler does: one session for each online sensor, jobs in turn."""
    page = server.get("/api/v2/sensor?start=0&rows=5")
    sensors = [s for s in page["results"] if s["status"] == "Online" and s["supports_cblr"]]

    def work(sensor):
        session = Session(server, sensor["id"])
        try:
            return [len(session.run("process list")["processes"]) for _ in range(3)]
        finally:
            session.close()

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        results = list(pool.map(work, sensors))
    check("jobs on %d sensors" % len(sensors), all(min(r) > 3 for r in results) and results, results)


def banning_checks(check, server):
    md5 = hashlib.md5(uuid.uuid4().bytes).hexdigest()
    base = "/api/v1/banning/blacklist"
    check.http("a hash that is not banned", 404, "", lambda: server.get("%s/%s" % (base, md5)))
    body = {"md5hash": md5, "text": "bad", "last_ban_time": "0", "ban_count": "0", "last_ban_host": "0", "enabled": True}
    check("ban", server.json("POST", base, body)["result"] == "success")
    ban = server.get("%s/%s" % (base, md5))
    check("it is banned", (ban["md5hash"], ban["text"], ban["enabled"]) == (md5, "bad", True), ban)
    check("it is in the list", md5 in [b["md5hash"] for b in server.get(base + "?count=10000")])
    server.json("DELETE", "%s/%s" % (base, md5))
    ban = server.get("%s/%s" % (base, md5))
    check("it is disabled, not gone", ban["enabled"] is False and not ban.get("text"), ban)
    server.json("PUT", "%s/%s" % (base, md5), {"md5hash": md5, "enabled": True, "text": "again"})
    check("it is enabled again", server.get("%s/%s" % (base, md5))["enabled"] is True)


def main():
    server, check = Server(sys.argv[1], sys.argv[2]), Checks()
    sensor_id = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    server_checks(check, server, sensor_id)
    session = Session(server, sensor_id)
    command_checks(check, session)
    registry_checks(check, session)
    isolation_checks(check, server, sensor_id)
    session_checks(check, server, session)
    job_checks(check, server)
    banning_checks(check, server)
    print("%d failed" % check.failed)
    sys.exit(min(check.failed, 100))


if __name__ == "__main__":
    main()
