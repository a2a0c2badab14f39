/**
 * What the configurations endpoint serves. A transaction that changes any of the tables raises the one version
 * number by one, so that a version never has two contents.
 */
export const configuration: ReadonlyArray<string> = [
  `CREATE TABLE configuration_version (
     one boolean PRIMARY KEY DEFAULT true CHECK (one),
     version integer NOT NULL CHECK (version >= 1),
     changed_by xid8
   )`,
  `INSERT INTO configuration_version (version) VALUES (1)`,
  `CREATE TABLE ai_models (
     model_id text PRIMARY KEY CHECK (model_id <> ''),
     provider text NOT NULL CHECK (provider <> ''),
     enabled boolean NOT NULL DEFAULT true
   )`,
  `CREATE TABLE ai_models_rules (
     model_id text PRIMARY KEY REFERENCES ai_models ON DELETE CASCADE,
     rules jsonb NOT NULL CHECK (jsonb_typeof(rules) = 'object')
   )`,
  // Credits per 1,000 tokens.
  `CREATE TABLE ai_models_costs (
     model_id text PRIMARY KEY REFERENCES ai_models ON DELETE CASCADE,
     input numeric(12, 4) NOT NULL CHECK (input >= 0),
     output numeric(12, 4) NOT NULL CHECK (output >= 0)
   )`,
  `CREATE TABLE openai_keys (
     key_id text PRIMARY KEY CHECK (key_id <> ''),
     key text NOT NULL CHECK (key <> '')
   )`,
  `CREATE TABLE rate_limits (
     model_id text PRIMARY KEY REFERENCES ai_models ON DELETE CASCADE,
     requests_per_minute integer NOT NULL CHECK (requests_per_minute >= 0),
     tokens_per_minute integer NOT NULL CHECK (tokens_per_minute >= 0)
   )`,
  `CREATE FUNCTION raise_configuration_version() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     UPDATE configuration_version SET version = version + 1, changed_by = pg_current_xact_id()
     WHERE changed_by IS DISTINCT FROM pg_current_xact_id();
     RETURN NULL;
   END $$`,
  ...["ai_models", "ai_models_rules", "ai_models_costs", "openai_keys", "rate_limits"].map(
    (table) => `CREATE TRIGGER ${table}_raise_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${table}
       FOR EACH STATEMENT EXECUTE FUNCTION raise_configuration_version()`
  ),
  // One statement, hence one snapshot: version and content belong together.
  `CREATE VIEW configuration_bundle AS
     SELECT v.version, json_build_object(
       'version', v.version,
       'openai_keys', (
         SELECT coalesce(json_agg(json_build_object('id', key_id, 'key', key) ORDER BY key_id), '[]') FROM openai_keys
       ),
       'model_configs', (
         SELECT coalesce(json_agg(json_build_object(
           'id', m.model_id, 'provider', m.provider, 'enabled', m.enabled, 'rules', r.rules,
           'costs', json_build_object('input', trim_scale(c.input), 'output', trim_scale(c.output))
         ) ORDER BY m.model_id), '[]')
         FROM ai_models m JOIN ai_models_rules r USING (model_id) JOIN ai_models_costs c USING (model_id)
       ),
       'rate_limits', (
         SELECT coalesce(json_agg(json_build_object(
           'model', model_id, 'requests_per_minute', requests_per_minute, 'tokens_per_minute', tokens_per_minute
         ) ORDER BY model_id), '[]') FROM rate_limits
       )
     )::text AS bundle
     FROM configuration_version v`
]
