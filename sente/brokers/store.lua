-- What one process asks of the store in one turn, done together. See sente/brokers/store.py for what each means.
--
-- ARGV: prefix of all keys, name of the process, number of this batch, seconds and items and bytes that are kept of a
-- session, which life of Redis this is; then for each operation its name, how many arguments it has, and these.
--
-- Keys: "session:ID", a hash: owner, epoch, uid, client, life, next (number to be given), acked, heard, size and freed
-- (bytes ever put, and of them acknowledged); "outbox:ID", a stream whose ids are the numbers; "of:UID" and "all", sets
-- of sessions; "batch:PROCESS", the last one and its answers, so that one that is asked for again is not done again.

local prefix, me, batch = ARGV[1], ARGV[2], ARGV[3]
local age, most, room, life = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local call = redis.call

-- Whether Redis did this: it refuses what takes memory when it has none.
local function could(...)
  local answer = redis.pcall(...)
  return type(answer) ~= 'table' or not answer.err
end

local function key(kind, id) return prefix .. kind .. ':' .. id end

local function drop(id)
  local uid = call('HGET', key('session', id), 'uid')
  if uid then call('SREM', key('of', uid), id) end
  call('SREM', prefix .. 'all', id)
  call('DEL', key('session', id), key('outbox', id))
end

-- Whether what is said to the session's user, and to all, reaches it: if not, something was evicted.
local function is_reached(id)
  local uid = call('HGET', key('session', id), 'uid')
  return uid and call('SISMEMBER', key('of', uid), id) + call('SISMEMBER', prefix .. 'all', id) == 2
end

-- Whether there is such a session. One of an earlier life is gone: Redis may have forgotten the end of its outbox.
local function is_there(id)
  local found = call('HGET', key('session', id), 'life')
  if found and found ~= life then drop(id) end
  return found == life
end

-- Whether the session is this process's, in this epoch: else it has moved.
local function mine(id, epoch)
  if not is_there(id) then return false end
  local found = call('HMGET', key('session', id), 'owner', 'epoch')
  return found[1] == me and found[2] == epoch
end

-- The number that a body has got; 0: no room; nil: no such session.
local function add(id, body)
  local session = key('session', id)
  local began, next, acked, size, freed = unpack(call('HMGET', session, 'life', 'next', 'acked', 'size', 'freed'))
  if not began then return nil end
  size = tonumber(size) + #body
  if began ~= life or next - acked > most or size - freed > room
    or not could('XADD', key('outbox', id), next .. '-0', 'body', body, 'size', size) then
    drop(id)
    return 0
  end
  call('HSET', session, 'next', next + 1, 'size', size)
  return tonumber(next)
end

local function entries(id, after)
  local found = {}
  for i, entry in ipairs(call('XRANGE', key('outbox', id), tonumber(after) + 1 .. '-0', '+')) do
    found[i] = {tonumber(string.match(entry[1], '^%d+')), entry[2][2]}
  end
  return found
end

local function keep(id)
  local uid = call('HGET', key('session', id), 'uid')
  if uid then
    for _, name in ipairs({key('session', id), key('outbox', id), key('of', uid), prefix .. 'all'}) do
      call('EXPIRE', name, age)
    end
  end
end

local op = {}

function op.create(id, uid, client)
  drop(id)
  if not could('HSET', key('session', id), 'owner', me, 'epoch', 1, 'uid', uid, 'client', client, 'life', life,
    'next', 1, 'acked', 0, 'heard', 0, 'size', 0, 'freed', 0) then
    return -1
  end
  call('SADD', key('of', uid), id)
  call('SADD', prefix .. 'all', id)
  keep(id)
  return 1
end

function op.take(id, uid, client, owner)
  local found = call('HMGET', key('session', id), 'owner', 'uid', 'client', 'acked', 'heard')
  if not is_there(id) or found[2] ~= uid or found[3] ~= client then return 0 end
  if found[1] ~= owner then return found[1] end
  local kept = entries(id, found[4])
  if #kept ~= call('HGET', key('session', id), 'next') - 1 - found[4] or not is_reached(id) then
    drop(id)
    return 0
  end
  if not could('HSET', key('session', id), 'owner', me) then return -1 end
  local epoch = call('HINCRBY', key('session', id), 'epoch', 1)
  keep(id)
  return {epoch, tonumber(found[5]), tonumber(found[4]), kept}
end

function op.say(uid, channel, body)
  local set, numbers = uid ~= '' and key('of', uid) or prefix .. 'all', {}
  for _, id in ipairs(call('SMEMBERS', set)) do
    local number = add(id, body)
    if number then numbers[id] = number else call('SREM', set, id) end
  end
  local tail = cjson.encode(numbers)
  call('PUBLISH', channel, body .. struct.pack('>I4', 2147483648 + #tail) .. tail)
  return tail
end

function op.forget(uid, channel, body)
  for _, id in ipairs(call('SMEMBERS', uid ~= '' and key('of', uid) or prefix .. 'all')) do drop(id) end
  call('PUBLISH', channel, body)
  return 1
end

function op.put(id, epoch, body)
  return mine(id, epoch) and add(id, body) or -1
end

function op.note(id, epoch, acked, heard)
  if not mine(id, epoch) then return -1 end
  local session = key('session', id)
  if not could('HSET', session, 'heard', heard) then
    drop(id)
    return -1
  end
  local read = call('XRANGE', key('outbox', id), acked .. '-0', acked .. '-0')[1]
  if read then
    call('HSET', session, 'acked', acked, 'freed', read[2][4])
    call('XTRIM', key('outbox', id), 'MINID', tonumber(acked) + 1 .. '-0')
  end
  return 1
end

op.fetch = entries

function op.done(id, epoch)
  if mine(id, epoch) then drop(id) end
  return 1
end

function op.touch(ids)
  local gone = {}
  for _, id in ipairs(cjson.decode(ids)) do
    local mine = is_there(id) and call('HGET', key('session', id), 'owner') == me
    if mine and is_reached(id) then keep(id) else gone[#gone + 1] = id end
  end
  return gone
end

local last, answers = call('HMGET', key('batch', me), 'number', 'answers'), {}
if last[1] == batch then return cmsgpack.unpack(last[2]) end
local at = 8
while ARGV[at] do
  local count = tonumber(ARGV[at + 1])
  answers[#answers + 1] = op[ARGV[at]](unpack(ARGV, at + 2, at + 1 + count))
  at = at + 2 + count
end
if could('HSET', key('batch', me), 'number', batch, 'answers', cmsgpack.pack(answers)) then
  call('EXPIRE', key('batch', me), age)
end
return answers
