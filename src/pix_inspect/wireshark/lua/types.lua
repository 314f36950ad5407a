-- Where a value of a type ends.

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
