-- Values in the tree. A reader has the bytes of one message twice: `s` to look at, `range` for
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

-- Whether a word has more bits than readers take; beyond 53 a number here is not exact.
local function is_wide(r, n, bits)
  if not bits or bits >= 64 then return false end
  if bits < 53 then return n >= 2 ^ bits end
  return r.s:byte(r.i + 7) >= 2 ^ (bits - 56)
end

function show.word(place, r, tree)
  local n = peeked(r)
  local item = tree:add_le(place.field, range(r, r.i, 8))
  if place.type.hex and n < 65536 then tell(item, (" (%d.%d)"):format((n - n % 256) / 256, n % 256)) end
  if place.type.time and n > 0 and n < 2 ^ 40 then
    tell(item, os.date("!  (%Y-%m-%d %H:%M:%S UTC)", n))
  end
  if is_wide(r, n, place.type.bits) then
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
  if n == 0 then
    tree:add(place.field, range(r, r.i, 8), "")
  else
    local item = tree:add_packet_field(place.field, range(r, body, n), ENC_UTF_8)
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
