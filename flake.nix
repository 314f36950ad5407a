{
  description = "pix-inspect: watch, record and take apart the Nix daemon protocol";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "aarch64-darwin"
        "aarch64-linux"
        "x86_64-darwin"
        "x86_64-linux"
      ];
      eachSystem = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = eachSystem (pkgs: rec {
        pix-inspect = pkgs.callPackage ./nix/package.nix { };
        default = pix-inspect;
      });

      overlays.default = final: _: {
        pix-inspect = final.callPackage ./nix/package.nix { };
      };

      apps = eachSystem (pkgs: {
        default = {
          type = "app";
          program = lib.getExe self.packages.${pkgs.stdenv.hostPlatform.system}.default;
          meta.description = "Watch, record and take apart the Nix daemon protocol";
        };
      });

      nixosModules.default = ./nix/module.nix;

      devShells = eachSystem (pkgs: {
        default = pkgs.mkShell {
          # `make` installs the Python packages into .venv; these are what it and the tests run
          packages = [
            pkgs.chromium
            pkgs.gnumake
            pkgs.python3
            pkgs.socat
            pkgs.strace
            pkgs.tmux
            pkgs.wireshark-cli
          ];
        };
      });

      checks = eachSystem (pkgs: {
        package = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
      });

      formatter = eachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
