# What the flake needs of nixpkgs, and no more: enough to evaluate it where nixpkgs cannot be had.
{
  outputs =
    { self }:
    {
      lib = import ./lib.nix;
      legacyPackages = self.lib.genAttrs [
        "aarch64-darwin"
        "aarch64-linux"
        "x86_64-darwin"
        "x86_64-linux"
      ] (system: import ./packages.nix { inherit system; inherit (self) lib; });
    };
}
