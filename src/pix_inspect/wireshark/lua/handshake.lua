-- Exchanges as they begin and end; the handshake, or what is assumed where it is missing.

function Conversation:open(kind, operation)
  self.count = self.count + 1
  return {
    number = self.count, kind = kind, operation = operation, protocol = self.protocol,
    daemon_nix = self.daemon_nix,
  }
end

function Conversation:begun_handshake()
  if not self.handshake then self.handshake = self:open("handshake") end
  return self.handshake
end

function Conversation:give_up(lane, at, why)
  if lane.opaque then return end
  if not self.protocol then self:begun_handshake() end
  if lane.side == CLIENT then
    self:broken_off(lane, why)
    self.requesting = nil
  end
  lane.opaque = self:open("opaque")
  lane.opaque.why = ("at byte %d: %s"):format(at, why)
  lane.waiting = false
  lane.pos = math.max(lane.pos, lane.got)
  if lane.side == DAEMON then
    self:broken_off(lane, why)
    self.pending = {self.requesting}
  end
  self.changed = true
end

function Conversation:end_of(lane)
  if lane.eof then return end
  self.first_left = self.first_left or lane.side
  lane.eof = true
  if lane.side == DAEMON then self:conclude(lane) end
  self:advance(self[1 - lane.side])
  local what = ("the %s's stream ends here"):format(SIDES[lane.side])
  if lane.open or lane.pos < lane.got then
    self:broken_off(lane, what)
  elseif lane.side == CLIENT and self.requesting then
    self:leave(lane, lane.got, lane.got, {exchange = self.requesting, broken = what, part = "payload"})
  end
  if lane.side == DAEMON then
    lane.over = true
    for _, exchange in ipairs(self.pending) do
      if exchange.asked_in then
        self:leave(lane, lane.got, lane.got, {exchange = exchange, unanswered = true, part = "reply"})
      end
    end
  end
end

-- A connection whose beginning is missing

nix.prefs.version = Pref.string("Version where the handshake is missing",
  ("1.%d"):format(NIX.families.worker.newest),
  "What to read a connection as whose beginning is not in the capture")

local function assumed()
  local major, minor = nix.prefs.version:match("^(%d+)%.(%d+)$")
  for _, family in pairs(NIX.families) do
    if family.major == tonumber(major) then return agreed(family, tonumber(minor), {}) end
  end
  return agreed(NIX.families.worker, NIX.families.worker.newest, {})
end

-- Begin in the middle, where that is what comes; false where a handshake is to be expected. The
-- client's side begins with the first packet that begins as an operation, the daemon's behind it.
function Conversation:guess(side)
  local lane, protocol = self[side], assumed()
  local first = peek(lane)
  if MAGICS[first] then return false end
  if side == DAEMON then
    if self.begun and not self.guessed then return false end
    self:wait(lane, function() return self.guessed and #self.pending > 0 end)
    lane.pos = math.max(lane.pos, self.guessed)
    return true
  end
  if self.begun and not protocol.family.operations[first] then return false end
  while not protocol.family.operations[first] do
    lane.pos = lane.got
    first = peek(lane)
  end
  self.protocol, self.family = protocol, protocol.family
  self.guessed = self[DAEMON].got
  self.changed = true
  return true
end

-- The handshake

function Conversation:hello(side)
  local lane = self[side]
  self:begin(lane, {part = side == CLIENT and "request" or "reply"})
  local magic = peek(lane)
  lane.pos = lane.pos + 8
  local handshake = self:begun_handshake()
  lane.open.exchange = handshake
  if side == DAEMON and magic == NIX.not_allowed then
    self:done(lane)
    while lane.got == lane.pos do coroutine.yield() end
    misfit(lane.pos, "the end of the stream behind a refusal", "more bytes")
  end
  for _, family in pairs(NIX.families) do
    if not self.family and family.magics[side + 1] == magic then self.family = family end
  end
  local family = self.family or NIX.families.worker
  lane.open.place = family.hellos[side]
  lane.open.protocol = agreed(family, 0, {})
  if magic ~= family.magics[side + 1] then
    misfit(0, ("the %s's magic"):format(SIDES[side]), foreign(magic))
  end
  self.versions[side] = take(lane)
  self.changed = true
  self:wait(lane, function() return self.versions[CLIENT] and self.versions[DAEMON] end)
  local protocol = self:agree()
  lane.open.protocol = protocol
  local hello = family.hellos[side].type
  for _, i in ipairs(layout(hello, protocol)) do
    local each = hello.fields[i]
    if each.name == "features" then
      local found, at = {}, lane.pos
      local n = take(lane)
      if n > 1024 then misfit(at, "the number of features", foreign(n)) end
      for _ = 1, n do found[(take_text(lane, 65536))] = true end
      self.features[side] = found
      self.changed = true
      if side == DAEMON then
        self:wait(lane, function() return self.features[CLIENT] end)
        self:agree()
      end
    elseif each.name == "daemon_nix_version" then
      self.daemon_nix = take_text(lane, 65536)
    elseif i > 2 then
      scan_type(each.type, lane, protocol)
    end
  end
  arrived(lane)
  self:done(lane)
  self.changed = true
  if side == CLIENT then
    handshake.asked_in, handshake.asked_at = self.packet.number, self.packet.time
    self:wait(lane, function() return self.protocol end)
  else
    handshake.answered_in = self.packet.number
  end
end

function Conversation:agree()
  local client, daemon = self.versions[CLIENT], self.versions[DAEMON]
  local family = self.family or NIX.families.worker
  local minor
  if family ~= NIX.families.worker or daemon >= 0x100 + family.newest then
    minor = math.min(client, daemon) % 256
  else
    minor = math.min(client % 256, daemon % 256)
  end
  if family ~= NIX.families.worker then
    local smaller = math.min(client, daemon)
    if (smaller - smaller % 256) / 256 ~= family.major then
      misfit(8, "a version of the " .. family.name .. " protocol", foreign(smaller))
    end
  elseif math.max(client % 256, daemon % 256) >= NIX.guix then
    error({at = 8, why = "this is Guix, which shares only the magic", guix = true}, 0)
  end
  local both = {}
  for name in pairs(self.features[CLIENT] or {}) do
    if (self.features[DAEMON] or {})[name] then both[name] = true end
  end
  local protocol = agreed(family, minor, both)
  local exchanged = self.features[CLIENT] and self.features[DAEMON]
  local has_features = false
  for _, i in ipairs(layout(family.hellos[CLIENT].type, protocol)) do
    has_features = has_features or family.hellos[CLIENT].type.fields[i].name == "features"
  end
  if not self.protocol and (exchanged or not has_features) then
    self.protocol = protocol
    self:begun_handshake().protocol = protocol
    self.changed = true
  end
  return protocol
end

function Conversation:first_log()
  local lane = self[DAEMON]
  if self.family and not self.family.has_log then
    self:wait(lane, function() return self.protocol end)
    return
  end
  self:log(self:begun_handshake(), lane)
end
