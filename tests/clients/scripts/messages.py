"""Records a session as it is on the pipes, and holds every message against the types of its revision.

Arguments: the revision, and what to do as JSON.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time

from mcp_types import jsonrpc, methods

INITIALIZE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
PATIENCE = 120


class Session:
    def __init__(self, revision, task):
        self.revision = revision
        self.sent = {}
        self.recorded = []
        self.lines = queue.Queue()
        environment = {**os.environ, **task["env"]}
        self.server = subprocess.Popen(
            [task["server"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=task["cwd"]
        )
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.server.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def write(self, message):
        self.recorded.append(("client", message))
        self.server.stdin.write(json.dumps(message).encode() + b"\n")
        self.server.stdin.flush()

    def notify(self, method, params=None):
        params = {} if params is None else {"params": params}
        self.write({"jsonrpc": "2.0", "method": method, **params})

    def send(self, method, params=None, token=None):
        number = len(self.sent) + 1
        params, meta = dict(params or {}), {}
        if self.revision not in INITIALIZE:
            prefix = "io.modelcontextprotocol/"
            meta = {
                prefix + "protocolVersion": self.revision,
                prefix + "clientInfo": {"name": "messages", "version": "0"},
                prefix + "clientCapabilities": {},
            }
        if token is not None:
            meta["progressToken"] = token
        if meta:
            params["_meta"] = meta
        self.sent[number] = method
        self.write({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def receive(self):
        line = self.lines.get(timeout=PATIENCE)
        if line is None:
            return None
        message = json.loads(line)
        self.recorded.append(("server", message))
        return message

    def request(self, method, params=None, token=None):
        number = self.send(method, params, token)
        while (message := self.receive()) is not None:
            if message.get("id") == number:
                return message
        raise EOFError(f"the server ended before it answered {method}")

    def call(self, tool, arguments, token=None):
        return self.request("tools/call", {"name": tool, "arguments": arguments}, token)

    def close(self):
        self.server.stdin.close()
        while self.receive() is not None:
            pass
        return self.server.wait(PATIENCE)


def converse(session, task):
    """One of everything that the server answers, failures included."""
    if session.revision in INITIALIZE:
        client = {"name": "messages", "version": "0"}
        hello = {"protocolVersion": session.revision, "capabilities": {}, "clientInfo": client}
        capabilities = session.request("initialize", hello)["result"]["capabilities"]
        session.notify("notifications/initialized")
        session.request("ping")
    else:
        capabilities = session.request("server/discover")["result"]["capabilities"]
    session.request("tools/list")
    session.request("tools/list", {"cursor": "unknown"})
    answer = session.call("profile_code", task["short"], token="first")
    profile_id = answer["result"]["structuredContent"]["profile_id"]
    for tool in task["questions"]:
        session.call(tool, {"profile_id": profile_id})
    session.call("list_profiles", {})
    session.call("get_file_details", {"profile_id": "unknown"})
    session.call("no_such_tool", {})
    for method in ("resources/list", "resources/templates/list"):
        session.request(method)
    for uri in (f"profile://{profile_id}", f"profile://{profile_id}/output", "profile://unknown"):
        session.request("resources/read", {"uri": uri})
    if "prompts" in capabilities:
        for prompt in session.request("prompts/list")["result"]["prompts"]:
            # Those about one program take it as a path or as a profile, so that neither is required.
            names = [one["name"] for one in prompt["arguments"] if one.get("required") or one["name"] == "profile_id"]
            values = {name: task["prompt_values"].get(name, profile_id) for name in names}
            session.request("prompts/get", {"name": prompt["name"], "arguments": values})
    session.request("no/such/method")
    number = session.send("tools/call", {"name": "profile_code", "arguments": task["endless"]}, token="second")
    end = time.monotonic() + PATIENCE
    while not os.path.exists(task["ready"]):
        if time.monotonic() > end:
            raise TimeoutError("never: the program runs")
        time.sleep(0.05)
    session.notify("notifications/cancelled", {"requestId": number})
    session.call("list_profiles", {})
    return session.close()


def check(session, side, message):
    """Raises if a message is not what its revision has."""
    method, params, revision = message.get("method"), message.get("params"), session.revision
    if method == "no/such/method":
        return
    if side == "client" and "id" in message:
        jsonrpc.JSONRPCRequest.model_validate(message)
        methods.parse_client_request(method, revision, params)
    elif side == "client":
        jsonrpc.JSONRPCNotification.model_validate(message)
        methods.parse_client_notification(method, revision, params)
    elif "error" in message:
        jsonrpc.JSONRPCError.model_validate(message)
    elif "result" in message:
        jsonrpc.JSONRPCResponse.model_validate(message)
        methods.parse_server_result(session.sent[message["id"]], revision, message["result"])
    else:
        jsonrpc.JSONRPCNotification.model_validate(message)
        methods.parse_server_notification(method, revision, params)


def main(revision, task):
    session = Session(revision, task)
    exit_code = converse(session, task)
    wrong, counts = [], {"results": 0, "errors": 0, "notifications": 0}
    for side, message in session.recorded:
        if side == "server":
            kinds = {"result": "results", "error": "errors"}
            counts[next((kinds[key] for key in kinds if key in message), "notifications")] += 1
        try:
            check(session, side, message)
        except Exception as error:
            wrong.append(f"{side}: {json.dumps(message)[:300]}: {type(error).__name__}: {error}")
    report = {"protocol": revision, "exit_code": exit_code, "wrong": wrong, **counts}
    print(json.dumps({**report, "errors_seen": errors(session)}))


def errors(session):
    """What each refused request was refused with."""
    answers = [message for side, message in session.recorded if side == "server" and "error" in message]
    return [[session.sent.get(answer.get("id")), answer["error"]["code"]] for answer in answers]


main(sys.argv[1], json.loads(sys.argv[2]))
