-- Items of a packet as trees, and as a line of the packet list.

local function name_of(exchange)
  if exchange.code then return "operation " .. foreign(exchange.code) end
  return exchange.operation and exchange.operation.name or exchange.kind
end

local function title(item)
  if item.opaque then return "not understood" end
  if item.frame_of and item.part == "log" then return item.frame_of.name end
  if item.part == "request" then return name_of(item.exchange) end
  return name_of(item.exchange) .. " " .. item.part
end

local function generated(tree, ...)
  return tree:add(...):set_generated()
end

local function reached(version, protocol, daemon_nix)
  if not version then return false end
  if version.minor then return protocol.minor >= version.minor end
  local major, minor = (daemon_nix or ""):match("^(%d+)%.(%d+)")
  if not major or not version.nix then return false end
  major, minor = tonumber(major:sub(1, 6)), tonumber(minor:sub(1, 6))
  return major > version.nix[1] or (major == version.nix[1] and minor >= (version.nix[2] or 0))
end

local function protocol_of(item) return item.protocol or item.exchange.protocol end

-- What the declarations say of an operation in this version.
local function judge(item, node)
  local operation, protocol = item.exchange.operation, protocol_of(item)
  if not operation then
    note(node, said.unknown, "not a known operation")
    return
  end
  local instead = operation.instead and "; instead: " .. operation.instead or ""
  if reached(operation.removed, protocol) then
    note(node, said.obsolete, ("%s was removed in %s"):format(operation.name, operation.removed.text)
      .. instead)
  elseif reached(operation.obsolete, protocol, item.exchange.daemon_nix) then
    note(node, said.obsolete, ("%s is obsolete from %s on"):format(operation.name,
      operation.obsolete.text) .. instead)
  end
  if operation.feature and not protocol.features[operation.feature] then
    note(node, said.feature, ("%s needs the feature %s"):format(operation.name, operation.feature))
  elseif not operation.feature and (operation.since or 0) > protocol.minor then
    note(node, said.newer, ("%s does not exist yet in %s"):format(operation.name, protocol.text))
  end
end

local function show_links(item, node, time)
  local exchange = item.exchange
  if item.part == "request" then
    if exchange.answered_in then generated(node, own.answer, exchange.answered_in) end
  elseif exchange.asked_in then
    generated(node, own.asked, exchange.asked_in)
    if item.part == "reply" or item.part == "error" then
      local whole = math.floor(time - exchange.asked_at)
      generated(node, own.took,
        NSTime(whole, math.floor((time - exchange.asked_at - whole) * 1e9 + 0.5)))
    end
  end
end

local function show_exchange(item, node, time)
  local exchange = item.exchange
  generated(node, own.exchange, UInt64(exchange.number))
  generated(node, own.operation, name_of(exchange))
  generated(node, own.part, item.part)
  show_links(item, node, time)
end

local function number64(n)
  return UInt64(n % 2 ^ 32, (n - n % 2 ^ 32) / 2 ^ 32)
end

local function show_entry(entry, node)
  node:add(own.path, entry.path)
  node:add(own.what, entry.type)
  if entry.size then node:add(own.size, number64(entry.size)) end
  if entry.target then node:add(own.target, entry.target) end
end

-- Where the bytes of an item are: a reader over the packet, or over a copy of what came before.
local function bytes_of(item, tvb)
  if not item.at then return item.bytes or "" end
  local length = math.min(item.stop - item.start, tvb:len() - item.at)
  return length > 0 and tvb:raw(item.at, length) or ""
end

local function reader_of(item, tvb, room)
  local r = {i = 1, room = room}
  if item.at then
    r.tvb, r.at, r.s = tvb, item.at, bytes_of(item, tvb)
  elseif item.bytes and #item.bytes > 0 then
    r.tvb, r.at, r.s = ByteArray.new(item.bytes, true):tvb("Nix message"), 0, item.bytes
  end
  return r
end

