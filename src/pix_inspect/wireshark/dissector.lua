-- The protocols of nix-daemon and of `nix-store --serve`, for Wireshark 4.0 and later, as
-- `pix-inspect wireshark install` writes it.
--
-- NIX, below, are the declarations: types, operations and log frames, with the versions and
-- features that have them. What follows it knows no operation; it reads NIX. Four parts:
--
--   types         `scan` finds where a value ends, as bytes come; `show` puts it into the tree
--   content       what payload holds: archives, path infos
--   conversation  who speaks when: one coroutine for each direction, and a queue of what waits
--                 for an answer. It hears each packet once, in order, and leaves `items` for it
--   packets       Wireshark's side: items become trees, also when a packet is looked at again
--
-- Offsets count the bytes of one direction from 0. What is held is bounded, and so is the tree.

-- DECLARATIONS --

local CLIENT, DAEMON = 0, 1
local SIDES = {[0] = "client", [1] = "daemon"}
local LONGEST_STRING = 2 ^ 30
local LONGEST_LIST = 2 ^ 28
local LONGEST_SHOWN = 16 * 2 ^ 20  -- bytes of one message that are kept until its end comes
local MOST_SHOWN = 100000          -- fields in the tree of one packet
local MOST_WAITING = 2 ^ 20        -- bytes of a side whose meaning depends on the other
local MOST_PENDING = 2 ^ 14
local LAST, ERROR, READ, WRITE = 0x616c7473, 0x63787470, 0x64617461, 0x64617416

local nix = Proto("nix", "Nix daemon protocol")

---------------------------------------------------------------------------------------------
-- Words

-- The word at s[i], exact below 2^53; nil where it is not all there.
local function word(s, i)
  local a, b, c, d, e, f, g, h = s:byte(i, i + 7)
  if not h then return nil end
  local low = a + b * 0x100 + c * 0x10000 + d * 0x1000000
  if e + f + g + h == 0 then return low end
  return low + (e + f * 0x100 + g * 0x10000 + h * 0x1000000) * 4294967296.0
end

local function padded(n) return n + (-n) % 8 end

local function foreign(n) return n < 2 ^ 16 and ("%d"):format(n) or ("%#x"):format(n % 2 ^ 53) end

local function zeros(s, i, j)
  for k = i, j do
    if s:byte(k) ~= 0 then return false end
  end
  return true
end

-- Bytes that do not fit: a table that says where, what was wanted and what is there.
local function misfit(at, expected, found)
  error({at = at, why = ("expected %s, found %s"):format(expected, found)}, 0)
end

local function admits(gate, protocol)
  return (not gate.since or protocol.minor >= gate.since)
    and (not gate.before or protocol.minor < gate.before)
    and (not gate.feature or protocol.features[gate.feature] ~= nil)
    and (not gate.without or protocol.features[gate.without] == nil)
end

