# The package as nixpkgs would take it; there `src` would be fetchFromGitHub.
{
  lib,
  python3Packages,
  installShellFiles,
  stdenv,
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
      ../src
    ];
  };

  build-system = [ python3Packages.hatchling ];

  dependencies = [ python3Packages.textual ];

  optional-dependencies = {
    re2 = [ python3Packages.google-re2 ];
    zstd = [ python3Packages.zstandard ];
  };

  nativeBuildInputs = [ installShellFiles ];

  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    installShellCompletion --cmd pix-inspect \
      --bash <($out/bin/pix-inspect completion bash) \
      --zsh <($out/bin/pix-inspect completion zsh) \
      --fish <($out/bin/pix-inspect completion fish)
    $out/bin/pix-inspect manual --man man
    installManPage man/*
  '';

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
