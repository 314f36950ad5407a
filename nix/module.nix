# services.pix-inspect: a relay that records what passes between nix clients and the nix-daemon.
#
# The daemon sees the relay's user, not the client's. That user is unprivileged here, and not
# trusted by the daemon unless `nix.settings.trusted-users` names it: nobody gains anything by
# going through the relay.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.pix-inspect;
  inherit (lib) mkOption types;
  daemonSocket = "/nix/var/nix/daemon-socket/socket";
  behind = "/run/pix-inspect-upstream/socket";
  everybody = lib.elem "all" cfg.allowedUsers;
in
{
  options.services.pix-inspect = {
    enable = lib.mkEnableOption "pix-inspect, a relay that records the traffic of the nix-daemon";

    package = mkOption {
      type = types.package;
      default = pkgs.pix-inspect or (pkgs.callPackage ./package.nix { });
      defaultText = lib.literalExpression "pkgs.pix-inspect";
      description = "The package to use.";
    };

    placement = mkOption {
      type = types.enum [
        "beside"
        "in-front"
      ];
      default = "beside";
      description = ''
        `beside`: clients come to the relay when `NIX_REMOTE` names its socket, all others go to the
        daemon. `in-front`: the relay takes the daemon's own socket and every client passes it; the
        daemon then sees one user, that of the relay, for all of them.
      '';
    };

    socket = mkOption {
      type = types.path;
      default = if cfg.placement == "in-front" then daemonSocket else "/run/pix-inspect/socket";
      defaultText = lib.literalMD "`/run/pix-inspect/socket`, in front the daemon's own";
      description = "The socket for clients.";
    };

    upstream = mkOption {
      type = types.path;
      default = if cfg.placement == "in-front" then behind else daemonSocket;
      defaultText = lib.literalMD "the daemon's socket";
      description = "The socket of the daemon.";
    };

    user = mkOption {
      type = types.str;
      default = "pix-inspect";
      description = "The user whom the daemon sees. `root` would make every client trusted.";
    };

    group = mkOption {
      type = types.str;
      default = "pix-inspect";
      description = "The group that may read the recordings.";
    };

    allowedUsers = mkOption {
      type = types.listOf types.str;
      default = [ "all" ];
      example = [
        "alice"
        "hydra"
      ];
      description = "Who may connect, beside the relay's own user: names, or `all`.";
    };

    directory = mkOption {
      type = types.str;
      default = "pix-inspect";
      description = "The folder of the recordings, below `/var/lib`.";
    };

    payload = mkOption {
      type = types.str;
      default = "64K";
      example = "none";
      description = "How much to keep of each NAR, upload or log: a size, `full` or `none`.";
    };

    maxSize = mkOption {
      type = types.str;
      default = "256M";
      description = "The size at which a recording goes on in a new file.";
    };

    keep = mkOption {
      type = types.ints.positive;
      default = 4;
      description = "How many files of that size are kept.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.user != "root";
        message = "services.pix-inspect.user: as root the relay would make every client trusted";
      }
    ];

    environment.systemPackages = [ cfg.package ];

    users.users = lib.mkIf (cfg.user == "pix-inspect") {
      pix-inspect = {
        isSystemUser = true;
        inherit (cfg) group;
        description = "relay in front of the nix-daemon";
      };
    };
    users.groups = lib.mkIf (cfg.group == "pix-inspect") { pix-inspect = { }; };

    systemd.sockets.nix-daemon = lib.mkIf (cfg.placement == "in-front") {
      # the empty string takes back what the unit of Nix itself listens on
      listenStreams = [
        ""
        behind
      ];
      socketConfig.SocketMode = lib.mkForce "0660";
      socketConfig.SocketGroup = lib.mkForce cfg.group;
    };

    systemd.sockets.pix-inspect = {
      description = "Socket of the relay in front of the nix-daemon";
      wantedBy = [ "sockets.target" ];
      before = [ "multi-user.target" ];
      listenStreams = [ cfg.socket ];
      socketConfig.SocketMode = if cfg.allowedUsers == [ ] then "0600" else "0666";
      socketConfig.SocketUser = cfg.user;
    };

    systemd.services.pix-inspect = {
      description = "Relay that records the traffic of the nix-daemon";
      requires = [ "pix-inspect.socket" ];
      after = [
        "nix-daemon.socket"
        "pix-inspect.socket"
      ];
      # a new version must not end the builds that pass it
      restartIfChanged = false;
      environment.NIX_DAEMON_SOCKET_PATH = cfg.upstream;
      script = ''
        exec ${lib.getExe cfg.package} record \
          --output "$STATE_DIRECTORY/$(date +%Y%m%d-%H%M%S)-$$.pcapng" \
          --file-mode 0640 \
          --payload ${lib.escapeShellArg cfg.payload} \
          --max-size ${lib.escapeShellArg cfg.maxSize} --keep ${toString cfg.keep} \
          ${lib.concatMapStringsSep " " (name: "--allow-user ${lib.escapeShellArg name}") (
            if everybody then [ "all" ] else cfg.allowedUsers
          )}
      '';
      serviceConfig = {
        User = cfg.user;
        Group = cfg.group;
        UMask = "0027";
        StateDirectory = cfg.directory;
        StateDirectoryMode = "0750";
        Restart = "on-failure";
        KillSignal = "SIGTERM";
        TimeoutStopSec = "30s";
        LimitNOFILE = 65536;

        CapabilityBoundingSet = "";
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        NoNewPrivileges = true;
        PrivateDevices = true;
        PrivateTmp = true;
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHome = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectSystem = "strict";
        RemoveIPC = true;
        # the kernel's socket diagnosis, which says what is not read, is asked over netlink
        RestrictAddressFamilies = [
          "AF_NETLINK"
          "AF_UNIX"
        ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        SystemCallArchitectures = "native";
        SystemCallFilter = [
          "@system-service"
          "~@privileged"
        ];
      };
    };
  };
}
