"""Verifies job-collector's requests (docs/verifying.md). Needs the package `cryptography`.

    verifier = Verifier({"job-collector": [bytes.fromhex("d75a98…")]}, replay_capacity=100_000)
    reason, problem = verifier.verify(method, headers, body)   # reason is "ok" or why to answer 401

`headers` is a mapping by lower-case name; `body` the exact bytes, before any parsing.
"""

import base64
import hashlib
import re
import threading
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_DRIFT_MS = 300_000
SERVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEY_ID = re.compile(r"[0-9a-f]{16}")
TIMESTAMP = re.compile(r"0|[1-9][0-9]{0,15}")
# 64 bytes are 85 full characters and one that carries two bits: any other spells the same bytes twice.
SIGNATURE = re.compile(r"[A-Za-z0-9+/]{85}[AQgw]==")

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER_Y = {1, P - 1, 0, Y8, P - Y8}


def _is_strict_point(encoded: bytes) -> bool:
    """Canonical and not of small order; the points with a sign on x = 0 are of small order too."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y < P and y not in SMALL_ORDER_Y


def is_strict_signature(signature: bytes) -> bool:
    return (
        len(signature) == 64
        and int.from_bytes(signature[32:], "little") < L
        and _is_strict_point(signature[:32])
    )


def may_be_trusted(public_key: bytes) -> bool:
    if len(public_key) != 32 or not _is_strict_point(public_key):
        return False
    y2 = pow(int.from_bytes(public_key, "little") & (2**255 - 1), 2, P)
    # On the curve: (y² − 1) / (d·y² + 1) is a square.
    return pow((y2 - 1) * (D * y2 + 1) % P, (P - 1) // 2, P) == 1


def key_id(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:16]


class _Key:
    def __init__(self, public_key: bytes) -> None:
        if not may_be_trusted(public_key):
            raise ValueError("this public key must not be trusted")
        self.id = key_id(public_key)
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        try:
            self._key.verify(signature, message)
            return True
        except InvalidSignature:
            return False


class _ReplayGuard:
    """Remembers one service's requests, a set for each second, until they have drifted anyway."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seconds: dict[int, set[bytes]] = {}
        self._forgotten = -1  # the latest timestamp forgotten: a clock set back makes it fresh again
        self._lock = threading.Lock()

    def admit(self, timestamp: int, signature: bytes, now_ms: int) -> str:
        with self._lock:
            for second in [s for s in self._seconds if now_ms - s * 1000 >= MAX_DRIFT_MS]:
                del self._seconds[second]
                self._forgotten = max(self._forgotten, second)
            if timestamp <= self._forgotten or signature in self._seconds.get(timestamp, ()):
                return "Replay"
            if sum(map(len, self._seconds.values())) >= self._capacity:
                return "ReplayGuardFull"
            self._seconds.setdefault(timestamp, set()).add(signature)
            return "ok"


class Verifier:
    def __init__(self, services: dict[str, list[bytes]], replay_capacity: int | None = None) -> None:
        for service_id, keys in services.items():
            if not SERVICE_ID.fullmatch(service_id) or not keys:
                raise ValueError("a service needs an id of [A-Za-z0-9_-]{1,64} and a public key")
        self._keys = {service_id: [_Key(key) for key in keys] for service_id, keys in services.items()}
        share = max(1, (replay_capacity or 0) // max(1, len(services)))
        self._guards = {} if replay_capacity is None else {id: _ReplayGuard(share) for id in services}

    def verify(self, method: str, headers, body: bytes, now_ms: int | None = None) -> tuple[str, str]:
        """Returns ("ok", key id), or the reason and what is wrong; both are safe to log."""
        now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        authorization, service_id = headers.get("authorization"), headers.get("x-service-id")
        named = headers.get("x-key-id")
        if authorization is None or service_id is None:
            return "MissingHeader", "Authorization and X-Service-Id must be there"
        if not all(isinstance(value, str) for value in (authorization, service_id, named or "")):
            return "MalformedHeader", "a header must be one text"
        scheme, _, rest = authorization.partition(" ")
        digits, _, text = rest.partition(":")
        if scheme != "Ed25519" or not TIMESTAMP.fullmatch(digits) or int(digits) > 2**53 - 1:
            return "MalformedHeader", "Authorization must be `Ed25519 {Unix seconds}:{signature}`"
        if not SIGNATURE.fullmatch(text):
            return "MalformedHeader", "the signature must be 64 bytes in standard base64 with padding"
        if not SERVICE_ID.fullmatch(service_id):
            return "MalformedHeader", "X-Service-Id must match [A-Za-z0-9_-]{1,64}"
        if named is not None and not KEY_ID.fullmatch(named):
            return "MalformedHeader", "X-Key-Id must be 16 lower-case hex digits"
        if service_id not in self._keys:
            return "UnknownService", "no key is trusted for this service id"
        keys = [key for key in self._keys[service_id] if named in (None, key.id)]
        if not keys:
            return "UnknownKey", "the key that the request names is not trusted for this service id"
        timestamp = int(digits)
        if abs(now_ms - timestamp * 1000) >= MAX_DRIFT_MS:
            return "Drift", "the timestamp is 5 minutes or more away"
        signature = base64.b64decode(text)
        message = f"v1\n{timestamp}\n{hashlib.sha256(body).hexdigest()}\n{service_id}".encode()
        signer = next((key for key in keys if is_strict_signature(signature) and key.verifies(message, signature)), None)
        if signer is None:
            return "WrongSignature", "no key that is trusted for this service made this signature"
        if service_id in self._guards and not (method.upper() in ("GET", "HEAD") and not body):
            answer = self._guards[service_id].admit(timestamp, signature, now_ms)
            if answer != "ok":
                return answer, "taken before, or the guard is full"
        return "ok", signer.id
