-- What payload holds. These run on any cursor.

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
    local way = #node.path > LONGEST_PATH and "…" or node.path
    node = {path = way == "" and name or way .. "/" .. name}
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
