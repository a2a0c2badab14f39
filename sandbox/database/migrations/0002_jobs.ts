/**
 * Users, jobs and what they cost. A double charge cannot be stored: an event has one job (UNIQUE), a job has the credits
 * that its own figures give (CHECK), a balance goes down by the insert of a job and by nothing else here (trigger), and
 * never below zero (CHECK).
 */
export const jobs: ReadonlyArray<string> = [
  // The arithmetic of IEEE doubles, as any API in JavaScript, Python or Go would do it.
  `CREATE FUNCTION credits_for_audio(seconds double precision) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT
     RETURN greatest(1, floor(seconds * 5.555556::double precision + 0.5::double precision))::bigint`,
  // Costs are credits per 1,000 tokens; half a credit counts as one.
  `CREATE FUNCTION credits_for_tokens(prompt bigint, completion bigint, input numeric, output numeric)
     RETURNS bigint LANGUAGE sql IMMUTABLE STRICT
     RETURN greatest(1, floor((prompt * input + completion * output) / 1000 + 0.5))::bigint`,
  `CREATE TABLE users_credits (
     user_id text PRIMARY KEY CHECK (length(user_id) BETWEEN 1 AND 128),
     granted bigint NOT NULL CHECK (granted >= 0),
     balance bigint NOT NULL CHECK (balance BETWEEN 0 AND granted)
   )`,
  `CREATE TABLE jobs (
     job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     event_id text NOT NULL UNIQUE CHECK (event_id ~ '^[!-~]{1,128}$'),
     event_type text NOT NULL CHECK (event_type IN ('transcribe', 'process')),
     user_id text NOT NULL REFERENCES users_credits,
     device_id text NOT NULL,
     session_id text NOT NULL,
     started_at timestamptz NOT NULL,
     completed_at timestamptz NOT NULL CHECK (started_at <= completed_at),
     model text,
     audio_seconds double precision CHECK (audio_seconds BETWEEN 0 AND 86400),
     prompt_tokens bigint CHECK (prompt_tokens >= 0),
     completion_tokens bigint CHECK (completion_tokens >= 0),
     input_cost numeric(12, 4),
     output_cost numeric(12, 4),
     credits bigint NOT NULL,
     body jsonb NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT credits_as_computed CHECK (CASE event_type
       WHEN 'transcribe' THEN credits = credits_for_audio(audio_seconds) IS TRUE
       ELSE credits = credits_for_tokens(prompt_tokens, completion_tokens, input_cost, output_cost) IS TRUE
     END)
   )`,
  `CREATE INDEX jobs_by_user ON jobs (user_id, job_id)`,
  // What was answered to an event, so that the same request again is answered the same.
  `CREATE TABLE idempotency_records (
     idempotency_key text PRIMARY KEY,
     event_id text NOT NULL UNIQUE REFERENCES jobs (event_id),
     fingerprint text NOT NULL,
     job_id bigint NOT NULL UNIQUE REFERENCES jobs,
     credits_deducted bigint NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT key_is_the_event CHECK (idempotency_key = event_id)
   )`,
  `CREATE FUNCTION charge_job() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     UPDATE users_credits SET balance = balance - NEW.credits WHERE user_id = NEW.user_id;
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER jobs_charge AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION charge_job()`,
  `CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     RAISE EXCEPTION '% rows are never changed or removed', TG_TABLE_NAME;
   END $$`,
  ...["jobs", "idempotency_records"].map(
    (table) => `CREATE TRIGGER ${table}_immutable BEFORE UPDATE OR DELETE ON ${table}
       FOR EACH ROW EXECUTE FUNCTION refuse_change()`
  )
]
