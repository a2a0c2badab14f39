"""A producer: adds one event of each kind, as flat fields.

    pip install redis
    REDIS_URL=redis://... python3 producer.py

Check what your own producer writes with `job-collector lint`.
"""

import hashlib
import json
import os
import secrets
import uuid
from datetime import datetime, timedelta, timezone

import redis

STREAM_TRANSCRIBE = os.environ.get("STREAM_TRANSCRIBE", "modelsgateway:events:transcribe")
STREAM_PROCESS = os.environ.get("STREAM_PROCESS", "modelsgateway:events:process")


def traceparent() -> str:
    """W3C trace context. With OpenTelemetry: what `propagate.inject` puts into its carrier."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def common(started_at: datetime, session_id: str) -> dict:
    """What both kinds have. The id is made once an event: an event that is added again, after an error, keeps it."""
    metadata = json.dumps({"session_id": session_id, "language": "en"})
    return {
        "event_id": str(uuid.uuid4()),
        "user_id": "user-1",
        "device_id": "device-1",
        "session_id": session_id,
        "started_at": started_at.isoformat(),
        "completed_at": datetime.now(timezone.utc).isoformat(),
        "metadata": metadata,
        # Over the very text that is added: optional, and noticed if it is damaged on the way.
        "metadata_sha256": hashlib.sha256(metadata.encode()).hexdigest(),
        "traceparent": traceparent(),
    }


def main() -> None:
    client = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))
    started_at = datetime.now(timezone.utc) - timedelta(seconds=10.5)
    # Without maxlen: it would drop events that were not read yet. The collector trims, by SOURCE_RETENTION.
    client.xadd(STREAM_TRANSCRIBE, {**common(started_at, "session-1"), "audio_seconds": 10.5, "model": "whisper-1"})
    client.xadd(
        STREAM_PROCESS,
        {
            **common(started_at, "session-2"),
            "model": "gpt-4o",
            "result": json.dumps({"summary": "all is well"}),
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
        },
    )


if __name__ == "__main__":
    main()
