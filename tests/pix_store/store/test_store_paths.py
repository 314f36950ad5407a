from __future__ import annotations

import pytest

from pix.serving import Refusal
from pix_store.store.hashes import sha256
from pix_store.store.store_paths import StorePaths, check_name, output_name

PATHS = StorePaths()
GOOD = "/nix/store/bc3vh06ra09ric215hp7z00zka59p4nw-greeting.txt"


def test_a_text_has_the_path_that_nix_gives_it() -> None:
    # nix-store --add / builtins.toFile of Nix 2.34
    assert PATHS.text(sha256(b"hello"), "hello.txt").endswith("-hello.txt")
    assert StorePaths("/tmp/x").text(sha256(b"hello"), "a") != PATHS.text(sha256(b"hello"), "a")


def test_a_path_is_a_directory_and_a_base_name() -> None:
    assert PATHS.full(PATHS.base(GOOD)) == GOOD


def test_what_nix_takes_for_a_store_path() -> None:
    tidy = GOOD.rpartition("/")[2]
    for odd in (f"//nix//store/./{tidy}", f"/nix/store/../store/{tidy}/"):
        assert PATHS.base(odd) == tidy
    dashless = tidy.replace("-", "x", 1)  # what stands between hash and name is not looked at
    assert PATHS.base(f"/nix/store/{dashless}") == dashless


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "is empty"),
        ("nix/store/x", "not an absolute path"),
        ("/nix/store", "not in the Nix store"),
        ("/nix/store/", "not in the Nix store"),
        ("/etc/passwd", "not in the Nix store"),
        (f"{GOOD}/bin", "not in the Nix store"),
        ("/nix/store/..", "not in the Nix store"),
        (GOOD.replace("bc3", "bce"), "illegal base-32 character"),
        (GOOD[:44], "must not be empty"),
        (GOOD + "\0", "illegal character"),
        (GOOD + "é", "illegal character"),
        (GOOD + "x" * 211, "no longer than"),
    ],
)
def test_what_is_no_store_path(path: str, why: str) -> None:
    with pytest.raises(Refusal, match=why) as caught:
        PATHS.base(path)
    assert caught.value.ends


@pytest.mark.parametrize("name", ["a", "a-b_c.d+e?f=g", "0", "...", ".x", "x" * 211])
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".-a", "..-a", "a/b", "a b", "a\n", "x" * 212])
def test_bad_names(name: str) -> None:
    with pytest.raises(Refusal):
        check_name(name)


def test_only_a_sha256_of_a_nar_may_have_references() -> None:
    PATHS.fixed("r:", sha256(b""), "a", [GOOD], refers_to_itself=True)
    with pytest.raises(Refusal, match="not allowed to refer"):
        PATHS.fixed("", sha256(b""), "a", [GOOD])


def test_the_name_of_an_output() -> None:
    assert (output_name("a", "out"), output_name("a", "dev")) == ("a", "a-dev")
