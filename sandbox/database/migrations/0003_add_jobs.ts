/**
 * The whole of `POST /api/jobs/add`: for each request its balance update, job and idempotency record, all in the one
 * transaction of the statement that calls it. Many requests a call, so that one commit and one round trip serve them all.
 *
 * `requests`: a JSON array of request bodies. Gives a row each, numbered from 1 in the array's order, with
 * `outcome` = `created`, `replayed`, `conflict` (the event was added with other content), `unknown_user`,
 * `unknown_model` or `insufficient_balance`. An error (any) undoes the whole call.
 *
 * Users are locked in order, so that two processes that add at once cannot deadlock; the idempotency record is looked
 * up under the user's lock, so that the second of two equal requests sees the first's.
 */
export const addJobs: ReadonlyArray<string> = [
  // Everything but `source`, which names the stream entry: a redriven event comes from a new one.
  `CREATE FUNCTION fingerprint(body jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT
     RETURN encode(sha256(convert_to((body - 'source')::text, 'UTF8')), 'hex')`,
  `CREATE FUNCTION add_jobs(requests jsonb)
   RETURNS TABLE (number integer, outcome text, job_id bigint, credits bigint) LANGUAGE plpgsql AS $$
   #variable_conflict use_column
   DECLARE
     request record;
     known idempotency_records%ROWTYPE;
     costs ai_models_costs%ROWTYPE;
     body jsonb;
     funds bigint;
   BEGIN
     FOR request IN
       SELECT r.body, r.position FROM jsonb_array_elements(requests) WITH ORDINALITY AS r (body, position)
       ORDER BY r.body ->> 'user_id', r.position
     LOOP
       body := request.body;
       number := request.position;
       job_id := NULL;
       credits := NULL;
       SELECT u.balance INTO funds FROM users_credits u WHERE u.user_id = body ->> 'user_id' FOR UPDATE;
       SELECT * INTO known FROM idempotency_records i WHERE i.idempotency_key = body ->> 'event_id';
       IF known.event_id IS NOT NULL THEN
         IF known.fingerprint = fingerprint(body) THEN
           outcome := 'replayed';
           job_id := known.job_id;
           credits := known.credits_deducted;
         ELSE
           outcome := 'conflict';
         END IF;
       ELSIF funds IS NULL THEN
         outcome := 'unknown_user';
       ELSE
         costs := NULL;
         IF body ->> 'event_type' = 'transcribe' THEN
           credits := credits_for_audio((body ->> 'audio_seconds')::double precision);
         ELSE
           SELECT c.* INTO costs FROM ai_models_costs c WHERE c.model_id = body ->> 'model';
           credits := credits_for_tokens(
             (body ->> 'prompt_tokens')::bigint, (body ->> 'completion_tokens')::bigint, costs.input, costs.output);
         END IF;
         IF credits IS NULL THEN
           outcome := 'unknown_model';
         ELSIF funds < credits THEN
           outcome := 'insufficient_balance';
         ELSE
           INSERT INTO jobs (
             event_id, event_type, user_id, device_id, session_id, started_at, completed_at, model, audio_seconds,
             prompt_tokens, completion_tokens, input_cost, output_cost, credits, body
           ) VALUES (
             body ->> 'event_id', body ->> 'event_type', body ->> 'user_id', body ->> 'device_id', body ->> 'session_id',
             (body ->> 'started_at')::timestamptz, (body ->> 'completed_at')::timestamptz, body ->> 'model',
             (body ->> 'audio_seconds')::double precision, (body ->> 'prompt_tokens')::bigint,
             (body ->> 'completion_tokens')::bigint, costs.input, costs.output, credits, body
           ) RETURNING job_id INTO job_id;
           INSERT INTO idempotency_records (idempotency_key, event_id, fingerprint, job_id, credits_deducted)
           VALUES (body ->> 'event_id', body ->> 'event_id', fingerprint(body), job_id, credits);
           outcome := 'created';
         END IF;
       END IF;
       RETURN NEXT;
     END LOOP;
   END $$`
]
