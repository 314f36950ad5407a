-- Words and texts in bytes, and cursors on bytes as they come.

local CLIENT, DAEMON = 0, 1
local SIDES = {[0] = "client", [1] = "daemon"}
local LONGEST_STRING = 2 ^ 30
local LONGEST_LIST = 2 ^ 28
local LONGEST_SHOWN = 16 * 2 ^ 20  -- bytes of one message that are kept until its end comes
local MOST_SHOWN = 100000          -- fields in the tree of one packet
local MOST_WAITING = 2 ^ 20        -- bytes of a side whose meaning depends on the other
local LONGEST_PATH = 4096          -- of a directory in an archive; a longer one is left out
local MOST_PENDING = 2 ^ 14
local LAST, ERROR, READ, WRITE = 0x616c7473, 0x63787470, 0x64617461, 0x64617416

local nix = Proto("nix", "Nix daemon protocol")

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

local MAGICS = {}
for _, family in pairs(NIX.families) do
  for side = CLIENT, DAEMON do MAGICS[family.magics[side + 1]] = side end
end

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
