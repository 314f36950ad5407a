"""What findings there are: one declaration for each kind.

A kind has a name (what `finding = …` compares with), a grade, what it is, which evidence it
needs, why it matters and what to do about it. `error`: the conversation is broken, or one side
cannot understand the other. `warning`: something went otherwise than the user will expect. `note`:
true, and worth knowing when something else is being looked for.

Data only; how a kind is found is told in `detector`, and desynchronised streams are looked into
by `forensics`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from pix.dataclass import dataclass

Grade: TypeAlias = Literal["note", "warning", "error"]
GRADES: tuple[Grade, ...] = ("note", "warning", "error")
SIGNS: dict[Grade, str] = {"note": "·", "warning": "▲", "error": "✗"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding. `evidence` is what has to be in the recording for it to be said;
    `deep`: it can only be seen by decoding the exchange.
    """

    name: str
    grade: Grade
    what: str
    evidence: str
    why: str
    advice: str
    source: str = ""
    deep: bool = True


_ALL = (
    # The handshake ------------------------------------------------------------------------
    Kind("foreign-text", "error", "text where the magic number should be",
         "The first bytes of a side's stream: readable as text, or followed by the magic number.",
         "Something else speaks on this connection: a login banner, a shell's start-up file or an"
         " error message of ssh. The peer takes its first eight bytes for a number and gives up.",
         "Have the remote account print nothing when it is not interactive, and look what command"
         " the connection really starts (remote-program).",
         "Nix remote-store.cc: it closes its half and reports what it got", deep=False),
    Kind("wrong-magic", "error", "the first word is not the protocol's magic number",
         "The first eight bytes of a side's stream.",
         "The peer does not speak the Nix daemon protocol, or bytes before it were lost.",
         "Look whether the socket is the daemon's, and whether anything else reads or writes on"
         " it.", "Nix daemon.cc, worker-protocol-connection.cc", deep=False),
    Kind("unreachable", "error", "the daemon could not be reached",
         "The relay's own note of what its connection attempt or the command ended with.",
         "Its client was hung up on.",
         "Look whether the daemon runs and the socket is its own: `systemctl status nix-daemon`;"
         " a command, whether it works by hand.",
         "NixOS/nix#10136"),
    Kind("no-word", "note", "a connection ended before anybody said a word",
         "Both streams from their beginning, and their ends.",
         "Somebody looked whether the socket is alive, or a client was stopped at once.",
         "", "such as `nc -z`", deep=False),
    Kind("refused", "error", "the daemon ended the handshake",
         "Both streams from their beginning, and that the daemon closed first.",
         "It refuses the version, speaks another protocol, the user is not in allowed-users, or it"
         " could not start. The reason stands in the daemon's own log only.",
         "Look into the daemon's log; compare both versions; `nix store info` as root.",
         "Nix daemon.cc: it closes without a word"),
    Kind("no-answer", "error", "the connection ended without an answer to the client's hello",
         "Both streams from their beginning, and that both ended; who closed first was not seen.",
         "The client got nothing that it can use: it speaks to something else than it expects, its"
         " user is not in allowed-users, or the daemon crashed or was stopped.",
         "Look into the daemon's log; see that both ends speak the same protocol.",
         "Nix daemon.cc: it closes without a word"),
    Kind("handshake-stalled", "warning", "the handshake was never finished",
         "Both streams from their beginning.",
         "Each side waits for a word that the other does not owe by its own version, or the"
         " client was stopped.",
         "Compare what was said with the layout of the negotiated version (explain handshake).",
         "cachix/devenv#1364"),
    Kind("doubled-version", "error", "the client says its version twice",
         "The client's first 24 bytes.",
         "The second one is taken for the processor to run on: the daemon pins itself, or fails.",
         "Mend the client: after the version come the features (1.38) and the processor flag.",
         "NixOS/nix#11126"),
    Kind("misannounced-version", "error", "a version was announced, and another one is spoken",
         "A whole handshake, and one version whose layout the bytes have up to where their"
         " speaker stopped, while they have not that of the agreed one.",
         "Each side reads the other's messages by the version that was agreed on; a field more or"
         " less shifts all that follows.",
         "Have the implementation announce the version that it speaks; a pre-release may not yet"
         " announce the next one.", "cachix/devenv#1364, NixOS/nix#5299"),
    Kind("guix", "note", "this is a Guix daemon or client",
         "Both versions, behind both right magic numbers.",
         "Guix shares the magic number and nothing else.", "Its traffic is shown as bytes.",
         deep=False),
    Kind("guix-and-nix", "error", "Guix on one side, Nix on the other",
         "Both versions, behind both right magic numbers; that of Nix is 1.33 or newer.",
         "From 1.33 on Nix says and awaits more in the handshake than Guix does: one of them waits"
         " for a word that never comes, or reads on out of step.",
         "Give each the other end that it is made for: GUIX_DAEMON_SOCKET,"
         " NIX_DAEMON_SOCKET_PATH.",
         "Guix nix-daemon.cc; Nix worker-protocol-connection.cc", deep=False),
    Kind("unknown-version", "note", "a version or a feature that is not known here is in force",
         "Both versions and lists of features.",
         "What it changed is not known: all is read by the layouts of 1.38 and of the features"
         " that are known.",
         "Take findings behind this with care: what does not fit may be the other layout.",
         "Nix worker-protocol.hh; explain versions, explain features", deep=False),
    Kind("unknown-layout", "note", "bytes that do not fit, where the layout may be another",
         "The same as the finding that it names.",
         "The connection has a version or a feature that is not known here, and was read as 1.38;"
         " or nobody recorded its beginning, and its version is a guess.",
         "See unknown-version at its handshake; whether somebody erred cannot be told."),
    Kind("downgrade", "note", "the two sides know different versions and speak the older one",
         "Both versions.",
         "What was added since is not available on this connection.",
         "Update the older side if what is lost matters.", "Nix worker-protocol.hh"),
    Kind("ignored-feature", "note", "a feature that only one side knows",
         "Both lists of features, at 1.38.",
         "Features are in force only when both sides offer them.",
         "Nothing, unless the feature was expected to be used.",
         "Nix worker-protocol-connection.cc"),
    # Operations ---------------------------------------------------------------------------
    Kind("obsolete", "note", "an operation that the negotiated version has replaced",
         "The negotiated version; for some, the daemon's release.",
         "Newer daemons have removed some of these, and each removal breaks clients that use it.",
         "Use the operation that replaced it.", deep=False),
    Kind("newer-operation", "note", "an operation from a later version than the one agreed on",
         "The negotiated version.",
         "Daemons answer every number they know, so it works until it meets an older one.",
         "Send it only from its own version on.",
         "Nix daemon.cc: operations are not gated by version", deep=False),
    Kind("without-feature", "warning", "an operation whose feature was not agreed on",
         "The features that both sides offered.",
         "The daemon may take the number for an invalid operation and close.",
         "Send it only when the feature is in force.", deep=False),
    Kind("unknown-operation", "error", "a number that is not an operation, or none any more",
         "All of the client's stream up to the number.",
         "The client's stream can no longer be followed: what comes behind it depends on the"
         " operation.",
         "See what the number would be otherwise: often it is a field that the request before it"
         " has too many, or a length.", deep=False),
    # How it ends --------------------------------------------------------------------------
    Kind("cut-request", "warning", "the client closed in the middle of its request",
         "The client's stream up to its end, and that it did not end behind a whole request.",
         "It was killed, or an error of its own (an unreadable file, no memory) ended it. The"
         " daemon drops what it had read.",
         "Look what the client said; nothing was stored by this operation.", deep=False),
    Kind("client-left", "warning", "the client closed without waiting for the answer",
         "Who closed first: the end of the client's stream stands before the daemon's.",
         "It was interrupted, or it could not understand what it read. The daemon notices and"
         " stops the work.",
         "Look what the client said. If it did not end on purpose, look for a field that it left"
         " unread in the reply before.", "Nix daemon.cc: MonitorFdHup", deep=False),
    Kind("daemon-left", "error", "the daemon closed without finishing its answer",
         "Who closed first: the end of the daemon's stream stands before the client's.",
         "It crashed, was stopped or killed, or met something it could not report.",
         "Look into the daemon's log for this time; the client says “daemon disconnected"
         " unexpectedly”.", "NixOS/nix#9798", deep=False),
    Kind("standard-error", "error", "an error on the standard error of the daemon's program",
         "The program's standard error, which is kept when the relay starts it (--upstream-"
         " command, stdio).",
         "`nix-store --serve` has no other place to tell what failed: its client hears nothing, or"
         " the end of the stream.",
         "The message says why; its place is the machine on which that program runs.",
         "Nix nix-store.cc: opServe", deep=False),
    Kind("failed-build", "error", "a build failed, or could not begin",
         "The answer, or the error in its place.",
         "What was to be built is not there. Client and daemon understood each other.",
         "Read what is said, and the build's log if it began (nix log); what a status means:"
         " explain BuildStatus.",
         "Nix build-result.hh", deep=False),
    Kind("unanswered", "note", "an operation was going on when the recording ended",
         "The request; the connection was open when the recording ended, or who closed is not"
         " known.",
         "The answer, if there was one, is not in the recording.",
         "Record until the client is done, or see who owes the next byte.", deep=False),
    Kind("not-read", "note", "one side did not read what the other said, which had to wait",
         "The relay's note: a side took nothing for a second or more.",
         "A socket holds some hundred KiB; then who writes stands still: a daemon in the middle"
         " of a build, its builder with it. Often the client cannot write its own output on.",
         "Look what the client's output goes to (a pager, a pipe, a stopped terminal), or what"
         " keeps the daemon from reading (a lock, a full disk).",
         "the relay remarked it: the side took nothing for a second or more", deep=False),
    Kind("reopened", "note", "one process opens connection after connection",
         "The process behind each connection.",
         "Each costs a handshake and, with Nix, a process of the daemon.",
         "Keep the connection open for the next operation, or raise max-connections.",
         "DeterminateSystems/nix-src#533", deep=False),
    # Out of step --------------------------------------------------------------------------
    Kind("doubled-error", "warning", "the daemon says its error twice",
         "The daemon's stream: the same error again, where nothing is open.",
         "It had not begun work: the arguments could not be read, or the operation is not"
         " allowed. It closes after this; the connection cannot be used again.",
         "The client has to read the first error and let go of the connection.",
         "Nix daemon.cc: errors before work begins are reported by two catchers", deep=False),
    Kind("frames-unread", "error",
         "the daemon failed before it read the payload, and takes the payload for operations",
         "The order in which both sides spoke: the error came before the payload was over.",
         "The error came before the daemon's reader of frames existed; the next frame's length is"
         " taken for an operation number.",
         "Close the connection after this error; do not send anything else on it.", "Nix daemon.cc",
         deep=False),
    Kind("early-answer", "note", "the daemon answered before the request was complete",
         "The order in which both sides spoke.",
         "It did not need the rest, or it failed.", "", deep=False),
    Kind("stray-frame", "warning", "the daemon speaks though nothing was asked",
         "The order in which both sides spoke: a frame stands where no request is open.",
         "Frames belong between a request and its reply; a client takes this one for the next"
         " operation's.", "Mend the daemon: queue what it has to say until the next operation.",
         "Nix daemon.cc: TunnelLogger", deep=False),
    Kind("error-of-another", "warning", "the error answers the operation before",
         "Both requests and both errors: what the error names was asked for by the one before"
         " only.",
         "Client and daemon are one answer apart: the error that came before stands here again.",
         "After an error that is said twice the client must not go on using the connection.",
         "Nix daemon.cc: errors before work begins are reported by two catchers"),
    Kind("desync", "error", "a word that is impossible here: the stream is out of step",
         "All bytes of the connection up to the word. A mistake is named only where the bytes"
         " fit once it is undone, and fit no other; the rest stays unexplained.",
         "Somebody wrote or read a field too many or too few; from here on nothing fits.",
         "The diagnosis says which mistake explains it; compare the exchange before with its"
         " declaration (explain).", "NixOS/nix#3943, #2167, #6495; harmonia#977"),
    Kind("wild-length", "error", "a length or count that cannot be true",
         "All bytes of the connection up to the length.",
         "A number was read where a length should be: the stream is out of step, or the sender"
         " writes lengths in 32 bits. Nix tries to allocate it and dies of it.",
         "See the diagnosis; a length is eight bytes, little endian.",
         "Nix daemon.cc: out of memory ends the connection"),
    Kind("peer-out-of-step", "error", "the daemon took a field for an operation number",
         "The daemon's error, which names the number, and the bytes of the request that hold it.",
         "What the client sent is whole, but the daemon stopped reading before its end.",
         "The field that the daemon met as an operation is named: what stands before it is where"
         " the daemon's reader ends.", "NixOS/nix#3943"),
    Kind("line-ends", "error", "a terminal stands in between: line feeds became CR LF",
         "The bytes of a message: they fit without each CR before an LF, and not with them.",
         "What passes is not what was sent: each text with a line feed has more bytes than its"
         " length says, and all behind it is out of step. Client and daemon are both right.",
         "Take the terminal off the path: ssh -T, without -t, -tt or RequestTTY; no script(1) or"
         " expect around the program; pipes in binary mode.", "termios(3): ONLCR; ssh(1)"),
    Kind("terminal", "error", "a terminal that is not raw stands in between",
         "The client's hello as an echo in front of the daemon's; or a number that the daemon read,"
         " as many bytes off in the request as there are bytes before it that a terminal takes.",
         "It repeats what passes, takes ^C, ^S, ^Q and others for itself, and makes LF of CR."
         " Client and daemon are both right.",
         "Take the terminal off the path: ssh -T, without -t, -tt or RequestTTY; no script(1) or"
         " expect around the program; stty raw -echo where there has to be one.",
         "termios(3); ssh(1)"),
    Kind("other-order", "warning", "answers are recorded before what they answer",
         "All bytes of the connection: they fit from beginning to end once each answer stands"
         " behind its question, and one answer too many would not explain it.",
         "What each side said is right, but not when: the rest is not shown as exchanges, and no"
         " time between the two directions is true.",
         "Record both directions by one clock: a relay, or one capture of both. Where they were,"
         " the daemon answers without waiting for questions."),
    Kind("misread", "error", "the daemon complains of what was not sent",
         "The daemon's error, and the bytes that it is about: they are right.",
         "It reads what stands before them otherwise, or they changed on their way.",
         "Look for a terminal on the path (ssh -t, script, expect); compare the request with its"
         " declaration (explain).", "Nix archive.cc, serialise.cc"),
    Kind("not-recorded", "note", "bytes that were not recorded where structure was needed",
         "The length of what is missing, where the recorder noted it.",
         "The recorder was pressed or told to keep less; what depends on these bytes is not known.",
         "Record again: pix-inspect with a higher --payload or on a faster disk, strace with"
         " -s 1000000, others without a snapshot length.",
         deep=False),
    Kind("half-recorded", "warning", "one side says nothing more, and the other goes on",
         "An import: whether it kept all is not known. Behind the last byte of one side the other"
         " answers what is not there, or asks on without an answer.",
         "What the one said since is not in what was imported; or the other speaks unasked, or"
         " asks without waiting.",
         "Record both directions to their end: a relay does; strace with -f and without a filter of"
         " descriptors, a capture of TCP without one of a direction."),
    # What is said -------------------------------------------------------------------------
    Kind("padding", "error", "padding that is not zero",
         "The bytes behind a text.",
         "Nix readers refuse it, and close.",
         "Fill strings with zeros to the next eight bytes.", "Nix serialise.cc: readPadding"),
    Kind("counted-zeros", "error", "a name or path that ends in zeros",
         "A text that ends in NUL, in a message that is whole otherwise.",
         "Its length counts the padding, or the NUL that ends a string in C; the daemon finds no"
         " such path, or refuses the name.",
         "Count the bytes of the text alone; zeros follow up to the next eight bytes.",
         "Nix serialise.cc: writePadding"),
    Kind("boolean", "warning", "a boolean that is neither 0 nor 1",
         "The field's bytes.",
         "Nix readers refuse it, and close, but for a few, which take every number but 0 for true.",
         "Write 1 for true. If the number looks like something else, the stream is out of step.",
         "Nix serialise.hh: readNum"),
    Kind("wide-number", "error", "a number that is wider than its field",
         "The field's bytes.",
         "Nix readers refuse it.",
         "Keep the number within the field's bits.", "Nix serialise.hh: readNum"),
    Kind("big-endian", "error", "a number with its bytes turned round",
         "The number's bytes, in a message that is whole otherwise.",
         "Somebody writes numbers with the highest byte first; the reader takes it for a number"
         " beyond all measure, or for none that it knows.",
         "Write every number in eight bytes, the lowest first.", "Nix serialise.hh"),
    Kind("unknown-value", "note", "a number that has no name in its enumeration",
         "The field's bytes.",
         "It is newer than what is known here, or there is no such number.", ""),
    Kind("undecodable", "error", "a message that does not have the declared layout",
         "All bytes of the message, and its end.",
         "Its end was found, its fields were not.", "Compare it with the declaration (explain)."),
    # Trust and settings -------------------------------------------------------------------
    Kind("restricted-setting", "note", "a setting that an untrusted client may not set",
         "The daemon's word that it does not trust the client (1.35), and SetOptions.",
         "The daemon does not trust this user and leaves its own value in force.",
         "Set it in the daemon's nix.conf, or add the user to trusted-users.",
         "Nix daemon.cc: ClientSettings::apply; NixOS/nix#1921"),
    Kind("ignored-setting", "warning", "the daemon says that it ignores a setting",
         "The daemon's log.",
         "What the user asked for does not happen, and only this line says so.",
         "Set it in the daemon's nix.conf, or add the user to trusted-users.",
         "Nix daemon.cc; NixOS/nix#1921, #426"),
    Kind("unsigned", "warning", "a path was refused because no trusted key has signed it",
         "The daemon's error.",
         "The daemon takes unsigned paths from trusted users only.",
         "Sign the path (nix store sign), add its key to trusted-public-keys, or copy as a"
         " trusted user.", "NixOS/nix#2330, #2127, #5343"),
    Kind("not-trusted", "warning", "the operation was refused because the client is not trusted",
         "The daemon's error.",
         "Some operations are for users in trusted-users only.",
         "Add the user to trusted-users if it is to be trusted with the whole machine.",
         "Nix daemon.cc"),
    Kind("secret", "note", "a setting that looks like a secret is in this recording",
         "SetOptions, not redacted.",
         "Whoever gets the file gets the token.",
         "Use --redact for what you show; keep the recording itself to yourself."),
)  # fmt: skip

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
"""Every kind by its name."""

OF_LAYOUT = frozenset(
    ("misannounced-version", "unknown-operation", "cut-request", "desync", "line-ends", "terminal",
     "misread", "wild-length",
     "peer-out-of-step", "padding", "counted-zeros", "boolean", "wide-number", "big-endian",
     "unknown-value", "undecodable", "without-feature")
)  # fmt: skip
"""Kinds that are true only where the layouts of the connection are known."""

OF_READING = frozenset(("early-answer", "stray-frame", "frames-unread", "client-left"))
"""Kinds that are true only where all that was said before is known, too."""

SHALLOW = frozenset(kind.name for kind in _ALL if not kind.deep)
"""Kinds that the index alone can tell."""
