"""An exchange as it may be shown to others: settings, environments, command lines, free text.

SetOptions carries whatever the client's configuration holds, access tokens among it, and a
derivation that is sent to be built carries its environment and its command line. Nobody can list
the names of all secrets, so the names of what is harmless are listed: any other value is blanked,
and its length said. In all other text, what tells too much is blanked by its shape. That a thing
was sent, and where, is still shown. Recordings themselves are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from pix.codec.declare import wire_of
from pix.codec.lazy import Made
from pix.codec.lists import ListOf, MapOf
from pix.codec.records import Record
from pix.codec.wire import Node, String
from pix.conversation.exchange import CLIENT
from pix.protocol.types import Contents, Signature
from pix_inspect.base.secrets import cleaned
from pix_inspect.session.exchange_view import ExchangeView

SETTINGS = frozenset(
    """
    accept-flake-config allow-dirty allow-dirty-locks allow-import-from-derivation
    allow-new-privileges allow-symlinked-store allow-unsafe-native-code-during-evaluation
    allowed-uris allowed-users always-allow-substitutes auto-allocate-uids auto-optimise-store
    binary-cache-public-keys build-cores build-fallback build-keep-going build-log-size-limit
    build-max-jobs build-max-log-size build-max-silent-time build-poll-interval build-repeat
    build-timeout build-use-substitutes builders-use-substitutes ca-cert-file compress-build-log
    connect-timeout cores cow-on-reflink debugger-on-trace debugger-on-warn diff-hook
    download-attempts download-buffer-size download-speed enforce-determinism eval-cache
    eval-cores eval-system experimental-features extra-allowed-users
    extra-experimental-features extra-platforms extra-system-features extra-trusted-public-keys
    fallback filter-syscalls flake-registry fsync-metadata fsync-store-paths gc-reserved-space
    hashed-mirrors http-connections http2 id-count ignore-try ignored-acls
    impersonate-linux-26 impure-env-names keep-build-log keep-derivations keep-env-derivations
    keep-failed keep-going keep-outputs lazy-trees lint-absolute-path-literals log-lines
    max-build-log-size max-call-depth max-free max-jobs max-silent-time
    max-substitution-jobs min-free min-free-check-interval narinfo-cache-meta-ttl
    narinfo-cache-negative-ttl narinfo-cache-positive-ttl nar-buffer-size nix-path-check
    pre-build-hook-enabled preallocate-contents print-missing pure-eval repeat
    require-drop-supplementary-groups require-sigs restrict-eval run-diff-hook sandbox
    sandbox-build-dir sandbox-dev-shm-size sandbox-fallback show-trace stalled-download-timeout
    start-id substitute sync-before-registering system system-features tarball-ttl timeout
    trace-function-calls trace-import-from-derivation trace-verbose trusted-public-keys
    trusted-users upgrade-nix-store-path-url use-cgroups use-case-hack use-registries
    use-sqlite-wal use-xdg-base-directories verbosity verify-https-binary-caches
    warn-dirty warn-large-path-threshold warn-short-path-literals extra-substituters
    extra-trusted-substituters substituters trusted-substituters binary-caches
    extra-binary-caches trusted-binary-caches
    """.split()
)
"""Settings whose values may be shown, cleaned as any text is: numbers, switches, lists of public
things, URLs of caches. Source: Nix's manual, nix.conf."""

VARIABLES = frozenset(
    """
    name pname version system builder out dev lib bin doc man info outputs src srcs stdenv
    nativeBuildInputs buildInputs propagatedBuildInputs propagatedNativeBuildInputs
    depsBuildBuild depsBuildBuildPropagated depsBuildTarget depsBuildTargetPropagated
    depsHostHost depsHostHostPropagated depsTargetTarget depsTargetTargetPropagated
    strictDeps doCheck doInstallCheck dontBuild dontUnpack dontConfigure dontFixup dontPatch
    dontStrip enableParallelBuilding enableParallelChecking enableParallelInstalling
    preferLocalBuild allowSubstitutes outputHash outputHashAlgo outputHashMode __contentAddressed
    __impure __sandboxProfile __propagatedSandboxProfile __impureHostDeps
    __propagatedImpureHostDeps __noChroot __structuredAttrs unsafeDiscardReferences
    requiredSystemFeatures allowedReferences allowedRequisites disallowedReferences
    disallowedRequisites exportReferencesGraph passAsFile unpack executable urls-count
    derivations channelName
    """.split()
)
"""Variables of derivations whose values may be shown. Source: Nix's manual (advanced attributes),
nixpkgs' stdenv."""

