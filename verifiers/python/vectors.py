"""Runs the published vectors: python3 vectors.py ../../vectors. Prints how many; fails on the first that differs."""

import base64
import json
import pathlib
import sys

from job_collector_verifier import Verifier, _Key, is_strict_signature, key_id, may_be_trusted

folder = pathlib.Path(sys.argv[1])
read = lambda name: json.loads((folder / name).read_text(encoding="utf-8"))

requests = read("requests.json")
services = {id: [bytes.fromhex(key) for key in keys] for id, keys in requests["services"].items()}
for vector in requests["vectors"]:
    verifier = Verifier(services, vector.get("replay_guard"))
    for step in vector["steps"]:
        body = base64.b64decode(step["body_base64"])
        reason, problem = verifier.verify(step["method"], step["headers"], body, step["now_ms"])
        assert reason == step["expected"], (vector["id"], reason, problem)

keys = read("keys.json")
for key in keys["taken"]:
    assert may_be_trusted(bytes.fromhex(key["key"])) and key_id(bytes.fromhex(key["key"])) == key["key_id"]
for key in keys["refused"]:
    assert not may_be_trusted(bytes.fromhex(key["key"])), key["why"]

signatures = read("ed25519.json")["vectors"]
for case in signatures:
    key, message, signature = (bytes.fromhex(case[name]) for name in ("key", "message", "signature"))
    ok = may_be_trusted(key) and is_strict_signature(signature) and _Key(key).verifies(message, signature)
    assert ok == case["ok"], case["id"]

print(f"{len(requests['vectors'])} requests, {len(keys['taken']) + len(keys['refused'])} keys, {len(signatures)} signatures")