-- The fields of a record that are on the wire.
local function layout(record, protocol)
  local known = record.layouts[protocol.key]
  if not known then
    known = {}
    for i, field in ipairs(record.fields) do
      if admits(field, protocol) then known[#known + 1] = i end
    end
    record.layouts[protocol.key] = known
  end
  return known
end

local function carriage(payload, protocol)
  if not payload then return nil end
  for _, each in ipairs(payload.carried) do
    if admits(each, protocol) then return each.how end
  end
end

local function agreed(family, minor, features)
  local names = {}
  for name in pairs(features) do names[#names + 1] = name end
  table.sort(names)
  return {
    family = family, minor = minor, features = features,
    text = family.major .. "." .. ("%d"):format(minor), names = names,
    key = ("%d"):format(minor) .. " " .. table.concat(names, " "),
  }
end

for _, type in ipairs(NIX.types) do type.layouts = {} end

---------------------------------------------------------------------------------------------
-- Cursors: bytes as they come. `pos` may lie behind `got`: so many of the next are skipped.

local function cursor(at)
  return {buf = "", base = at, pos = at, got = at}
end

local function append(c, data)
  if c.pos >= c.got then
    c.base, c.buf = c.got, data
  else
    c.buf = c.buf:sub(c.pos - c.base + 1) .. data
    c.base = c.pos
  end
  c.got = c.got + #data
end

-- Wait until so many bytes are there; return where they begin in `buf`.
local function need(c, n)
  while c.got - c.pos < n do coroutine.yield() end
  return c.pos - c.base + 1
end

local function arrived(c)
  while c.pos > c.got do coroutine.yield() end
end

local function peek(c)
  local i = need(c, 8)  -- `buf` may be another one afterwards
  return word(c.buf, i)
end

local function take(c)
  local n = peek(c)
  c.pos = c.pos + 8
  return n
end

local function wild(at, what, n) misfit(at, "the length of " .. what, foreign(n)) end

local function take_text(c, longest)
  local at, n = c.pos, take(c)
  if n > longest then wild(at, "a text", n) end
  local i = need(c, padded(n))
  c.pos = c.pos + padded(n)
  return c.buf:sub(i, i + n - 1), zeros(c.buf, i + n, i + padded(n) - 1)
end

local function payload(c, n)
  if c.on_payload and n > 0 then c.on_payload(c.pos, n) end
  c.pos = c.pos + n
end

---------------------------------------------------------------------------------------------
-- Types: where a value ends

local scan = {}

-- Find the end of a value of the type that stands there in the list.
local function scan_type(number, c, protocol)
  local type = NIX.types[number]
  return scan[type.kind](type, c, protocol)
end

function scan.word(type, c) c.pos = c.pos + 8 end
scan.boolean, scan.enumeration = scan.word, scan.word

function scan.text(type, c)
  local at, n = c.pos, take(c)
  if n > LONGEST_STRING then wild(at, "a string", n) end
  c.pos = c.pos + padded(n)
end

local function scan_many(c, times, parts, protocol)
  for _ = 1, times do
    for _, part in ipairs(parts) do scan_type(part, c, protocol) end
  end
end

local function scan_count(c)
  local at, n = c.pos, take(c)
  if n > LONGEST_LIST then wild(at, "a list", n) end
  return n
end

function scan.list(type, c, protocol) scan_many(c, scan_count(c), {type.of}, protocol) end

function scan.map(type, c, protocol)
  scan_many(c, scan_count(c), {type.key, type.value}, protocol)
end

function scan.to_empty(type, c, protocol)
  while peek(c) ~= 0 do scan_type(type.of, c, protocol) end
  c.pos = c.pos + 8
end

function scan.maybe(type, c, protocol)
  if admits(type.gate, protocol) then
    local at, tag = c.pos, take(c)
    if tag > 1 and not type.lenient then misfit(at, "the tag 0 or 1", foreign(tag)) end
    if tag == 0 then return end
  end
  scan_type(type.of, c, protocol)
end

function scan.tagged(type, c, protocol)
  local at, tag = c.pos, take(c)
  local choice = type.choices[tag]
  if not choice then misfit(at, "a known tag", foreign(tag)) end
  if choice.type then scan_type(choice.type, c, protocol) end
end

function scan.nonzero(type, c, protocol)
  if peek(c) == 0 then
    c.pos = c.pos + 8
  else
    scan_type(type.of, c, protocol)
  end
end

function scan.derived_path(type, c, protocol)
  local depth = 0
  while true do
    local at, tag = c.pos, take(c)
    if tag == 0 then break end
    if tag ~= 1 then misfit(at, "the tag 0 or 1", foreign(tag)) end
    depth = depth + 1
  end
  scan_type(type.path, c, protocol)
  scan_many(c, depth, {type.output}, protocol)
end

function scan.record(type, c, protocol)
  for _, i in ipairs(layout(type, protocol)) do
    scan_type(type.fields[i].type, c, protocol)
  end
end

---------------------------------------------------------------------------------------------
-- Types: places in the tree. A place is a type under a name: it has the fields that filters use.

local fields = {}  -- every ProtoField, for the protocol
local experts = {}

local function field(make, ...)
  local made = make(...)
  fields[#fields + 1] = made
  return made
end

local function finding(name, severity, text)
  local made = ProtoExpert.new("nix.expert." .. name, text, expert.group.PROTOCOL, severity)
  experts[#experts + 1] = made
  return made
end

local WARN, NOTE, ERR, CHAT =
  expert.severity.WARN, expert.severity.NOTE, expert.severity.ERROR, expert.severity.CHAT
local odd = {
  padding = finding("padding", ERR, NIX.irregular.padding),
  boolean = finding("boolean", WARN, "Not a canonical boolean"),
  wide = finding("wide", WARN, "More bits than Nix readers take"),
  unknown = finding("unknown_value", NOTE, "Not a known value"),
}

local bind = {}

local function place_of(number, abbr, label, doc)
  local type = NIX.types[number]
  local place = {type = type, kind = type.kind, abbr = abbr, label = label, doc = doc}
  bind[type.kind](place, type)
  return place
end

local function inner(place, part, suffix, label)
  return place_of(part, suffix and place.abbr .. "." .. suffix or place.abbr,
    label or place.label, place.doc)
end

function bind.word(place, type)
  place.field = field(ProtoField.uint64, place.abbr, place.label,
    type.hex and base.HEX or base.DEC, type.values, nil, place.doc)
end
bind.enumeration = bind.word

function bind.boolean(place)
  place.field = field(ProtoField.bool, place.abbr, place.label, base.NONE, nil, nil, place.doc)
end

function bind.text(place)
  place.field = field(ProtoField.string, place.abbr, place.label, base.UNICODE, place.doc)
end

local function bind_count(place)
  place.count = field(ProtoField.uint64, place.abbr .. ".count", place.label, base.DEC, nil, nil,
    place.doc)
end

local function bind_node(place)
  place.node = field(ProtoField.none, place.abbr, place.label, place.doc)
end

function bind.list(place, type)
  bind_count(place)
  place.of = inner(place, type.of)
end

function bind.to_empty(place, type)
  place.items = field(ProtoField.none, place.abbr .. ".items", place.label, place.doc)
  place.of = inner(place, type.of)
end

function bind.map(place, type)
  bind_count(place)
  place.entry = field(ProtoField.none, place.abbr .. ".entry", "entry")
  place.key = inner(place, type.key, "key", "key")
  place.value = inner(place, type.value, nil, "value")
end

function bind.maybe(place, type)
  place.flag = field(ProtoField.bool, place.abbr .. "." .. type.flag:gsub("%W", "_"), type.flag)
  place.of = inner(place, type.of)
end

function bind.tagged(place, type)
  local labels, typed = {}, 0
  place.choices = {}
  for tag, choice in pairs(type.choices) do
    labels[tag] = choice.label
    typed = typed + (choice.type and 1 or 0)
  end
  for tag, choice in pairs(type.choices) do
    place.choices[tag] = choice.type
      and inner(place, choice.type, typed > 1 and choice.label or nil) or false
  end
  place.tag = field(ProtoField.uint64, place.abbr .. ".tag", place.label, base.DEC, labels)
end

function bind.nonzero(place, type)
  place.of = inner(place, type.of)
  place.node = place.of.node
end

function bind.derived_path(place, type)
  bind_node(place)
  place.depth = field(ProtoField.uint64, place.abbr .. ".depth", "depth")
  place.path = inner(place, type.path, "path", "path")
  place.output = inner(place, type.output, "outputs", "output")
end

function bind.record(place, type)
  bind_node(place)
  place.parts = {}
  for i, each in ipairs(type.fields) do
    place.parts[i] = place_of(each.type, place.abbr .. "." .. each.name, each.name, each.doc)
  end
end

---------------------------------------------------------------------------------------------
-- Types: in the tree. A reader has the bytes of one message twice: `s` to look at, `range` for
-- Wireshark to show. CUT is raised where they end.

local CUT = {cut = true}
local show = {}

local function show_place(place, r, tree, protocol)
  r.room = r.room - 1
  if r.room < 0 then error(CUT, 0) end
  return show[place.kind](place, r, tree, protocol)
end

local function peeked(r) return word(r.s, r.i) or error(CUT, 0) end

local function range(r, i, n) return r.tvb(r.at + i - 1, n) end

local function note(item, kind, text)
  item:add_proto_expert_info(kind, text)
end

local function tell(item, text) item:append_text(text) end

function show.word(place, r, tree)
  local n = peeked(r)
  local item = tree:add_le(place.field, range(r, r.i, 8))
  if place.type.hex and n < 65536 then tell(item, (" (%d.%d)"):format((n - n % 256) / 256, n % 256)) end
  if place.type.time and n > 0 and n < 2 ^ 40 then
    tell(item, os.date("!  (%Y-%m-%d %H:%M:%S UTC)", n))
  end
  if place.type.bits and n >= 2 ^ place.type.bits then
    note(item, odd.wide, ("Nix readers refuse more than %d bits here"):format(place.type.bits))
  end
  r.i = r.i + 8
end

function show.enumeration(place, r, tree)
  local n = peeked(r)
  local item = tree:add_le(place.field, range(r, r.i, 8))
  if not place.type.values[n] then note(item, odd.unknown, "not a known " .. place.type.name) end
  r.i = r.i + 8
end

local function show_flag(flag, r, tree)
  local n = peeked(r)
  local item = tree:add(flag, range(r, r.i, 8), n ~= 0)
  if n > 1 then note(item, odd.boolean, foreign(n) .. " is not a canonical boolean") end
  r.i = r.i + 8
  return n
end

function show.boolean(place, r, tree) show_flag(place.field, r, tree) end

function show.text(place, r, tree)
  local n = peeked(r)
  local body, after = r.i + 8, r.i + 8 + padded(n)
  if after - 1 > #r.s then error(CUT, 0) end
  local item
  if n == 0 then
    item = tree:add(place.field, range(r, r.i, 8), "")
  else
    item = tree:add_packet_field(place.field, range(r, body, n), ENC_UTF_8)
    if not r.first then r.first = r.s:sub(body, body + math.min(n, 200) - 1) end
    if not zeros(r.s, body + n, after - 1) then
      note(item, odd.padding, "padding is not zero: Nix readers refuse it")
    end
  end
  r.i = after
end

-- Show with `inside` what takes its length from it.
local function spanned(item, r, inside, ...)
  local start = r.i
  local fine, problem = pcall(inside, ...)
  item:set_len(r.i - start)
  if not fine then error(problem, 0) end
end

local function counted(place, r, tree, each)
  local n = peeked(r)
  local item = tree:add_le(place.count, range(r, r.i, 8))
  spanned(item, r, function()
    r.i = r.i + 8
    for _ = 1, n do each(item) end
  end)
end

function show.list(place, r, tree, protocol)
  counted(place, r, tree, function(item) show_place(place.of, r, item, protocol) end)
end

function show.map(place, r, tree, protocol)
  counted(place, r, tree, function(item)
    local entry = tree.add(item, place.entry, range(r, r.i, 8))
    local n, i = peeked(r), r.i + 8
    entry:set_text(r.s:sub(i, i + math.min(n, 200) - 1))
    spanned(entry, r, function()
      show_place(place.key, r, entry, protocol)
      show_place(place.value, r, entry, protocol)
    end)
  end)
end

function show.to_empty(place, r, tree, protocol)
  local item = tree:add(place.items, range(r, r.i, 8))
  spanned(item, r, function()
    while peeked(r) ~= 0 do show_place(place.of, r, item, protocol) end
    r.i = r.i + 8
  end)
end

function show.maybe(place, r, tree, protocol)
  if admits(place.type.gate, protocol) and show_flag(place.flag, r, tree) == 0 then return end
  show_place(place.of, r, tree, protocol)
end

function show.tagged(place, r, tree, protocol)
  local tag = peeked(r)
  tree:add_le(place.tag, range(r, r.i, 8))
  r.i = r.i + 8
  local choice = place.choices[tag]
  if choice == nil then error(CUT, 0) end
  if choice then show_place(choice, r, tree, protocol) end
end

function show.nonzero(place, r, tree, protocol)
  if peeked(r) ~= 0 then return show_place(place.of, r, tree, protocol) end
  tree:add(place.node, range(r, r.i, 8)):set_text(place.label .. ": none")
  r.i = r.i + 8
end

function show.derived_path(place, r, tree, protocol)
  local start, depth = r.i, 0
  while peeked(r) == 1 do
    r.i, depth = r.i + 8, depth + 1
  end
  local item = tree:add(place.node, range(r, start, 8))
  r.i = r.i + 8
  item:add(place.depth, range(r, start, r.i - start), UInt64(depth))
  show_place(place.path, r, item, protocol)
  for _ = 1, depth do show_place(place.output, r, item, protocol) end
  item:set_len(r.i - start)
end

local function show_fields(place, r, tree, protocol)
  for _, i in ipairs(layout(place.type, protocol)) do
    show_place(place.parts[i], r, tree, protocol)
  end
end

function show.record(place, r, tree, protocol)
  local item = tree:add(place.node, range(r, r.i, math.min(8, #r.s - r.i + 1)))
  spanned(item, r, show_fields, place, r, item, protocol)
end

---------------------------------------------------------------------------------------------
-- All places that there are

local function abbreviated(name) return name:sub(1, 1):lower() .. name:sub(2) end

for _, family in pairs(NIX.families) do
  local prefix = "nix." .. family.prefix
  for number, operation in pairs(family.operations) do
    operation.number, operation.family = number, family
    operation.name = family.prefix .. operation.name
    local abbr = prefix .. abbreviated(operation.name:sub(#family.prefix + 1))
    operation.request = place_of(operation.request, abbr, operation.name, operation.doc)
    operation.reply = place_of(operation.reply, abbr .. ".reply", operation.name .. " reply")
    operation.number_field =
      field(ProtoField.uint64, abbr .. ".operation", "operation", base.DEC, nil, nil, operation.doc)
  end
  family.hellos = {
    [CLIENT] = place_of(family.hellos[1], prefix .. "clientHello", "client's part of the handshake"),
    [DAEMON] = place_of(family.hellos[2], prefix .. "daemonHello", "daemon's part of the handshake"),
  }
end
for code, frame in pairs(NIX.frames) do
  frame.code = code
  frame.place = place_of(frame.fields, "nix." .. frame.name, frame.name, frame.doc)
end
local path_info = place_of(NIX.path_info, "nix.pathInfo", "path info", "what a batch says of a path")

local own = {
  frame = field(ProtoField.uint64, "nix.frame", "frame", base.HEX),
  exchange = field(ProtoField.uint64, "nix.exchange", "exchange", base.DEC, nil, nil,
    "the number of the exchange on its connection"),
  operation = field(ProtoField.string, "nix.operation", "operation", base.UNICODE),
  part = field(ProtoField.string, "nix.part", "part", base.UNICODE,
    "request, reply, error, log, payload, orphan or opaque"),
  version = field(ProtoField.string, "nix.version", "protocol version", base.UNICODE,
    "the version agreed on"),
  feature = field(ProtoField.string, "nix.feature", "feature", base.UNICODE,
    "a feature agreed on"),
  answer = field(ProtoField.framenum, "nix.response_in", "response in", base.NONE,
    frametype.RESPONSE),
  asked = field(ProtoField.framenum, "nix.response_to", "response to", base.NONE,
    frametype.REQUEST),
  took = field(ProtoField.relative_time, "nix.time", "time since the request"),
  opaque = field(ProtoField.none, "nix.opaque", "not understood"),
  unknown = field(ProtoField.uint64, "nix.unknown", "operation"),
  lack = field(ProtoField.uint64, "nix.payload.missing", "payload that was not recorded, bytes"),
  carried = field(ProtoField.none, "nix.payload", "payload"),
  data = field(ProtoField.bytes, "nix.payload.data", "data", base.SPACE),
  length = field(ProtoField.uint64, "nix.payload.frame", "bytes in the frame"),
  total = field(ProtoField.uint64, "nix.payload.bytes", "bytes of payload"),
  entry = field(ProtoField.none, "nix.nar", "archive entry"),
  path = field(ProtoField.string, "nix.nar.path", "path", base.UNICODE),
  what = field(ProtoField.string, "nix.nar.type", "type", base.UNICODE),
  size = field(ProtoField.uint64, "nix.nar.size", "size"),
  target = field(ProtoField.string, "nix.nar.target", "target", base.UNICODE),
}
local said = {
  failed = finding("error", ERR, "The operation failed"),
  obsolete = finding("obsolete", NOTE, "Obsolete operation"),
  unknown = finding("unknown_operation", ERR, "Not a known operation"),
  feature = finding("without_feature", ERR, "Needs a feature that was not negotiated"),
  newer = finding("newer_operation", WARN, "Newer than the version"),
  desync = finding("out_of_step", ERR, "The daemon is out of step"),
  orphan = finding("orphan", WARN, "Answers nothing"),
  opaque = finding("opaque", WARN, "Not understood"),
  cut = finding("cut", WARN, "Breaks off"),
  missing = finding("missing", NOTE, "Was not recorded"),
  early = finding("answered_early", NOTE, "Answered before the request was complete"),
  unanswered = finding("unanswered", WARN, "Not answered"),
}
nix.fields = fields
nix.experts = experts

---------------------------------------------------------------------------------------------
-- Content: what payload holds. These run on any cursor.

local BROKEN = {broken = true}  -- an error stands where an archive goes on

local function token(c, longest, what)
  local at, n = c.pos, peek(c)
  if n == ERROR then error(BROKEN, 0) end
  if n > longest then wild(at, what, n) end
  local text, is_padded = take_text(c, longest)
  if not is_padded then misfit(at, "zero padding in a NAR", "other bytes") end
  return text
end

local function expect(c, wanted)
  local at, found = c.pos, token(c, 32, wanted)
  if found ~= wanted then misfit(at, wanted .. " in a NAR", found) end
end

local function contents(c)
  local at, n = c.pos, take(c)
  if n >= 2 ^ 53 then wild(at, "a file's contents", n) end
  payload(c, n)
  if n % 8 ~= 0 then
    local i = need(c, (-n) % 8)
    if not zeros(c.buf, i, i + (-n) % 8 - 1) then
      misfit(c.pos, "zero padding after a file's contents", "other bytes")
    end
    c.pos = c.pos + (-n) % 8
  end
  return n
end

-- Go through what follows a key of a directory's entry; the name, where a node begins in it.
local function entry_node(c, name)
  while true do
    local at, key = c.pos, token(c, 32, "a key of an entry")
    if key == "name" then
      name = token(c, 2 ^ 20, "a name")
    elseif key == "node" then
      expect(c, "(")
      return name
    elseif key == ")" then
      return nil
    else
      misfit(at, "a key of a NAR entry", key)
    end
  end
end

-- One archive; `on_entry` is told of each of its files as it ends, of a directory as it begins.
local function archive(c, on_entry)
  expect(c, "nix-archive-1")
  expect(c, "(")
  local node, stack = {path = ""}, {}
  local function deeper(name)
    stack[#stack + 1] = node
    node = {path = node.path == "" and name or node.path .. "/" .. name}
    if #node.path > 2 ^ 16 then misfit(c.pos, "a path in a NAR", "a very long one") end
  end
  while true do
    local at, key = c.pos, token(c, 32, "a key of a node")
    if key == ")" then
      if node.type ~= "directory" then on_entry(node) end
      if #stack == 0 then return end
      node = table.remove(stack)
      local name = entry_node(c, "")
      if name then deeper(name) end
    elseif key == "type" then
      node.type = token(c, 32, "a node's type")
      if node.type ~= "regular" and node.type ~= "symlink" and node.type ~= "directory" then
        misfit(at, "a NAR node's type", node.type)
      end
      if node.type == "directory" then on_entry(node) end
    elseif key == "contents" then
      node.size = contents(c)
    elseif key == "executable" then
      expect(c, "")
      node.executable = true
    elseif key == "target" then
      node.target = token(c, 2 ^ 20, "a symlink's target")
    elseif key == "entry" then
      expect(c, "(")
      local name = entry_node(c, "")
      if name then deeper(name) end
    else
      misfit(at, "a key of a NAR node", key)
    end
  end
end

local TEXT, TEXTS
for i, type in ipairs(NIX.types) do
  if type.kind == "text" then TEXT = TEXT or i end
  if type.kind == "list" and NIX.types[type.of].kind == "text" then TEXTS = TEXTS or i end
end

local function export_record(c, on_entry)
  archive(c, on_entry)
  local at, magic = c.pos, take(c)
  if magic ~= 0x4558494e then misfit(at, "the export magic", foreign(magic)) end
  for _, part in ipairs({TEXT, TEXTS, TEXT}) do scan_type(part, c) end
  if take(c) ~= 0 then scan_type(TEXT, c) end
end

local function export(c, on_entry)
  while true do
    local at, more = c.pos, take(c)
    if more == 0 then return end
    if more ~= 1 then misfit(at, "1 and a record, or 0", foreign(more)) end
    export_record(c, on_entry)
  end
end

local contents_of = {nar = archive, export = export, ["export record"] = export_record}

function contents_of.paths(c, on_entry, on_info, protocol)
  local laid_out = protocol.features[NIX.versioned_items] and protocol
    or agreed(protocol.family, 16, {})
  for _ = 1, scan_count(c) do
    local start = c.pos
    c.mark = start
    scan_type(NIX.path_info, c, laid_out)
    arrived(c)
    on_info(start, c.pos, laid_out)
    c.mark = nil
    archive(c, on_entry)
  end
end

-- Of content in pieces (frames, pulled, written): a cursor of its own, which is fed them.
local Content = {}
Content.__index = Content

local function content_of(kind, protocol, on_entry, on_info)
  local c = setmetatable(cursor(0), Content)
  local read = contents_of[kind]
  if read then
    c.run = coroutine.create(function()
      read(c, on_entry, function(start, stop, laid_out)
        local text = table.concat(c.kept):sub(start - c.kept_at + 1, stop - c.kept_at)
        on_info(text, laid_out)
      end, protocol)
    end)
  end
  return c
end

-- Take the next bytes; nil for so many that were not recorded.
function Content:feed(data, length)
  if not self.run then return end
  if data then
    append(self, data)
    self.fresh = data
    -- kept while a path info may begin in it
    self.kept = self.kept or {}
    if not self.mark then self.kept, self.kept_at = {}, self.got - #data end
    self.kept[#self.kept + 1] = data
  elseif self.pos - self.got >= length and not self.mark then
    self.base, self.buf, self.got = self.got + length, "", self.got + length
  else
    self.run = nil
    return
  end
  local fine = coroutine.resume(self.run)
  if not fine or coroutine.status(self.run) == "dead" then self.run = nil end
end

---------------------------------------------------------------------------------------------
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
  if not self.protocol then
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
  item.start, item.stop, item.side = start, stop, lane.side
  item.protocol = item.protocol or self.protocol
  if lane == packet.lane and start >= packet.start then
    item.at = start - packet.start
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
  packet.lane, packet.start, self.packet = lane, at and start - at or math.huge, packet
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
  local left = {}
  if keep < lane.got then
    for _, piece in ipairs(lane.held) do
      if piece.at + piece.length > keep then left[#left + 1] = piece end
    end
  end
  lane.held = left
end

function Conversation:feed(lane, data)
  local heard = self.heard
  if lane.side == DAEMON and #heard > 0 and heard[#heard][2] ~= self[CLIENT].got then
    heard[#heard + 1] = {lane.got, self[CLIENT].got}
  end
  append(lane, data)
  if lane.missing then
    lane.missing = nil
    local number = word(data, 1)
    if #self.pending > 0 or number == 0 or not self.protocol.family.operations[number] then
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
  lane.pos, lane.waiting, lane.missing = lane.got, false, length
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

-- Exchanges

function Conversation:open(kind, operation)
  self.count = self.count + 1
  return {
    number = self.count, kind = kind, operation = operation, log = 0, reads = 0, answers = 0,
    name = operation and operation.name or kind, protocol = self.protocol, payload = 0,
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

-- The handshake

local function refuse(at, why) error({at = at, why = why}, 0) end

function Conversation:hello(side)
  local lane = self[side]
  self:begin(lane, {part = side == CLIENT and "request" or "reply"})
  local magic = peek(lane)
  lane.pos = lane.pos + 8
  local handshake = self:begun_handshake()
  lane.open.exchange = handshake
  if side == DAEMON and magic == NIX.not_allowed then
    self:done(lane).refused = true
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
        run.exchange.payload = run.exchange.payload + (to - run.start)
        local content = self:content(run.exchange, lane)
        self.entries_at = run.start
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
  local start, fine, problem = lane.pos, true, nil
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
    {exchange = exchange, part = "payload", total = exchange.payload})
end

-- The client's side

local function content_kind(declared, how, method)
  if declared.content == "by method" then
    if how == "raw NAR" or not method then return "nar" end
    return (method:find("^fixed:r:") or method:find("^fixed:git:")) and "nar" or "plain"
  end
  return declared.content
end

-- The content address method in a request that is held.
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
    exchange.start = start
    if not operation then exchange.name = "operation " .. foreign(number) end
    self.requesting = exchange
    self.pending[#self.pending + 1] = exchange
    self.changed = true
    self:begin(lane, {exchange = exchange, part = "request", opening = operation or true})
    lane.pos = lane.pos + 8
    if not operation then
      misfit(start + 8, "a known operation before this", foreign(number))
    end
    lane.open.place = operation.request
    scan.record(operation.request.type, lane, protocol)
    local how = carriage(operation.payload, protocol)
    exchange.how, exchange.at_payload = how, operation.payload ~= nil
    if how then
      arrived(lane)
      local method = operation.payload.content == "by method"
        and method_of(operation.request.type, protocol, held(lane, start + 8, lane.pos)) or nil
      exchange.content_kind = content_kind(operation.payload, how, method)
      self:asked(exchange, self:done(lane))
      if how == "pulled" then
        self:pulled(exchange, lane)
      elseif not self:inline(exchange, lane, how, exchange.content_kind) then
        misfit(lane.pos, "a NAR token", "an error")
      end
    else
      arrived(lane)
      self:asked(exchange, self:done(lane))
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

function Conversation:asked(exchange, item)
  exchange.asked_in, exchange.asked_at = self.packet.number, self.packet.time
end

function Conversation:pulled(exchange, lane)
  local daemon = self[DAEMON]
  while true do
    arrived(lane)
    self:deliver(lane)
    self:wait(lane, function()
      return exchange.reads > exchange.answers or exchange.settled or exchange.replying
        or silent(daemon)
    end)
    if exchange.answers >= exchange.reads then
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
    exchange.answers = exchange.answers + 1
    self.changed = true
  end
  self:payload_over(exchange, lane)
end

-- The daemon's side

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
        exchange.heard = true
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
    exchange.log = exchange.log + 1
    if code == READ then
      exchange.reads = exchange.reads + 1
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
  exchange.out_of_step = self.at_sea == exchange
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
  exchange.early = not exchange.requested and exchange.how ~= "pulled"
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
  exchange.out_of_step_since = self.at_sea
  self.stray = exchange
  if code == ERROR then
    self:error_frame(exchange, lane)
  else
    self:begin(lane, {exchange = exchange, part = "log", frame_of = frame, place = frame.place})
    lane.pos = lane.pos + 8
    scan_type(frame.fields, lane, self.protocol)
    arrived(lane)
    self:done(lane)
  end
  self.stray = nil
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

---------------------------------------------------------------------------------------------
-- Packets: conversations by the addresses of both sides, and what was left in each packet. TCP
-- hands over what it carries; a postdissector sees the whole frame, and all frames. Fields of other
-- dissectors are of no use: where nobody looks at trees yet, as when a file is loaded, they are not
-- there. So the little that is needed of IP and TCP is read from the frame.

local conversations, packets = {}, {}
local carried  -- what TCP handed over of this frame
local comments_of = Field.new("frame.comment")
local MOST_EARLY = 64  -- segments that are kept until one comes that belongs before them
local FIN, SYN, RST = 1, 2, 4

function nix.init()
  conversations, packets, carried = {}, {}, nil
end

local MAGICS = {}
for _, family in pairs(NIX.families) do
  for side = CLIENT, DAEMON do MAGICS[family.magics[side + 1]] = side end
end

local function big(s, i, n)
  local value = 0
  for k = i, i + n - 1 do value = value * 256 + (s:byte(k) or 0) end
  return value
end

local function is_tcp(s, at, pinfo)
  return big(s, at, 2) == pinfo.src_port and big(s, at + 2, 2) == pinfo.dst_port
end

-- The TCP header of a frame: by where its data stands, else behind one of the usual link layers.
local function segment(s, pinfo, data_at, data_length)
  if data_at then
    for size = 20, 60, 4 do
      local at = data_at - size + 1
      if at > 0 and is_tcp(s, at, pinfo) and math.floor(big(s, at + 12, 1) / 16) * 4 == size then
        return {sequence = big(s, at + 4, 4), flags = big(s, at + 13, 1), length = data_length}
      end
    end
  end
  for _, link in ipairs({1, 15, 17, 5, 21, 19}) do
    local version = math.floor(big(s, link, 1) / 16)
    local size = version == 4 and big(s, link, 1) % 16 * 4 or 40
    local inside = version == 4 and big(s, link + 2, 2) - size or big(s, link + 4, 2)
    local at = link + size
    if (version == 4 or version == 6) and is_tcp(s, at, pinfo) then
      return {sequence = big(s, at + 4, 4), flags = big(s, at + 13, 1),
        length = math.max(0, inside - math.floor(big(s, at + 12, 1) / 16) * 4)}
    end
  end
end

local function has(flags, flag) return flags % (2 * flag) >= flag end

local function daemon_port(pinfo, first)
  local speaker = MAGICS[first or 0]
  if speaker == CLIENT then return pinfo.dst_port end
  if speaker == DAEMON then return pinfo.src_port end
  if pinfo.dst_port == NIX.port or pinfo.src_port == NIX.port then return NIX.port end
  return math.min(pinfo.src_port, pinfo.dst_port)
end

local function key_of(pinfo)
  local from = tostring(pinfo.src) .. " " .. pinfo.src_port
  local to = tostring(pinfo.dst) .. " " .. pinfo.dst_port
  return from < to and from .. " " .. to or to .. " " .. from
end

local function conversation_in(key, pinfo, first)
  local found = conversations[key]
  if not found then
    found = conversation()
    found.port = daemon_port(pinfo, first)
    conversations[key] = found
  end
  return found, pinfo.src_port == found.port and DAEMON or CLIENT
end

-- Hear a segment, and behind it those that came early.
local function hear(found, side, packet, data, missing, sequence, at)
  local lane = found[side]
  lane.next, lane.early = lane.next or sequence, lane.early or {}
  local ahead = (sequence - lane.next) % 2 ^ 32
  if ahead >= 2 ^ 31 then  -- its beginning was heard before, or all of it
    local known = 2 ^ 32 - ahead
    missing = math.max(0, missing - math.max(0, known - #data))
    data, at = data:sub(known + 1), at and at + known
    if #data + missing == 0 then return end
  elseif ahead > 0 then
    lane.early[#lane.early + 1] = {data = data, missing = missing, sequence = sequence}
    if #lane.early < MOST_EARLY then return end
    found:hear(packet, side, "", ahead)  -- what is between will not come any more
    lane.next, lane.early = sequence, {}
  end
  found:hear(packet, side, data, missing, at)
  lane.next = (lane.next + #data + missing) % 2 ^ 32
  for i, each in ipairs(lane.early) do
    local behind = (lane.next - each.sequence) % 2 ^ 32
    if behind < 2 ^ 31 then
      table.remove(lane.early, i)
      return hear(found, side, packet, each.data, each.missing, each.sequence)
    end
  end
end

-- What a recording says of a connection that began in an earlier file.
local function go_on(found, comment)
  local continues = comment:match('"continues": *(%b{})')
  if not continues then return end
  local state = continues:match('"state": *(%b{})') or ""
  local offsets = {continues:match('"offsets": *%[(%d+), *(%d+)%]')}
  local boundary = {state:match('"boundary": *%[(%d+), *(%d+)%]')}
  local major, minor = state:match('"protocol": *"(%d+)%.(%d+)"')
  if not major or not boundary[1] or not offsets[1] then return end
  for _, family in pairs(NIX.families) do
    if family.major == tonumber(major) then found.family = family end
  end
  local features = {}
  for name in (state:match('"features": *(%b[])') or ""):gmatch('"([^"]+)"') do
    features[name] = true
  end
  found.protocol = agreed(found.family, tonumber(minor), features)
  found.daemon_nix = state:match('"daemon_nix": *"([^"]+)"')
  for side = CLIENT, DAEMON do
    local lane = found[side]
    lane.base, lane.got = tonumber(offsets[side + 1]), tonumber(offsets[side + 1])
    lane.pos = tonumber(boundary[side + 1])
  end
end

-- Items as trees

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

-- What the declarations say of an operation in this version.
local function judge(item, node)
  local operation, protocol = item.exchange.operation, item.protocol
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

local function show_links(item, node)
  local exchange = item.exchange
  if item.part == "request" then
    if exchange.answered_in then generated(node, own.answer, exchange.answered_in) end
  elseif exchange.asked_in then
    generated(node, own.asked, exchange.asked_in)
    if item.part == "reply" or item.part == "error" then
      local whole = math.floor(item.time - exchange.asked_at)
      generated(node, own.took,
        NSTime(whole, math.floor((item.time - exchange.asked_at - whole) * 1e9 + 0.5)))
    end
  end
end

local function show_exchange(item, node)
  local exchange = item.exchange
  generated(node, own.exchange, UInt64(exchange.number))
  generated(node, own.operation, exchange.name)
  generated(node, own.part, item.part)
  show_links(item, node)
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
local function reader_of(item, tvb, room)
  local r = {i = 1, room = room}
  if item.at then
    local length = math.min(item.stop - item.start, tvb:len() - item.at)
    r.tvb, r.at = tvb, item.at
    r.s = length > 0 and tvb(item.at, length):raw() or ""
  elseif item.bytes and #item.bytes > 0 then
    r.tvb, r.at, r.s = ByteArray.new(item.bytes, true):tvb("Nix message"), 0, item.bytes
  end
  return r
end

local function title(item)
  local exchange = item.exchange
  if item.frame_of and item.part == "log" then return item.frame_of.name end
  if item.part == "request" then return exchange.name end
  return exchange.name .. " " .. item.part
end

-- A request, a reply, a log frame, an error or a part of the handshake.
local function show_message(item, root, r)
  local whole = range(r, 1, #r.s)
  local place = item.place
  local node = place and root:add(place.node, whole) or root:add(own.opaque, whole)
  node:set_text(("%s of exchange %d"):format(title(item), item.exchange.number))
  show_exchange(item, node)
  local fine, problem = pcall(function()
    if item.opening then
      local n = peeked(r)
      local operation = item.exchange.operation
      node:add_le(operation and operation.number_field or own.unknown, range(r, 1, 8))
      r.i = 9
    elseif item.frame_of then
      peeked(r)
      node:add_le(own.frame, range(r, 1, 8)):append_text(" (" .. item.frame_of.name .. ")")
      r.i = 9
    end
    if place then show_fields(place, r, node, item.protocol) end
  end)
  if not fine and problem ~= CUT then error(problem, 0) end
  if r.room < 0 then
    note(node, said.missing, "more is not shown")
  elseif not fine and not item.broken and not item.no_status then
    note(node, said.missing, "what follows was not recorded")
  end
  if item.broken then note(node, said.cut, item.broken) end
  if item.opening and item.protocol then judge(item, node) end
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
  return r.first
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
    pcall(show_fields, item.place, r, info, item.protocol)
  else
    note(node, said.cut, item.broken)
  end
end

local function show_opaque(item, root, r)
  local node = r.tvb and root:add(own.opaque, range(r, 1, #r.s)) or root:add(own.opaque)
  node:set_text(("not understood: %d bytes"):format(item.stop - item.start))
  note(node, said.opaque, item.exchange.why)
  show_exchange(item, node)
end

local function show_item(item, root, tvb, room, open)
  local r = reader_of(item, tvb, room)
  local first
  if item.part ~= "payload" then open.exchange = nil end
  if item.opaque then
    show_opaque(item, root, r)
  elseif item.unanswered then
    local node = root:add(own.opaque):set_text(title(item))
    note(node, said.unanswered, "the daemon's stream ends without an answer")
    show_exchange(item, node)
  elseif item.part == "payload" then
    show_payload(item, payload_node(item, root, open), r)
  else
    first = show_message(item, root, r)
  end
  return r.room, first
end

-- What the packet list says: each message once, the first of several alike with their number.
local function summary(packet)
  local parts, times = {}, {}
  for _, item in ipairs(packet.items) do
    local text = item.opaque and "not understood" or title(item)
    if not times[text] then
      times[text] = 0
      if #parts < 8 then parts[#parts + 1] = text end
    end
    times[text] = times[text] + 1
  end
  for i, text in ipairs(parts) do
    local first = packet.said and packet.said[text]
    if times[text] > 1 then parts[i] = text .. " ×" .. times[text] end
    if first then parts[i] = parts[i] .. " " .. first end
  end
  return table.concat(parts, ", ")
end

local function render(packet, tvb, pinfo, tree)
  pinfo.cols.protocol = "Nix"
  local root = tree:add(nix, tvb())
  local room = MOST_SHOWN
  packet.said = {}
  local open = {}
  for _, item in ipairs(packet.items) do
    item.time = packet.time
    local first
    room, first = show_item(item, root, tvb, math.max(room, 0), open)
    local text = title(item)
    if first and not packet.said[text] then packet.said[text] = first:gsub("%c+", " ") end
  end
  local text = summary(packet)
  local going_on = packet.unfinished
  if going_on then
    text = type(going_on) == "table" and going_on.name .. " goes on" or "goes on"
    root:append_text(": " .. text)
  end
  pinfo.cols.info = text
end

-- Hear a frame when it is seen first; nothing where it is not of a conversation.
local function heard(frame, pinfo, data)
  local key = key_of(pinfo)
  local is_ours = data or pinfo.dst_port == NIX.port or pinfo.src_port == NIX.port
  if not is_ours and not conversations[key] then return end
  local bytes = data and data:raw() or ""
  local tcp = segment(frame:raw(0, math.min(frame:len(), data and data:offset() or 128)), pinfo,
    data and data:offset(), data and data:reported_len())
  if not tcp then return end
  if has(tcp.flags, SYN) and pinfo.dst_port == NIX.port then conversations[key] = nil end
  local found, side = conversation_in(key, pinfo, word(bytes, 1))
  local packet = {number = pinfo.number, time = pinfo.rel_ts, items = {}}
  packets[pinfo.number] = packet
  if has(tcp.flags, SYN) then
    found[side].next = (tcp.sequence + 1) % 2 ^ 32
    for _, comment in ipairs({comments_of()}) do go_on(found, comment.value) end
  elseif tcp.length > 0 then
    hear(found, side, packet, bytes, math.max(0, tcp.length - #bytes), tcp.sequence, 0)
  end
  if has(tcp.flags, FIN) or has(tcp.flags, RST) then
    packet.lane, packet.start, found.packet = found[side], math.huge, packet
    found:end_of(found[side])
  end
  return packet
end

function nix.dissector(tvb, pinfo, tree)
  carried = {number = pinfo.number, tvb = tvb, tree = tree}
  return tvb:len()
end

local whole = Proto("nix_frames", "Nix daemon protocol, whole frames")

function whole.dissector(frame, pinfo, tree)
  local here = carried and carried.number == pinfo.number and carried or {}
  carried = nil
  local packet = packets[pinfo.number]
  if not packet and not pinfo.visited and pinfo.port_type == 2 then
    packet = heard(frame, pinfo, here.tvb)
  end
  if packet and (here.tvb or #packet.items > 0) then
    render(packet, here.tvb or frame, pinfo, here.tree or tree)
  end
end

register_postdissector(whole)
DissectorTable.get("tcp.port"):add(NIX.port, nix)

nix:register_heuristic("tcp", function(tvb, pinfo, tree)
  if tvb:len() < 8 or MAGICS[word(tvb:raw(0, 8), 1)] ~= CLIENT then return false end
  pinfo.conversation = nix
  nix.dissector(tvb, pinfo, tree)
  return true
end)
