/**
 * The project's Lua scripts, sent as `EVAL` through the `Redis` service. A script is atomic in Redis, which is what
 * makes a move one step and an owner check trustworthy. Every script's first comment is its name: the memory engine finds
 * its twin by it, and the contract suite holds the twin to the Lua.
 *
 * Each script touches keys of one hash slot only: those given as KEYS.
 *
 * A script does not roll back: what it wrote before a command that Redis refuses stays written. So a script that writes
 * more than once asks first whether the user may run each of its commands (`redis.acl_check_cmd`, Redis 7.0) and whether
 * each key is of the right type, and changes nothing where one would be refused. (Redis checks its memory limit only
 * before a script's first write.)
 */
export interface Script {
  readonly name: string
  readonly lua: string
}

const names = new Map<string, string>()

/** `denied(command, key, …)`: the error to answer with where the user may not run a command on a key, else nil. */
const deniedFunction = `
local function denied(...)
  if redis.acl_check_cmd(...) then return nil end
  local command, key = ...
  return {err = "NOPERM this user has no permissions to run the '" .. string.lower(command) .. "' command on '" .. key .. "'"}
end
`.trim()

/** `halves(id)` and `less(a, b)`: ids compared as text, since Lua's numbers are doubles, which hold no id part beyond 2^53 exactly. */
const lessFunction = `
local function halves(id)
  local ms, seq = string.match(id, '^(%d+)%-(%d+)$')
  return ms or id, seq or '0'
end
local function smaller(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end
local function less(a, b)
  local am, as = halves(a)
  local bm, bs = halves(b)
  if am ~= bm then return smaller(am, bm) end
  return smaller(as, bs)
end
`.trim()

const script = (name: string, body: string, flags?: "allow-oom"): Script => {
  const prelude =
    (body.includes("denied(") ? `${deniedFunction}\n` : "") + (body.includes("less(") ? `${lessFunction}\n` : "")
  const shebang = flags === undefined ? "" : `#!lua flags=${flags}\n`
  const lua = `${shebang}-- job-collector:${name}\n${prelude}${body.trim()}\n`
  names.set(lua, name)
  return { name, lua }
}

