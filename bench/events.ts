/** A transcription event of 15 fields and about 600 bytes, as a producer writes it; 10.5 seconds of audio are 58 credits. */
export const eventFields = (n: number, now: number, users = 1_000): Record<string, string> => ({
  event_id: `evt-${n.toString().padStart(10, "0")}`,
  user_id: `user-${n % users}`,
  device_id: `device-${n % 5_000}-a1b2c3d4e5f6`,
  session_id: `session-${n % 20_000}-0f9e8d7c6b5a`,
  started_at: new Date(now - 12_000).toISOString(),
  completed_at: new Date(now - 1_000).toISOString(),
  audio_seconds: "10.5",
  model: "whisper-large-v3",
  metadata: JSON.stringify({
    session_id: `session-${n % 20_000}-0f9e8d7c6b5a`,
    codec: "opus",
    rate: 48_000,
    client: { name: "web", version: "4.12.1", build: "2026-11-02T10:00:00Z" }
  }),
  region: "eu-central-1",
  tenant: "tenant-0042",
  language: "pl-PL",
  trace_hint: "c0ffee00c0ffee00c0ffee00c0ffee00",
  channel: "microphone-array-front-left",
  note: "kept as it came, with everything else that the collector does not know, for whoever reads the job afterwards"
})
