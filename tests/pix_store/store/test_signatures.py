"""Who vouches for a path, by a signature that Nix made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pix.serving import Refusal
from pix_store.store.hashes import Digest
from pix_store.store.path_info import PathInfo
from pix_store.store.signatures import check_form, fingerprint, public_keys, vouched
from pix_store.store.store_paths import StorePaths

# made by `nix store sign` of Nix 2.26.3
PATHS = StorePaths("/tmp/nix-nf1zmeb8/store")
INFO = PathInfo(
    base="55jwlhfpx6kgmj7qhs1idp72ki76g99a-y",
    nar_hash=Digest.parse("sha256-SdHyozRfhBRFEwFrBxOmGSgxMgb9oLIPFbwhsCnANIs="),
    nar_size=176,
    references=frozenset(("l37d6dl9pmjp3dac42b30z41wj0mal1f-f",)),
    sigs=frozenset(
        (
            "key-1:V3igwz8oVv3BtXSvEE0osSNP0LZUqR/6dE4ZyWWaHIZ0QRcf4J+mDqUdFju1kok/L87qZTlqHMnWCQlFDv8"
            "4Bg==",
        )
    ),
)
KEYS = public_keys(["key-1:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="])


def test_a_signature_by_a_known_key_vouches() -> None:
    assert vouched(INFO, PATHS, KEYS)
    assert vouched(replace(INFO, sigs=INFO.sigs | {"other:AAAA"}), PATHS, KEYS)
    assert not vouched(INFO, PATHS, {})
    assert not vouched(INFO, PATHS, {"key-2": KEYS["key-1"]})
    assert not vouched(INFO, StorePaths("/tmp/nix-nf1zmeb9/store"), KEYS)


@pytest.mark.parametrize(
    "change",
    [
        {"nar_size": 177},
        {"references": frozenset()},
        {"base": "55jwlhfpx6kgmj7qhs1idp72ki76g99a-z"},
        {"nar_hash": Digest("sha256", bytes(32))},
        {"sigs": frozenset(("key-1:AAAA", "key-1:", "key-1", ""))},
    ],
)
def test_it_is_a_signature_of_all_that_matters(change: dict[str, object]) -> None:
    assert not vouched(replace(INFO, **change), PATHS, KEYS)  # type: ignore[arg-type]


def test_what_is_signed() -> None:
    two = replace(INFO, references=frozenset(("b" * 32 + "-b", "a" * 32 + "-a")))
    directory = PATHS.directory
    assert fingerprint(two, PATHS) == (
        f"1;{directory}/{INFO.base};{INFO.nar_hash};176;"
        f"{directory}/{'a' * 32}-a,{directory}/{'b' * 32}-b"
    )


def test_what_is_not_a_key_or_a_signature() -> None:
    for word in ("", "key", "key:", ":AAAA", "key:?", "key:AAAA"):
        with pytest.raises(Refusal):
            public_keys([word])
    for word in ("", "key", "key:", ":AAAA", "key:?"):
        with pytest.raises(Refusal):
            check_form([word])
    check_form(["key:AAAA"])
