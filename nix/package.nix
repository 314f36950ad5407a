# The package as nixpkgs would take it; there `src` would be fetchFromGitHub.
{
  lib,
  python3Packages,
  versionCheckHook,
}:

python3Packages.buildPythonApplication {
  pname = "pix-inspect";
  version = lib.head (
    builtins.match ".*\n__version__ = \"([^\"]*)\".*" (builtins.readFile ../src/pix/__init__.py)
  );
  pyproject = true;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../LICENSE
      ../README.md
      ../pyproject.toml
      ../recordings
      ../scripts/wheel_data.py
      ../src
    ];
  };

  # completions and man pages are made by the build and lie in the wheel's data
  build-system = [
    python3Packages.hatchling
    python3Packages.shtab
  ];

  dependencies = [ python3Packages.textual ];

  optional-dependencies = {
    re2 = [ python3Packages.google-re2 ];
    zstd = [ python3Packages.zstandard ];
  };

  # The tests drive real daemons, terminals and browsers: `make check` in a checkout runs them.
  pythonImportsCheck = [
    "pix.daemon"
    "pix_inspect"
    "pix_store"
  ];
  nativeInstallCheckInputs = [ versionCheckHook ];

  meta = {
    description = "Interactive protocol debugger for Nix: relay, decode, record and browse the daemon protocol";
    license = lib.licenses.mit;
    mainProgram = "pix-inspect";
    platforms = lib.platforms.unix;
  };
}
