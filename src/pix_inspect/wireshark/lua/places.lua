-- Places in the tree: a place is a type under a name: it has the fields that filters use.

local fields = {}  -- every ProtoField, for the protocol
local experts = {}

local function field(make, ...)
  local made = make(...)
  fields[#fields + 1] = made
  return made
end

local function finding(name, severity, text, group)
  local made =
    ProtoExpert.new("nix.expert." .. name, text, group or expert.group.PROTOCOL, severity)
  experts[#experts + 1] = made
  return made
end

local WARN, NOTE, ERR = expert.severity.WARN, expert.severity.NOTE, expert.severity.ERROR
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
  failed = finding("error", NOTE, "The operation failed", expert.group.RESPONSE_CODE),
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
  guessed = finding("guessed", NOTE, "Read as a version that is a guess"),
  unanswered = finding("unanswered", WARN, "Not answered"),
}
nix.fields = fields
nix.experts = experts