HARMLESS = SETTINGS | VARIABLES

SECRET = re.compile(
    r"access-tokens|netrc-file|secret|token|passw|credential|auth|private|(^|-)key(s?)(-file)?$",
    re.IGNORECASE,
)
"""Names that say secret: reason to warn who keeps the recording."""

_PATHS = re.compile(r"(?:/[^\s/]+)+/[0-9a-df-np-sv-z]{32}-[\w+?=.-]+(?:/[\w+?=.-]+)*")
"""A store path, or a file in one: what a derivation refers to is public."""
_OPTION = re.compile(r"--?[A-Za-z][\w-]{0,40}")
_CONTENTS = wire_of(Contents)
_SIGNATURE = wire_of(Signature)
_SIGNED = re.compile(r"[\w.+-]+:[A-Za-z0-9+/]{86}==")


def is_secret(name: str) -> bool:
    """Return whether a setting of this name looks like a secret."""
    return name not in HARMLESS and SECRET.search(name) is not None


def redacted(view: ExchangeView) -> ExchangeView:
    """Return the exchange as it may be shown: another view, whose trees are blanked."""
    once = cache(cleaned)  # each look at the view makes its trees anew
    return view.shown_by(lambda node: _shown(node, once), once)


def secret_spans(view: ExchangeView) -> list[tuple[int, int]]:
    """Return where the blanked values of a request stand in the client's stream."""
    end = view.span(CLIENT)[1]
    part = view.part("request")
    stack = [part.node] if part is not None and part.node is not None else []
    found = []
    while stack:
        node = stack.pop()
        hidden = set(map(id, blanked := list(_blanked(node))))
        found += [(value.start, end if value.end is None else value.end) for value in blanked]
        stack += [
            child
            for child in node.children or ()
            if child.children is not None and id(child) not in hidden
        ]
    return found


def _blanked(node: Node) -> Iterator[Node]:
    """The values below a node that are not known to be harmless."""
    if isinstance(node.wire, MapOf) and isinstance(node.wire.value, String):
        for entry in node.children or ():
            value = list(entry.children or ())[-1:]
            if value and not _may_be_seen(entry.name, value[0].value):
                yield value[0]
    elif node.name == "args":
        for argument in node.children or ():
            text = argument.value
            if isinstance(text, str) and not (_PATHS.fullmatch(text) or _OPTION.fullmatch(text)):
                yield argument
    else:
        # fields of vendors may be anything
        is_record = isinstance(node.wire, Record)
        is_list = isinstance(node.wire, ListOf) and _is_secret_field(node.name)
        for child in node.children or ():
            if child.wire is _CONTENTS or (
                isinstance(child.value, str)
                and (is_list or (is_record and _is_secret_field(child.name)))
            ):
                yield child


def _is_secret_field(name: str) -> bool:
    return is_secret(name.replace("_", "-"))


def _may_be_seen(name: str, value: object) -> bool:
    if name in HARMLESS or not value:
        return True
    return isinstance(value, str) and all(map(_PATHS.fullmatch, value.split()))


def _shown(node: Node, clean: Callable[[str], str], hidden: frozenset[int] = frozenset()) -> Node:
    """Return a node for others to see; its children are made as they are looked at."""
    value = node.value
    if isinstance(value, str):
        if node.start in hidden:
            value = f"(redacted, {len(value.encode('utf-8', 'surrogateescape')):,} bytes)"
        elif node.wire is not _SIGNATURE or not _SIGNED.fullmatch(value):
            value = clean(value)
    children = node.children
    if children:
        below = hidden | {each.start for each in _blanked(node)}
        children = Made(children, lambda child: _shown(child, clean, below))
    return Node(
        node.name, node.wire, node.start, node.end, value, children, node.field, node.irregular
    )
