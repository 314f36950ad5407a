-- Conversations. A lane is a cursor on one direction, with the coroutine that reads it.

local Conversation = {}
Conversation.__index = Conversation

local function lane_of(side)
  local lane = cursor(0)
  lane.side, lane.held, lane.runs = side, {}, {}
  return lane
end

local function conversation()
  local self = setmetatable({
    [CLIENT] = lane_of(CLIENT), [DAEMON] = lane_of(DAEMON),
    versions = {}, features = {}, pending = {}, heard = {}, count = 0,
  }, Conversation)
  for side = CLIENT, DAEMON do
    local lane = self[side]
    lane.on_payload = function(start, length) self:payload_seen(lane, start, length) end
    lane.run = coroutine.create(function() self:read(side) end)
  end
  return self
end

function Conversation:read(side)
  if not self.protocol and not self:guess(side) then
    self:hello(side)
    if side == DAEMON then self:first_log() end
  end
  if side == CLIENT then self:requests() else self:answers() end
end

-- Items: what is shown in a packet

-- The bytes [start, stop) of a lane that are held, up to the first that is missing.
local function held(lane, start, stop)
  local parts = {}
  for _, piece in ipairs(lane.held) do
    local from, to = math.max(start, piece.at), math.min(stop, piece.at + piece.length)
    if from < to then
      if not piece.data then break end
      parts[#parts + 1] = piece.data:sub(from - piece.at + 1, to - piece.at)
    end
  end
  return table.concat(parts)
end

-- Leave an item in the packet that is heard: where its bytes are not all of that, with a copy.
function Conversation:leave(lane, start, stop, item)
  local packet = self.packet
  item.start, item.stop = start, stop
  if lane == self.heard_on and start >= self.begins then
    item.at = start - self.begins
  else
    item.bytes = held(lane, start, math.min(stop, start + LONGEST_SHOWN))
  end
  packet.items[#packet.items + 1] = item
  return item
end

function Conversation:begin(lane, item)
  lane.mark, lane.open = lane.pos, item
end

function Conversation:done(lane)
  local start, item = lane.mark, lane.open
  lane.mark, lane.open = nil, nil
  return self:leave(lane, start, lane.pos, item)
end

-- Leave what has come of a message that will never be whole.
function Conversation:broken_off(lane, why)
  local start, item = lane.mark, lane.open
  lane.mark, lane.open = nil, nil
  if not item then return end
  item.broken = why
  self:leave(lane, start, lane.got, item)
end

-- Turns

function Conversation:wait(lane, ready)
  local other = self[1 - lane.side]
  if other.waiting then self:run(other) end  -- what it said was before
  while not ready() do
    lane.waiting = true
    coroutine.yield()
  end
  lane.waiting = false
end

function Conversation:run(lane)
  if lane.opaque or lane.over or coroutine.status(lane.run) ~= "suspended" then return end
  local fine, problem = coroutine.resume(lane.run)
  if not fine then
    if type(problem) ~= "table" then problem = {at = lane.pos, why = tostring(problem)} end
    if problem.guix then self:give_up(self[1 - lane.side], 8, problem.why) end
    self:give_up(lane, problem.at or lane.pos, problem.why or "not understood")
  end
end

function Conversation:advance(lane)
  local other = self[1 - lane.side]
  self.changed = other.eof
  self:run(lane)
  while self.changed and other.waiting do
    self.changed = false
    self:run(other)
    self.changed = self.changed or not other.waiting
    other = self[1 - other.side]
  end
end

local function silent(lane) return lane.eof or lane.opaque end

-- Hear what a side said: its bytes, and how many more passed and were not kept. `at` is where the
-- bytes stand in the packet, nil where they are those of an earlier one.
function Conversation:hear(packet, side, data, missing, at)
  local lane, start, before = self[side], self[side].got, #packet.items
  self.packet, self.heard_on = packet, lane
  self.begins = at and start - at or math.huge  -- of the packet, in the lane
  if #data > 0 then
    lane.held[#lane.held + 1] = {at = lane.got, data = data, length = #data}
    self:feed(lane, data)
  end
  if missing > 0 then
    lane.held[#lane.held + 1] = {at = lane.got, length = missing}
    self:gap(lane, missing)
  end
  self:deliver(lane)
  if lane.opaque then
    self:leave(lane, start, lane.got, {exchange = lane.opaque, opaque = true, part = "opaque"})
  elseif #packet.items == before then
    packet.unfinished = lane.open and lane.open.exchange or self.requesting or true
  end
  self:settle(lane)
  self:settle(self[1 - side])
end

function Conversation:settle(lane)
  local keep = math.min(lane.mark or lane.pos, lane.pos)
  if lane.opaque then keep = lane.got end
  if lane.mark and lane.got - keep > LONGEST_SHOWN then  -- its end is waited for all the same
    lane.mark = lane.got
  end
  if keep >= lane.got then
    lane.held = {}
  else
    while lane.held[1] and lane.held[1].at + lane.held[1].length <= keep do
      table.remove(lane.held, 1)
    end
  end
end

function Conversation:feed(lane, data)
  local heard = self.heard
  if lane.side == DAEMON and #heard > 0 and heard[#heard][2] ~= self[CLIENT].got then
    heard[#heard + 1] = {lane.got, self[CLIENT].got}
  end
  append(lane, data)
  if lane.missing then
    local number, answered = word(data, 1), #self.pending == 0 and self[DAEMON].got > lane.missing
    lane.missing = nil
    if not answered or number == 0 or not self.protocol.family.operations[number] then
      self:give_up(lane, lane.pos, "bytes were not recorded where structure was needed")
    end
  end
  if lane.opaque or lane.eof then
    lane.pos = lane.got
    return
  end
  self:advance(lane)
  if lane.side == DAEMON and lane.waiting and #heard == 0 then
    heard[1] = {lane.pos, self[CLIENT].got}
  elseif #heard > 0 and self[DAEMON].pos == self[DAEMON].got and not self[DAEMON].waiting then
    self.heard = {}
  end
  if lane.waiting and lane.got - lane.pos > MOST_WAITING then
    self:give_up(lane, lane.pos, "too much came whose meaning depends on the other side")
  end
end

-- Go behind a request of whose fields bytes are missing: once it is answered, the next is whole.
function Conversation:step_over(lane, length)
  local exchange = self.requesting
  if lane.side ~= CLIENT or not exchange or exchange.at_payload then return false end
  self:broken_off(lane, "bytes were not recorded")
  lane.base, lane.buf, lane.got = lane.got + length, "", lane.got + length
  lane.pos, lane.waiting, lane.missing = lane.got, false, self[DAEMON].got
  lane.run = coroutine.create(function() self:requests() end)
  self:request_over(exchange)
  self:advance(self[DAEMON])
  return true
end

function Conversation:gap(lane, length)
  if not lane.opaque and not lane.eof and lane.pos - lane.got < length
    and self:step_over(lane, length) then return end
  if not lane.opaque and not lane.eof and lane.pos - lane.got < length then
    self:give_up(lane, lane.got, "bytes were not recorded where structure was needed")
  end
  lane.base, lane.buf, lane.got = lane.got + length, "", lane.got + length
  if lane.opaque then
    lane.pos = lane.got
  else
    self:advance(lane)
  end
end
