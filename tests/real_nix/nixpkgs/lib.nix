# The functions of nixpkgs' lib that the flake calls, and an evaluator of one module.
let
  type = name: check: { inherit name check; };
in
rec {
  genAttrs =
    names: make:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = make name;
      }) names
    );
  getExe = package: "${package}/bin/${package.meta.mainProgram}";
  inherit (builtins) head elem concatStringsSep;
  optionalString = wanted: text: if wanted then text else "";
  concatMapStringsSep =
    separator: make: list:
    concatStringsSep separator (map make list);
  escapeShellArg = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";
  fileset = {
    unions = files: assert builtins.all builtins.pathExists files; files;
    toSource = { root, fileset }: builtins.seq (builtins.length fileset) root;
  };
  licenses.mit.spdxId = "MIT";
  platforms.unix = [ "unix" ];

  types = {
    str = type "str" builtins.isString;
    path = type "path" (value: builtins.isString value && builtins.substring 0 1 value == "/");
    package = type "package" (value: value ? outPath || builtins.isAttrs value);
    bool = type "bool" builtins.isBool;
    ints.positive = type "positive" (value: builtins.isInt value && value > 0);
    enum = allowed: type "enum" (value: builtins.elem value allowed);
    listOf = element: type "list" (value: builtins.isList value && builtins.all element.check value);
  };
  mkOption = option: option // { _type = "option"; };
  mkEnableOption =
    description:
    mkOption {
      type = types.bool;
      default = false;
      inherit description;
    };
  literalExpression = text: text;
  literalMD = text: text;
  mkForce = value: value;
  mkIf = wanted: value: if wanted then value else { };

  # The config of one module with these settings of `services.pix-inspect`.
  evaluated =
    module: pkgs: settings:
    let
      said = module {
        inherit pkgs lib config;
      };
      lib = import ./lib.nix;
      option =
        name: declared:
        let
          value = settings.${name} or declared.default;
        in
        if declared.type.check value then value else throw "services.pix-inspect.${name} is not a ${declared.type.name}";
      config.services.pix-inspect = builtins.mapAttrs option said.options.services.pix-inspect;
      unknown = builtins.attrNames (builtins.removeAttrs settings (builtins.attrNames config.services.pix-inspect));
    in
    if unknown != [ ] then throw "no such option: ${toString unknown}" else said.config;
}
