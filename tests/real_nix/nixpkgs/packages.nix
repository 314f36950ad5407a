# Packages by name only: derivations that are never built.
{ system, lib }:
let
  package =
    name: more:
    derivation {
      inherit name system;
      builder = "/never/built";
    }
    // {
      meta.mainProgram = name;
    }
    // more;
  named = names: lib.genAttrs names (name: package name { });
  python3Packages = named [
    "google-re2"
    "hatchling"
    "shtab"
    "textual"
    "zstandard"
    "grpcio"
    "grpcio-reflection"
    "protobuf"
  ] // {
    buildPythonApplication =
      arguments:
      package "${arguments.pname}-${arguments.version}" {
        inherit (arguments) version meta;
        inherit arguments;
      };
  };
  pkgs =
    named [
      "chromium"
      "gnumake"
      "nixfmt-tree"
      "python3"
      "socat"
      "strace"
      "tmux"
      "wireshark-cli"
      "versionCheckHook"
    ]
    // {
      inherit lib pkgs python3Packages;
      stdenv = {
        hostPlatform = { inherit system; };
        buildPlatform.canExecute = _: true;
      };
      mkShell = { packages }: builtins.seq (map (each: each.drvPath) packages) (package "shell" { });
      callPackage =
        path: extra:
        let
          function = import path;
        in
        function (builtins.intersectAttrs (builtins.functionArgs function) pkgs // extra);
    };
in
pkgs
