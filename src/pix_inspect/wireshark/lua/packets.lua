-- Packets: conversations by the addresses of both sides, and what was left in each packet. TCP
-- hands over what it carries; a postdissector sees the whole frame, and all frames. Fields of other
-- dissectors are of no use: where nobody looks at trees yet, as when a file is loaded, they are not
-- there. So the little that is needed of IP and TCP is read from the frame.

local conversations, packets = {}, {}
local carried  -- what TCP handed over of this frame
local MOST_EARLY = 64  -- segments that are kept until one comes that belongs before them
local FIN, SYN, RST = 1, 2, 4

function nix.init()
  conversations, packets, carried = {}, {}, nil
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
    found.begun = true
  elseif tcp.length > 0 then
    hear(found, side, packet, bytes, math.max(0, tcp.length - #bytes), tcp.sequence, 0)
  end
  if has(tcp.flags, FIN) or has(tcp.flags, RST) then
    found.packet, found.begins = packet, math.huge
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
