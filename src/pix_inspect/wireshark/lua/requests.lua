-- Payload, and the client's side.

-- Payload

function Conversation:payload_seen(lane, start, length)
  local exchange = lane.side == CLIENT and self.requesting or self.pending[1]
  if not exchange then return end
  lane.runs[#lane.runs + 1] =
    {start = start, stop = start + length, exchange = exchange, bulk = lane.bare}
end

-- Show in this packet what it has of payload, and have the content read.
function Conversation:deliver(lane)
  while #lane.runs > 0 do
    local run = lane.runs[1]
    local stop = math.min(run.stop, lane.got)
    while run.start < stop do
      local piece
      for _, each in ipairs(lane.held) do
        if each.at <= run.start and run.start < each.at + each.length then piece = each end
      end
      local to = piece and math.min(stop, piece.at + piece.length) or stop
      local data = piece and piece.data
        and piece.data:sub(run.start - piece.at + 1, to - piece.at) or nil
      self:leave(lane, run.start, to,
        {exchange = run.exchange, part = "payload", data = true, missing = not data})
      if not run.bulk then
        run.exchange.payload = (run.exchange.payload or 0) + (to - run.start)
        local content = self:content(run.exchange, lane)
        content:feed(data, to - run.start)
      end
      run.start = to
    end
    if run.start < run.stop then return end
    table.remove(lane.runs, 1)
  end
end

function Conversation:on_entry(exchange, lane)
  return function(node)
    self:leave(lane, lane.got, lane.got, {exchange = exchange, part = "payload", entry = {
      path = node.path, size = node.size, target = node.target,
      type = node.executable and "executable" or node.type,
    }})
  end
end

function Conversation:content(exchange, lane)
  if not exchange.content then
    exchange.content = content_of(exchange.content_kind, exchange.protocol,
      self:on_entry(exchange, lane), function(text, laid_out)
        local item = self:leave(lane, lane.got, lane.got,
          {exchange = exchange, part = "payload", place = path_info, protocol = laid_out})
        item.at, item.bytes = nil, text
      end)
  end
  return exchange.content
end

-- Read the payload behind fields; false where an error stands in its place.
function Conversation:inline(exchange, lane, how, content)
  local start, fine, problem = lane.pos, true
  if how == "frames" then
    while true do
      local at, n = lane.pos, take(lane)
      if n >= 2 ^ 32 then wild(at, "a frame", n) end
      self:leave(lane, at, lane.pos, {exchange = exchange, part = "payload", frame = true})
      if n == 0 then break end
      payload(lane, n)
    end
  else
    lane.bare = true
    fine, problem = pcall(contents_of[content], lane, self:on_entry(exchange, lane))
    lane.bare = false
    if not fine and problem ~= BROKEN then error(problem, 0) end
    exchange.payload = lane.pos - start
  end
  arrived(lane)
  self:deliver(lane)
  if fine then self:payload_over(exchange, lane) end
  return fine
end

function Conversation:payload_over(exchange, lane)
  self:leave(lane, lane.pos, lane.pos,
    {exchange = exchange, part = "payload", total = exchange.payload or 0})
end

-- The client's side

local function content_kind(declared, how, method)
  if declared.content == "by method" then
    if how == "raw NAR" or not method then return "nar" end
    return (method:find("^fixed:r:") or method:find("^fixed:git:")) and "nar" or "plain"
  end
  return declared.content
end

-- The content address method in the whole fields of a request, nil where it has none.
local function method_of(record, protocol, bytes)
  local c = cursor(0)
  append(c, bytes)
  for _, i in ipairs(layout(record, protocol)) do
    if record.fields[i].name == "method" then return (take_text(c, 65536)) end
    scan_type(record.fields[i].type, c, protocol)
  end
end

function Conversation:requests()
  local lane, protocol = self[CLIENT], self.protocol
  local family = protocol.family
  while true do
    need(lane, 8)
    if #self.pending >= MOST_PENDING then misfit(lane.pos, "answers", "more operations") end
    local start, number = lane.pos, peek(lane)
    local operation = family.operations[number]
    local exchange = self:open("operation", operation)
    exchange.start, exchange.guessed = start, self.guessed and self.count == 1 or nil
    if not operation then exchange.code = number end
    self.requesting = exchange
    self.pending[#self.pending + 1] = exchange
    self.changed = true
    self:begin(lane, {exchange = exchange, part = "request"})
    lane.pos = lane.pos + 8
    if not operation then
      misfit(start + 8, "a known operation before this", foreign(number))
    end
    lane.open.place = operation.request
    scan.record(operation.request.type, lane, protocol)
    local how = carriage(operation.payload, protocol)
    exchange.how, exchange.at_payload = how, operation.payload and true
    arrived(lane)
    if how then
      local bytes = held(lane, start + 8, lane.pos)
      local is_whole = #bytes == lane.pos - start - 8
      exchange.content_kind = content_kind(operation.payload, how,
        is_whole and method_of(operation.request.type, protocol, bytes) or nil)
    end
    self:done(lane)
    exchange.asked_in, exchange.asked_at = self.packet.number, self.packet.time
    if how == "pulled" then
      self:pulled(exchange, lane)
    elseif how and not self:inline(exchange, lane, how, exchange.content_kind) then
      misfit(lane.pos, "a NAR token", "an error")
    end
    self:request_over(exchange)
  end
end

function Conversation:request_over(exchange)
  exchange.requested = true
  self.requesting = nil
  self.changed = true
  if not exchange.settled and silent(self[DAEMON])
    and self.pending[#self.pending] == exchange then
    table.remove(self.pending)
  end
end

function Conversation:pulled(exchange, lane)
  local daemon = self[DAEMON]
  while true do
    arrived(lane)
    self:deliver(lane)
    self:wait(lane, function()
      return (exchange.reads or 0) > (exchange.answers or 0) or exchange.settled or exchange.replying
        or silent(daemon)
    end)
    if (exchange.answers or 0) >= (exchange.reads or 0) then
      if not daemon.opaque or exchange.settled or exchange.replying then break end
      while lane.got == lane.pos do coroutine.yield() end
      misfit(lane.pos, "answers to STDERR_READ", "bytes to a daemon that is not understood")
    end
    local start, n = lane.pos, take(lane)
    if n > LONGEST_STRING then wild(start, "an answer to STDERR_READ", n) end
    self:leave(lane, start, lane.pos, {exchange = exchange, part = "payload", frame = true})
    payload(lane, n)
    lane.pos = lane.pos + (-n) % 8
    arrived(lane)
    exchange.answers = (exchange.answers or 0) + 1
    self.changed = true
  end
  self:payload_over(exchange, lane)
end