-- A request, a reply, a log frame, an error or a part of the handshake.
local function show_message(item, root, r)
  local whole = range(r, 1, #r.s)
  local place, is_request = item.place, item.part == "request" and item.exchange.kind == "operation"
  local node = place and root:add(place.node, whole) or root:add(own.opaque, whole)
  node:set_text(("%s of exchange %d"):format(title(item), item.exchange.number))
  show_exchange(item, node, r.time)
  local fine, problem = pcall(function()
    if is_request then
      peeked(r)
      local operation = item.exchange.operation
      node:add_le(operation and operation.number_field or own.unknown, range(r, 1, 8))
      r.i = 9
    elseif item.frame_of then
      peeked(r)
      node:add_le(own.frame, range(r, 1, 8)):append_text(" (" .. item.frame_of.name .. ")")
      r.i = 9
    end
    if place then show_fields(place, r, node, protocol_of(item)) end
  end)
  if not fine and problem ~= CUT then error(problem, 0) end
  if r.room < 0 then
    note(node, said.missing, "more is not shown")
  elseif not fine and not item.broken and not item.no_status then
    note(node, said.missing, "what follows was not recorded")
  end
  if item.broken then note(node, said.cut, item.broken) end
  if is_request then judge(item, node) end
  if is_request and item.exchange.guessed then
    note(node, said.guessed, ("the handshake is missing: read as %s, a guess"):format(
      protocol_of(item).text))
  end
  if item.failed then
    note(node, said.failed, "the operation failed")
    if item.exchange.repeats then
      note(node, said.orphan, ("repeats the error of exchange %d: the daemon closes"):format(
        item.exchange.repeats.number))
    end
  end
  if item.exchange.kind == "orphan" then note(node, said.orphan, "answers nothing") end
  if item.failed and item.exchange.out_of_step then
    note(node, said.desync, "the daemon is out of step from here on: not all was read")
  end
  if item.part == "reply" and item.exchange.early then
    note(node, said.early, "the daemon answered before the request was complete")
  end
  if item.exchange.kind == "handshake" and item.exchange.protocol then
    generated(node, own.version, item.exchange.protocol.text)
    for _, name in ipairs(item.exchange.protocol.names) do generated(node, own.feature, name) end
  end
end

-- What a packet has of a payload stands under one node, up to the next message.
local function payload_node(item, root, open)
  if open.exchange ~= item.exchange then
    open.exchange, open.node = item.exchange, root:add(own.carried)
    open.node:set_text(("%s of exchange %d"):format(title(item), item.exchange.number))
    show_exchange(item, open.node)
  end
  return open.node
end

local function show_payload(item, node, r)
  if item.data and not item.missing then
    node:add(own.data, range(r, 1, #r.s)):set_text(("data: %d bytes"):format(#r.s))
  elseif item.data then
    note(node:add(own.lack, number64(item.stop - item.start)), said.missing,
      "payload that was not recorded")
  elseif item.frame then
    node:add_le(own.length, range(r, 1, 8))
  elseif item.entry then
    local entry = node:add(own.entry)
    entry:set_text(("%s %s"):format(item.entry.type or "?", item.entry.path))
    show_entry(item.entry, entry)
  elseif item.total then
    generated(node, own.total, number64(item.total))
  elseif item.place then
    local info = node:add(item.place.node, range(r, 1, #r.s))
    pcall(show_fields, item.place, r, info, protocol_of(item))
  else
    note(node, said.cut, item.broken)
  end
end

local function show_opaque(item, root, r)
  local node = r.tvb and root:add(own.opaque, range(r, 1, #r.s)) or root:add(own.opaque)
  node:set_text(("not understood: %d bytes"):format(item.stop - item.start))
  note(node, said.opaque, item.exchange.why)
  show_exchange(item, node, r.time)
end

local function show_item(item, packet, root, tvb, room, open)
  local r = reader_of(item, tvb, room)
  r.time = packet.time
  if item.part ~= "payload" then open.exchange = nil end
  if item.opaque then
    show_opaque(item, root, r)
  elseif item.unanswered then
    local node = root:add(own.opaque):set_text(title(item))
    note(node, said.unanswered, "the daemon's stream ends without an answer")
    show_exchange(item, node, r.time)
  elseif item.part == "payload" then
    show_payload(item, payload_node(item, root, open), r)
  else
    show_message(item, root, r)
  end
  return r.room
end

local is_word = {word = true, boolean = true, enumeration = true}

-- The first text that a message begins with, behind words and empty lists at most.
local function first_text(s, i, place, protocol)
  for _, k in ipairs(layout(place.type, protocol)) do
    local part = place.parts[k]
    local is_list = part.kind == "list"
    if is_list and word(s, i) ~= 0 then part, i, is_list = part.of, i + 8, false end
    if part.kind == "record" then return first_text(s, i, part, protocol) end
    if part.kind == "text" then
      local n = word(s, i) or 0
      if n > 0 then return (s:sub(i + 8, i + 7 + math.min(n, 200)):gsub("%c+", " ")) end
    elseif not is_list and not is_word[part.kind] then
      return nil
    end
    i = i + 8
  end
end

-- What the packet list says: each message once, the first of several alike with their number.
local function summary(packet, tvb)
  local parts, times = {}, {}
  for _, item in ipairs(packet.items) do
    local text = title(item)
    local known = times[text]
    if known then
      known.times = known.times + 1
    elseif #parts < 8 then
      known = {text = text, times = 1}
      times[text], parts[#parts + 1] = known, known
      if item.place and item.part ~= "payload" then
        local s = bytes_of(item, tvb)
        local start = (item.frame_of or item.exchange.kind == "operation") and 9 or 1
        known.first = first_text(s, start, item.place, protocol_of(item))
      end
    end
  end
  for i, part in ipairs(parts) do
    parts[i] = part.text .. (part.times > 1 and " ×" .. part.times or "")
      .. (part.first and " " .. part.first or "")
  end
  return table.concat(parts, ", ")
end

local function render(packet, tvb, pinfo, tree)
  local root = tree:add(nix, tvb())
  if root.len > 0 then  -- else nobody looks at trees now
    local room, open = MOST_SHOWN, {}
    for _, item in ipairs(packet.items) do
      room = show_item(item, packet, root, tvb, math.max(room, 0), open)
    end
  end
  local text = summary(packet, tvb)
  local going_on = packet.unfinished
  if going_on then
    text = type(going_on) == "table" and name_of(going_on) .. " goes on" or "goes on"
    root:append_text(": " .. text)
  end
  pinfo.cols.protocol = "Nix"
  pinfo.cols.info = text
end