/** The name on a script's first line, if it is one of this project's. */
export const scriptName = (lua: string): string | undefined =>
  names.get(lua) ?? /^(?:#![^\n]*\n)?-- job-collector:([a-z-]+)\n/.exec(lua)?.[1]

/**
 * Moves an entry to another stream, only while this consumer owns it: XADD, then XACK, then XDEL (if asked). Where any of
 * them is refused nothing has changed.
 *
 * KEYS: from, to. ARGV: group, consumer, id, "1" to delete the old entry else "0", then the new entry's fields.
 * Returns 1, or 0 if the entry is not pending for this consumer.
 */
export const move = script(
  "move",
  `
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 0 end
local no = denied('XADD', KEYS[2], '*', 'f', 'v') or denied('XACK', KEYS[1], ARGV[1], ARGV[3])
if not no and ARGV[4] == '1' then no = denied('XDEL', KEYS[1], ARGV[3]) end
if no then return no end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 5))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
if ARGV[4] == '1' then redis.call('XDEL', KEYS[1], ARGV[3]) end
return 1
`
)

/**
 * Ends entries whoever owns them: XACK and XDEL of each id.
 *
 * KEYS: stream. ARGV: group, ids. Returns how many were still pending.
 */
export const finish = script(
  "finish",
  `
local no = denied('XACK', KEYS[1], ARGV[1], ARGV[2]) or denied('XDEL', KEYS[1], ARGV[2])
if no then return no end
local n = redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
return n
`
)

/**
 * Acknowledges entries whoever owns them and keeps the outcomes of their events for a while. Where any of its commands is
 * refused nothing has changed.
 *
 * KEYS: stream, the key of each entry's outcome. ARGV: group, "1" to delete the entries else "0", how long outcomes are
 * kept in ms, then pairs of id and outcome. Returns how many were still pending.
 */
export const conclude = script(
  "conclude",
  `
local no = denied('SET', KEYS[2], 'v', 'PX', ARGV[3]) or denied('XACK', KEYS[1], ARGV[1], ARGV[4])
if not no and ARGV[2] == '1' then no = denied('XDEL', KEYS[1], ARGV[4]) end
if no then return no end
redis.call('XRANGE', KEYS[1], '0-0', '0-0')
local ids = {}
for i = 2, #KEYS do
  redis.call('SET', KEYS[i], ARGV[2 * i + 1], 'PX', ARGV[3])
  ids[i - 1] = ARGV[2 * i]
end
local n = redis.call('XACK', KEYS[1], ARGV[1], unpack(ids))
if ARGV[2] == '1' then redis.call('XDEL', KEYS[1], unpack(ids)) end
return n
`
)

/**
 * Keep-alive: sets the idle time of entries back to 0, only of those this consumer owns. The delivery count stays.
 *
 * KEYS: stream. ARGV: group, consumer, ids. Returns two lists: ids this consumer does not own (any more), and ids whose
 * entry was deleted from the stream while it was pending (Redis drops them from the pending entries then).
 */
export const renew = script(
  "renew",
  `
local lost, deleted = {}, {}
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) == 0 then
    lost[#lost + 1] = ARGV[i]
  elseif #redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID') == 0 then
    deleted[#deleted + 1] = ARGV[i]
  end
end
return {lost, deleted}
`
)

/**
 * Makes entries pending for this consumer again after their group was lost and created anew: those that still stand in
 * the stream and that no consumer has been given meanwhile.
 *
 * KEYS: stream. ARGV: group, consumer, then pairs of id and delivery count. Returns the ids the stream no longer has.
 */
export const adopt = script(
  "adopt",
  `
local gone = {}
for i = 3, #ARGV, 2 do
  if #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) == 0 then
    gone[#gone + 1] = ARGV[i]
  elseif #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1) == 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'RETRYCOUNT', ARGV[i + 1], 'FORCE', 'JUSTID')
  end
end
return gone
`
)

/**
 * Takes an owned entry up for work: its delivery count and its fields. The hand-out is named by its number, so that a
 * call whose answer was lost counts it once however often it is sent.
 *
 * KEYS: stream. ARGV: group, consumer, id, the number of this hand-out or "0" to leave the count as it is.
 * Returns an empty list if this consumer does not own the entry; {count} if it was deleted from the stream; else
 * {count, fields}. The idle time starts again at 0.
 */
export const take = script(
  "take",
  `
local p = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #p == 0 then return {} end
local count = math.max(p[1][4], tonumber(ARGV[4]))
local entry = redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'RETRYCOUNT', count, 'JUSTID')
if #entry == 0 then return {count} end
return {count, entry[1][2]}
`
)

/**
 * Gives owned entries up so that another consumer can take them at once, with the delivery counts given.
 *
 * KEYS: stream. ARGV: group, consumer, idle time in ms, then pairs of id and delivery count. Returns how many it owned.
 */
export const release = script(
  "release",
  `
local n = 0
for i = 4, #ARGV, 2 do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
    n = n + 1
  end
end
return n
`
)

/**
 * Renews a lease held under a token, taking it anew where it has lapsed. It may do so in a Redis that is past its memory
 * limit: a few bytes, without which nothing could be acknowledged, and nothing would ever leave that memory.
 *
 * KEYS: lease. ARGV: token, time to live in ms. Returns 1, or 0 if another token holds it.
 */
export const lease = script(
  "lease",
  `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
  "allow-oom"
)

/** Gives a lease up. KEYS: lease. ARGV: token. Returns 1, or 0 if the token does not hold it. */
export const unlease = script(
  "unlease",
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
`
)

/**
 * Removes a consumer that has no pending entries and has been idle for a while. (`XGROUP DELCONSUMER` alone would
 * destroy pending entries.)
 *
 * KEYS: stream. ARGV: group, consumer, least idle time in ms. Returns 1, or 0 if it was left alone.
 */
export const retire = script(
  "retire",
  `
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local c = {}
  for i = 1, #flat, 2 do c[flat[i]] = flat[i + 1] end
  if c['name'] == ARGV[2] and c['pending'] == 0 and c['idle'] >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return 1
  end
end
return 0
`
)

/**
 * Puts an abandoned event back at the end of its origin stream, remembers that a replay put it there, and removes the
 * abandoned entry. Where any of these is refused nothing has changed.
 *
 * KEYS: abandoned, origin, set of replayed ids. ARGV: id of the abandoned entry, seconds the set is kept, then the
 * event's fields. Returns the new entry's id, or nil if the abandoned entry is gone.
 */
export const replay = script(
  "replay",
  `
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return false end
local no = denied('XADD', KEYS[2], '*', 'f', 'v') or denied('SADD', KEYS[3], ARGV[1])
  or denied('EXPIRE', KEYS[3], ARGV[2]) or denied('XDEL', KEYS[1], ARGV[1])
if no then return no end
redis.call('SISMEMBER', KEYS[3], ARGV[1])
local id = redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
redis.call('SADD', KEYS[3], id)
redis.call('EXPIRE', KEYS[3], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[1])
return id
`
)

/**
 * The first half of {@link replay}, for an abandoned stream in another slot: the event is remembered as replayed before
 * anybody can read it.
 *
 * KEYS: origin, set of replayed ids. ARGV: seconds the set is kept, then the event's fields. Returns the new entry's id.
 */
export const putBack = script(
  "put-back",
  `
local no = denied('XADD', KEYS[1], '*', 'f', 'v') or denied('SADD', KEYS[2], ARGV[1]) or denied('EXPIRE', KEYS[2], ARGV[1])
if no then return no end
redis.call('SISMEMBER', KEYS[2], ARGV[1])
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
redis.call('SADD', KEYS[2], id)
redis.call('EXPIRE', KEYS[2], ARGV[1])
return id
`
)

/**
 * Takes an entry out of the DLQ, whoever holds it, and puts new fields at the DLQ's end where there are any. That is done only
 * to an entry that nobody may be working on: one that was not read yet, or is held and not due for a while. (Who holds it
 * asks for its fields when it is due, and learns then that it is no longer there.) Where any command is refused nothing has
 * changed.
 *
 * KEYS: DLQ. ARGV: group, id; for a new copy also until when it may be made (Unix milliseconds, by Redis's clock), its fields.
 * Returns `done`; or `gone`, `settled` (acknowledged: its event has gone on) or `due`, and nothing has changed.
 */
export const withdraw = script(
  "withdraw",
  `
local group, id = ARGV[1], ARGV[2]
if #redis.call('XRANGE', KEYS[1], id, id) == 0 then return 'gone' end
local no = denied('XACK', KEYS[1], group, id) or denied('XDEL', KEYS[1], id)
if not no and #ARGV > 3 then no = denied('XADD', KEYS[1], '*', 'f', 'v') end
if no then return no end
if #ARGV > 3 then
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local g = {}
    for i = 1, #flat, 2 do g[flat[i]] = flat[i + 1] end
    if g['name'] == group and not less(g['last-delivered-id'], id)
      and #redis.call('XPENDING', KEYS[1], group, id, id, 1) == 0 then return 'settled' end
  end
  local time = redis.call('TIME')
  if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[3]) then return 'due' end
  redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4))
end
redis.call('XACK', KEYS[1], group, id)
redis.call('XDEL', KEYS[1], id)
return 'done'
`
)

/**
 * Trims a stream to what some group still needs: entries below every group's oldest pending entry and not past any
 * group's last-delivered id, and (if given) below a floor id. Ids are compared as text and counted on by hand: Lua's
 * numbers are doubles, which hold no id part beyond 2^53 exactly.
 *
 * KEYS: stream. ARGV: floor id or "". Returns how many entries were removed.
 */
export const trim = script(
  "trim",
  `
local function plusOne(digits)
  local head, last, nines = string.match(digits, '^(%d-)([0-8]?)(9*)$')
  if last == '' then return '1' .. string.rep('0', #nines) end
  return head .. tostring(tonumber(last) + 1) .. string.rep('0', #nines)
end
local function after(id)
  local ms, seq = halves(id)
  if seq ~= '18446744073709551615' then return ms .. '-' .. plusOne(seq) end
  if ms ~= seq then return plusOne(ms) .. '-0' end
  return id
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local least = nil
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local g = {}
  for i = 1, #flat, 2 do g[flat[i]] = flat[i + 1] end
  local pending = redis.call('XPENDING', KEYS[1], g['name'])
  local need
  if pending[1] > 0 then
    need = pending[2]
  else
    need = after(g['last-delivered-id'])
  end
  if not least or less(need, least) then least = need end
end
if not least then return 0 end
if ARGV[1] ~= '' and less(ARGV[1], least) then least = ARGV[1] end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', least)
`
)

/**
 * Which commands the user may not run, without running any.
 *
 * No KEYS: no key is touched. ARGV: for each command the number of its words, then the words. Returns the positions, from
 * 0, of those that would be refused.
 */
export const permissions = script(
  "permissions",
  `
local denied, at, n = {}, 1, 0
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  if not redis.acl_check_cmd(unpack(ARGV, at + 1, last)) then denied[#denied + 1] = n end
  at, n = last + 1, n + 1
end
return denied
`
)

/**
 * Changes a text that others may change as well, only while it is as it was read. It may do so in a Redis that is past its
 * memory limit: that may be what an operator pauses deliveries for.
 *
 * KEYS: the text's key. ARGV: what was read, "" for no such key; the new text. Returns 1, or 0 if it is another by now.
 */
export const swap = script(
  "swap",
  `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`,
  "allow-oom"
)

/**
 * Takes tokens that a group's deliveries share, in advance where none are left: who takes them then waits until they have
 * come in, so that no replica asks twice for the same, and those that ask come one after the other. The time is that of Redis, the
 * one clock that all replicas share; set back, it adds nothing for a moment, set forward no more than a full bucket. It
 * may do so in a Redis that is past its memory limit, as {@link lease} may.
 *
 * KEYS: bucket. ARGV: how many tokens, microseconds from one to the next, how many there are at most. Returns in how many
 * microseconds the last of them has come in. (The bucket holds millionths of a token and the time in microseconds.)
 */
export const reserve = script(
  "reserve",
  `
local time = redis.call('TIME')
local level, at = string.match(redis.call('GET', KEYS[1]) or '', '^(-?%d+) (%d+)$')
local now, most = time[1] * 1000000 + time[2], ARGV[3] * 1000000
if level then
  level = math.min(most, tonumber(level) + math.floor(math.max(0, now - at) * 1000000 / ARGV[2]))
else
  level = most
end
level = level - ARGV[1] * 1000000
local full = math.ceil((most - level) * ARGV[2] / 1000000000) + 1000
redis.call('SET', KEYS[1], string.format('%.0f %.0f', level, now), 'PX', string.format('%.0f', full))
return math.max(0, math.ceil(-level * ARGV[2] / 1000000))
`,
  "allow-oom"
)

/**
 * Leaves a replica's figures for a while, notes among the replicas of its group until when they stand (forgetting those whose
 * time is up), and adds what it counted to the counts of an hour. Small and bounded, so it may do so in a Redis that is past
 * its memory limit: that is when an operator looks.
 *
 * KEYS: figures, replicas, counts. ARGV: the replica's name, for how many milliseconds the figures stand, the figures, for how
 * many the counts do, then a field and what to add to it, for each.
 */
export const report = script(
  "report",
  `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HGETALL', KEYS[2])
local no = denied('SET', KEYS[1], 'v', 'PX', ARGV[2]) or denied('HSET', KEYS[2], 'f', 'v') or denied('HDEL', KEYS[2], 'f')
  or denied('PEXPIRE', KEYS[2], '60000') or denied('HINCRBY', KEYS[3], 'f', '1') or denied('PEXPIRE', KEYS[3], ARGV[4])
if no then return no end
for i = 5, #ARGV, 2 do redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1]) end
if #ARGV > 4 then redis.call('PEXPIRE', KEYS[3], ARGV[4]) end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
for i = 1, #known, 2 do
  if (tonumber(known[i + 1]) or 0) <= now then redis.call('HDEL', KEYS[2], known[i]) end
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[2], '60000')
return 1
`,
  "allow-oom"
)

/**
 * Decides which replica tells of something, for all replicas of a group together (the rule and its words are those of
 * domain/alerts/turn.ts), by Redis's clock. Small and bounded, so it may do so in a Redis that is past its memory limit: that
 * is something to be told.
 *
 * KEYS: turn. ARGV: what is told, how many times it happened since it was last asked for, for how many milliseconds nobody tells
 * again, for how many the same is not told again, "1" where it is told for the number alone else "0". Returns `told <count>`,
 * `wait <ms>` or `same`.
 */
export const turn = script(
  "turn",
  `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at, left, what = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (.*)$')
at, left = tonumber(at or 0), tonumber(left or 0)
local count, window, lasts = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local waits = at + window - now
if what == ARGV[1] and left == 0 and (ARGV[5] == '0' or count == 0) and now < at + math.max(window, lasts) then return 'same' end
local answer
if what and waits > 0 then
  left = left + count
  answer = string.format('wait %.0f', waits)
else
  answer = string.format('told %.0f', left + count)
  at, left, what = now, 0, ARGV[1]
end
local keeps = at + math.max(window, lasts) + 60000 - now
redis.call('SET', KEYS[1], string.format('%.0f %.0f ', at, left) .. what, 'PX', string.format('%.0f', keeps))
return answer
`,
  "allow-oom"
)

/** Every script, by name. */
export const all: ReadonlyArray<Script> = [
  move,
  finish,
  conclude,
  renew,
  adopt,
  take,
  release,
  lease,
  unlease,
  retire,
  replay,
  putBack,
  withdraw,
  trim,
  permissions,
  swap,
  reserve,
  report,
  turn
]
