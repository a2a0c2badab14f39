/** Entries as the Models Gateway writes them, for tests. */

/** A valid transcribe event's flat fields. */
export const transcribeFields = (id: string, now: number, more: Record<string, string> = {}): Array<string> =>
  Object.entries({
    event_id: id,
    user_id: "user-1",
    device_id: "device-1",
    session_id: "session-1",
    started_at: new Date(now - 10_000).toISOString(),
    completed_at: new Date(now).toISOString(),
    audio_seconds: "10.5",
    model: "whisper-1",
    metadata: '{"session_id":"session-1","language":"en"}',
    ...more
  }).flat()

/** A valid process event's flat fields. */
export const processFields = (id: string, now: number, more: Record<string, string> = {}): Array<string> =>
  Object.entries({
    event_id: id,
    user_id: "user-1",
    device_id: "device-1",
    session_id: "session-1",
    started_at: `${now - 10_000}`,
    completed_at: `${now}`,
    model: "gpt-4o",
    result: '{"summary":"fine"}',
    prompt_tokens: "100",
    completion_tokens: "20",
    total_tokens: "120",
    ...more
  }).flat()

/** Flat fields as an object. */
export const objectOf = (fields: ReadonlyArray<string>): Record<string, string> =>
  Object.fromEntries(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? ""]] : [])))
