-- The daemon's side: log frames, errors, replies, and what answers nothing.

function Conversation:asked_in_time()
  local heard, last = self.heard, self[DAEMON].pos + 7
  while #heard > 1 and heard[2][1] <= last do table.remove(heard, 1) end
  return #heard == 0 or heard[1][1] > last or self.pending[1].start + 8 <= heard[1][2]
end

function Conversation:answers()
  local lane, client = self[DAEMON], self[CLIENT]
  local protocol = self.protocol
  local has_log = protocol.family.has_log
  while true do
    need(lane, 8)
    if self.copy and self:is_copy(lane) then
      self:orphan(lane)
    else
      if #self.pending == 0 and client.waiting then
        self:wait(lane, function() return #self.pending > 0 or not client.waiting end)
      end
      if #self.pending == 0 or self.at_sea or not self:asked_in_time() then
        self:orphan(lane)
      else
        local exchange = self.pending[1]
        if not has_log or self:log(exchange, lane) then self:reply(exchange, lane) end
      end
    end
  end
end

-- Whether what comes is the copy of the error just said, which answers nobody.
function Conversation:is_copy(lane)
  local failed, copy = self.last_error, self.copy
  self.copy = nil
  if failed.stop ~= lane.pos then return false end
  local asked = #self.pending > 0
  if not ((asked and self.others_waited) or self[CLIENT].waiting) then return false end
  local frame = NIX.frames[ERROR]
  lane.mark = lane.pos
  if peek(lane) ~= ERROR then
    lane.mark = nil
    return false
  end
  local start = lane.pos
  lane.pos = lane.pos + 8
  local fine = pcall(scan_type, frame.fields, lane, self.protocol)
  if fine then arrived(lane) end
  local stop = lane.pos
  local bytes = held(lane, start, stop)
  -- look at it again as what it is
  lane.buf = held(lane, start, lane.got)
  lane.base, lane.pos, lane.mark = start, start, nil
  if not fine or bytes ~= copy then return false end
  if not asked then return true end
  lane.mark = start
  self.last_word = stop - start
  while lane.got == stop do coroutine.yield() end
  self.last_word, lane.mark = nil, nil
  return false
end

function Conversation:log(exchange, lane)
  while true do
    local code = peek(lane)
    local frame = NIX.frames[code]
    if not frame then
      misfit(lane.pos, "a STDERR frame", foreign(code))
    end
    if code == LAST then
      if exchange.kind == "handshake" then
        self:begin(lane, {exchange = exchange, part = "log", frame_of = frame, place = frame.place})
        lane.pos = lane.pos + 8
        self:done(lane)
      else
        self:begin(lane, {exchange = exchange, part = "reply", frame_of = frame})
        lane.pos = lane.pos + 8
      end
      return true
    end
    if code == ERROR then
      self:error_frame(exchange, lane)
      return false
    end
    local written = code == WRITE and exchange.operation
      and carriage(exchange.operation.reply_payload, self.protocol) == "written"
    self:begin(lane, {exchange = exchange, part = "log", frame_of = frame, place = frame.place})
    lane.pos = lane.pos + 8
    if written then
      exchange.content_kind = exchange.operation.reply_payload.content
      local at, n = lane.pos, take(lane)
      if n > LONGEST_STRING then wild(at, "STDERR_WRITE", n) end
      payload(lane, n)
      lane.pos = lane.pos + (-n) % 8
      arrived(lane)
      self:done(lane)
      self:deliver(lane)
    else
      scan_type(frame.fields, lane, self.protocol)
      arrived(lane)
      self:done(lane)
    end
    if code == READ then
      exchange.reads = (exchange.reads or 0) + 1
      self.changed = true
    end
  end
end

function Conversation:error_frame(exchange, lane)
  local frame = NIX.frames[ERROR]
  local start = lane.pos
  self:begin(lane, {exchange = exchange, part = "error", frame_of = frame, place = frame.place,
    failed = true})
  lane.pos = lane.pos + 8
  local record = frame.place.type
  for _, i in ipairs(layout(record, self.protocol)) do
    if record.fields[i].name == "status" then  -- it may be missing at the end of a stream
      arrived(lane)
      self.status_missing = lane.pos
    end
    scan_type(record.fields[i].type, lane, self.protocol)
  end
  arrived(lane)
  self.status_missing = nil
  self.copy = held(lane, start, lane.pos)
  self:done(lane)
  self:failed(exchange, start, lane.pos)
  self.others_waited = #self.pending > 0
end

function Conversation:failed(exchange, start, stop)
  local before = self.last_error
  exchange.settled, exchange.error, exchange.stop = true, true, stop
  exchange.answered_in = exchange.answered_in or self.packet.number
  self.last_error = exchange
  self.changed = true
  if exchange.kind == "orphan" then
    if before and before.stop == start then exchange.repeats = before end
    return
  end
  if exchange.kind == "handshake" then return end
  table.remove(self.pending, 1)
  local operation = exchange.operation
  if operation and operation.unread == "BY_HASH" and self:knows_paths_only() then
    self.at_sea = exchange
  elseif not exchange.requested and exchange.how == "frames" then
    self.at_sea = exchange
  end
  exchange.out_of_step = self.at_sea == exchange or nil
end

-- Whether the daemon is a Nix 2.35 or later to which realisations are named by path only.
function Conversation:knows_paths_only()
  if self.protocol.features[NIX.by_path] then return false end
  local minor = (self.daemon_nix or ""):match("^2%.(%d+)")
  return minor ~= nil and tonumber(minor:sub(1, 6)) >= 35
end

function Conversation:reply(exchange, lane)
  local operation, protocol = exchange.operation, self.protocol
  if not lane.open then self:begin(lane, {exchange = exchange, part = "reply"}) end
  exchange.replying = true
  self.changed = true
  if not operation then misfit(lane.pos, "no reply to an unknown operation", "one") end
  lane.open.place = operation.reply
  scan.record(operation.reply.type, lane, protocol)
  arrived(lane)
  exchange.answered_in = self.packet.number
  self:done(lane)
  local how = carriage(operation.reply_payload, protocol)
  if how == "written" then
    self:payload_over(exchange, lane)
  elseif how then
    if not self:inline(exchange, lane, how, operation.reply_payload.content) then
      if not protocol.family.has_log then misfit(lane.pos, "a NAR token", "an error") end
      self:error_frame(exchange, lane)
      return
    end
  end
  exchange.settled, exchange.stop = true, lane.pos
  exchange.early = not exchange.requested and exchange.how ~= "pulled" or nil
  table.remove(self.pending, 1)
  self.changed = true
end

function Conversation:orphan(lane)
  local start = lane.pos
  local code = peek(lane)
  local frame = self.protocol.family.has_log and NIX.frames[code]
  if not frame or code == LAST then
    misfit(start, self.protocol.family.has_log and "silence, or an error" or "silence",
      frame and frame.name or foreign(code))
  end
  local exchange = self:open("orphan")
  if code == ERROR then
    self:error_frame(exchange, lane)
  else
    self:begin(lane, {exchange = exchange, part = "log", frame_of = frame, place = frame.place})
    lane.pos = lane.pos + 8
    scan_type(frame.fields, lane, self.protocol)
    arrived(lane)
    self:done(lane)
  end
end

-- The end of the daemon's stream: an error without status, a last word that may be a copy.
function Conversation:conclude(lane)
  if self.last_word and lane.got == lane.pos + self.last_word then
    local failed, asked = self.last_error, self.pending[1]
    local exchange = asked
    if not (self.first_left == CLIENT and failed.operation == asked.operation) then
      exchange = self:open("orphan")
    end
    local start, frame = lane.pos, NIX.frames[ERROR]
    self:begin(lane, {exchange = exchange, part = "error", frame_of = frame, place = frame.place,
      failed = true})
    lane.pos = lane.pos + self.last_word
    self.last_word = nil
    self:done(lane)
    self:failed(exchange, start, lane.pos)
  elseif self.status_missing == lane.got then
    local exchange = lane.open.exchange
    local start = lane.mark
    lane.open.no_status = true
    lane.pos = lane.got
    self:done(lane)
    self:failed(exchange, start, lane.got)
    lane.over = true
  end
end
