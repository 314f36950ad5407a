# What people do with Nix on an ordinary day, for any client and any daemon: a function for each.
#
# Each runs in a folder of its own. $new is true from Nix 2.4 on, $newer from 2.26 on; $web is an
# HTTP server on loopback that has $WEB/*. @system@, @public@ and @secret@ are put in when it is read.
# What no two runs have in common is printed nowhere.

set -u
new=$(nix-store --version | grep -q ' 2\.3\.' || echo true)
newer=$(nix-store --version | grep -qE ' 2\.(3|8)\.' || echo true)
mk() { printf 'derivation {
 name = "%s"; system = "@system@"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
 args = [ "-c" '"''"'%s'"''"' ]; %s
}\n' "$1" "$2" "${3:-}" >"$1.nix"; }
pkg() { mk "$1" "mkdir -p \$out/bin \$out/share; echo $1 >\$out/bin/${2:-$1}; echo $1 >\$out/share/${1%%-*}" "${3:-}"; }
did() { "$@"; echo "[status $?]"; }
floating='__contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256";'
absent=$NIX_STORE_DIR/00000000000000000000000000000000-absent

s_collecting() {
  P="-p $PWD/profile"; pkg one-1.0 one; pkg one-1.1 one; did nix-env $P -f one-1.0.nix -i; did nix-env $P -f one-1.1.nix -u
  ln -s $PWD/profile* $NIX_STATE_DIR/profiles/ 2>/dev/null; mk dead 'echo dead >$out'; p=$(nix-build --no-out-link dead.nix)
  did nix-collect-garbage -d | tail -1; ls -d $p 2>&1; cat profile/bin/one; did nix-env $P -q
  did nix-collect-garbage | tail -1; did nix-store --gc --max-freed 1 | tail -1
  if [ $new ]; then did nix store gc | tail -1; did nix store delete $absent; fi
}

s_adding() {
  mkdir -p t/a/b t/empty; echo x >t/x; printf '#!/bin/sh\n' >t/a/run; chmod +x t/a/run
  ln -s ../x t/a/link; echo hello >f
  did nix-store --add f t
  did nix-store --add-fixed sha256 f; did nix-store --add-fixed --recursive sha1 t
  did nix-store --add-fixed sha512 f; did nix-store --add nothere
  if [ $new ]; then did nix store add-path ./t; did nix store add-file ./f
  else did nix add-to-store ./t; fi
}

s_asking() {
  mk dep 'echo $name >$out'; mk top 'echo $dep $out >$out' 'dep = import ./dep.nix;'
  d=$(nix-instantiate top.nix); p=$(nix-store -r $d); q=$(nix-build --no-out-link dep.nix)
  for w in references requisites tree graph deriver outputs hash size roots; do
      did nix-store -q --$w $p; done
  for w in referrers referrers-closure; do did nix-store -q --$w $q; done
  did nix-store -q --outputs $d; did nix-store -q --binding name $d
  did nix-store -qR --include-outputs $d; did nix-store -q --references $d
}

s_absent() {
  did nix-store -q --references $absent; did nix-store -q --hash $absent
  did nix-store -q --requisites $absent; did nix-store -r $absent
  did nix-store --check-validity --print-invalid $absent; did nix-store --check-validity $absent
  did nix-store -r $absent.drv; did nix path-info $absent; did nix-store -q --outputs $absent.drv
}

s_verifying() {
  echo x >f; p=$(nix-store --add f); did nix-store --verify-path $p; did nix-store --verify
  chmod u+w $p; echo bad >$p; did nix-store --verify-path $p
  did nix-store --verify --check-contents; did nix-store --delete $p
  if [ $new ]; then p=$(nix-store --add f); did nix store verify --no-trust $p; fi
}

s_optimising() {
  seq 1000 >f; mkdir g; cp f g/h; p=$(nix-store --add f); q=$(nix-store --add g)
  did nix-store --optimise; [ $p -ef $q/h ] && echo linked
  did nix-store --verify --check-contents; did nix-store --delete $p $q
}

s_roots() {
  mk a 'echo a >$out'; p=$(nix-build -o res a.nix); echo live >f; q=$(nix-store --add f)
  did nix-store -q --roots $p; did nix-store --gc --print-roots | grep tmp/s_roots
  did nix-store --gc --print-live | grep -c -e -a$; did nix-store --gc --print-dead | grep -e -f$
  did nix-store --delete $p; did nix-store --delete --ignore-liveness $p
  did nix-store --delete $q; rm res; did nix-store --delete $p
}

s_root_names() {
  mk a 'echo a >$out'; did nix-instantiate --add-root $PWD/g/drv --indirect a.nix
  did nix-store -r --add-root $PWD/g/out --indirect $(readlink g/drv); readlink g/drv g/out
  did nix-store --gc --print-roots | grep tmp/s_root_names/g; did nix-build -o x/res a.nix
}

s_exporting() {
  mk dep 'echo d >$out'; mk top 'echo $dep $out >$out' 'dep = import ./dep.nix;'
  p=$(nix-build --no-out-link top.nix); all=$(nix-store -qR $p)
  did nix-store --export $all >x; grep -a status x
  did nix-store --delete $all >y; did nix-store --import <x; did nix-store --import <y
}

s_reading() {
  mkdir t; seq 9000 >t/x; ln -s x t/l; p=$(nix-store --add t); did nix-store --dump $p | cksum
  if [ $new ]; then did nix store ls -lR $p; did nix store cat $p/x | cksum
      did nix store dump-path $p | cksum; did nix store cat $p/y; did nix store ls $absent
  else did nix ls-store -R $p; did nix cat-store $p/x | cksum; did nix dump-path $p | cksum; fi
}

s_path_info() {
  mk a 'echo a >$out'; p=$(nix-build --no-out-link a.nix); did nix path-info -rsSh $p
  did nix path-info --json $p | tr , '\n' | grep -v registration; did nix path-info --sigs $p
  did nix path-info --all | wc -l
}

s_evaluating() {
  echo s >s; mk a 'echo a >$out'
  did nix-instantiate --eval --read-write-mode -E 'let p = builtins.path { path = ./s; name = "n"; };
      t = builtins.toFile "t" "text"; in builtins.readFile (import ./a.nix) + p + t'
  did nix-instantiate -E 'throw "no"'; did nix-instantiate a.nix
  did nix-instantiate --eval -E 'builtins.storePath (import ./a.nix)'
}

s_building() {
  echo s >src; mk d0 'echo start; cat $src >$out; echo end >&2' 'src = ./src;'
  for i in 1 2 3; do mk d$i 'echo building $name; cat $p >$out' "p = import ./d$((i-1)).nix;"; done
  did nix-build --no-out-link d3.nix; did nix-build --no-out-link d3.nix
  did nix-build d3.nix; readlink result; did nix-store -l $(readlink result)
  did nix log $(readlink result)
}

s_failing() {
  mk bad 'echo one; echo two; exit 3'; mk good 'echo g >$out'; mk none 'echo nothing'
  mk top 'echo $bad $good >$out' 'bad = import ./bad.nix; good = import ./good.nix;'
  did nix-build --no-out-link bad.nix; did nix-build --no-out-link -k top.nix
  did nix-build --no-out-link none.nix; did nix-build --no-out-link -A x good.nix
  mk far 'echo' 'x = 1;'; sed -i s/x86_64/riscv64/ far.nix; did nix-build far.nix
}

s_several_outputs() {
  mk m 'echo $dev >$out; echo d >$dev; echo e >$doc' 'outputs = [ "out" "dev" "doc" ];'
  d=$(nix-instantiate m.nix); did nix-store -r $d; did nix-store -q --outputs $d
  did nix-store -r $d!dev; did nix-build --no-out-link -A doc m.nix
  did nix-store -r $d!nope; did nix-build -A dev m.nix; ls -d result*
}

s_fixed_outputs() {
  h=$(echo data | sha256sum | cut -d' ' -f1); f='outputHashMode = "flat"; outputHashAlgo = "sha256";'
  mk good 'echo data >$out' "$f outputHash = \"$h\";"; did nix-build --no-out-link good.nix
  mk bad 'echo other >$out' "$f outputHash = \"$h\";"; did nix-build --no-out-link bad.nix
  mk tree 'mkdir $out; echo data >$out/f' 'outputHashMode = "recursive"; outputHashAlgo = "sha256";
      outputHash = "0000000000000000000000000000000000000000000000000000";'
  did nix-build --no-out-link tree.nix; did nix-store -q --references $(nix-build --no-out-link good.nix)
}

s_floating_outputs() {
  [ $new ] || return 0
  mk c1 'echo c >$out' "$floating"; mk c2 'echo $c $out >$out' "c = import ./c1.nix; $floating"
  mk top 'cat $c >$out' 'c = import ./c2.nix;'
  p=$(nix-build --no-out-link c2.nix); echo $p; did nix-store -qR $p; did nix-build --no-out-link top.nix
  did nix realisation info -f c2.nix; did nix-store -q --deriver $p
  did nix build --no-link -f c1.nix; did nix path-info -f c1.nix
}

s_once_more() {
  mk a 'echo a >$out'; d=$(nix-instantiate a.nix); did nix-store -r --check $d; nix-store -r $d
  did nix-store -r --check $d; mk b 'date +%N >$out'; d=$(nix-instantiate b.nix); nix-store -r $d
  did nix-store -r --check $d; did nix-build --no-out-link --check a.nix
}

s_dry_runs() {
  mk dep 'echo d >$out'; mk top 'cat $dep >$out' 'dep = import ./dep.nix;'
  did nix-build --dry-run top.nix; d=$(nix-instantiate top.nix); did nix-store -r --dry-run $d
  nix-build --no-out-link dep.nix; did nix-build --dry-run top.nix
  if [ $new ]; then did nix build --dry-run -f top.nix; fi
}

s_new_commands() {
  mk a 'echo hi; echo ok >$out'; if [ $new ]; then
      did nix build --no-link -L -f a.nix; did nix build --no-link --rebuild -f a.nix
      did nix build -f a.nix; readlink result; did nix eval -f a.nix name
      did nix build --no-link --expr 'derivation { name = "e"; system = "@system@"; builder = "/bin/sh";
          args = [ "-c" "exit 5" ]; }'
  else did nix build -f a.nix ""; readlink result; did nix eval "(1 + 1)"; did nix run -f a.nix "" -c true; fi
}

s_what_builders_see() {
  mk a 'cat $textPath; echo $NIX_STORE $HOME $NIX_BUILD_CORES >$out; env | cut -d= -f1 | sort' \
      'text = "in a file"; passAsFile = [ "text" ];'
  did nix-build --no-out-link a.nix; did cat $(nix-build --no-out-link a.nix)
  mk s 'cat $NIX_ATTRS_JSON_FILE; . $NIX_ATTRS_SH_FILE; echo $list >${outputs[out]}' \
      '__structuredAttrs = true; list = [ 1 "b" ]; flag = true; map.a = 1;'
  sed -i s,/bin/sh,/bin/bash, s.nix; [ $new ] && did nix-build --no-out-link s.nix
}

s_time() {
  mk a 'echo sleeping; sleep 30'; did nix-build --no-out-link --timeout 1 a.nix
  did nix-build --no-out-link --max-silent-time 1 a.nix
}

s_phases() {
  mk a 'echo "@nix { \"action\": \"setPhase\", \"phase\": \"unpackPhase\" }" >&2; echo working
      echo "@nix { \"action\": \"msg\", \"level\": 1, \"msg\": \"told\" }" >&2; echo a >$out'
  did nix-build --no-out-link a.nix; [ $new ] && did nix build --no-link -L --rebuild -f a.nix
}

s_nix_env() {
  P="-p $PWD/profile"; pkg one-1.0 one; pkg one-1.1 one; pkg two-1.0
  did nix-env $P -f one-1.0.nix -i one; did nix-env $P -q --out-path; ls -R profile/
  did nix-env $P -f one-1.1.nix -u one; did nix-env $P -f two-1.0.nix -i; cat profile/bin/*; cat profile/share/*
  did nix-env $P --rollback; did nix-env $P --list-generations | cut -c1-4
  did nix-env $P -G 1; did nix-env $P -q; did nix-env $P -e one; did nix-env $P -q
  did nix-env $P --delete-generations old; did nix-env $P --set -f two-1.0.nix two; readlink profile; ls profile/
  did nix-env $P -f one-1.0.nix -qaP; did nix-env $P -f one-1.0.nix -qas
}

s_conflicts() {
  P="-p $PWD/profile"; pkg one-1.0 tool; pkg two-1.0 tool; did nix-env $P -f one-1.0.nix -i
  did nix-env $P -f two-1.0.nix -i; did nix-env $P --set-flag priority 3 one
  did nix-env $P -f two-1.0.nix -i; cat profile/bin/tool; did nix-env $P --set-flag active false one
  cat profile/bin/tool; mk want 'mkdir -p $out/nix-support $out/bin; echo w >$out/bin/w; ln -s nowhere $out/bin/dangling
      echo $two >$out/nix-support/propagated-user-env-packages' 'two = import ./two-1.0.nix;'
  did nix-env -p $PWD/other -f want.nix -i; ls -A other/ other/bin; mk file 'echo x >$out'
  did nix-env -p $PWD/third -f file.nix -i; ls third/
}

s_channels() {
  mkdir ch; pkg pack-1.0; mv pack-1.0.nix ch/default.nix
  tar cJf nixexprs.tar.xz --mtime=@1 --owner=0 --group=0 ch
  did nix-channel --add file://$PWD mine; did nix-channel --list; did nix-channel --update
  did nix-env -p $PWD/profile -f '<mine>' -i pack; ls profile/bin
  sed -i s/1.0/1.1/ ch/default.nix; tar cJf nixexprs.tar.xz --mtime=@1 --owner=0 --group=0 ch
  did nix-channel --update mine; did nix-instantiate --eval -E '(import <mine>).name'
  did nix-channel --rollback; did nix-instantiate --eval -E '(import <mine>).name'
  echo broken >nixexprs.tar.xz; did nix-channel --update; did nix-channel --remove mine; did nix-channel --list
}

s_profiles() {
  [ $new ] || return 0
  add=$([ $newer ] && echo add || echo install); mkdir one two
  for n in one two; do pkg $n-1.0 $n; printf '{ outputs = _: { packages.@system@.default = import ./p.nix; }; }' >$n/flake.nix
      mv $n-1.0.nix $n/p.nix; done
  P="--profile $PWD/profile"; did nix profile install $P path:$PWD/one; ls profile/bin
  did nix profile install $P path:$PWD/two; did nix profile list $P; ls profile/bin
  sed -i 's/1\.0/1.1/' one/p.nix; did nix profile upgrade $P '.*one.*' --refresh; cat profile/bin/one
  did nix profile rollback $P; cat profile/bin/one; did nix profile history $P | sed 's/[0-9]*-[0-9]*-[0-9]*//'
  did nix profile diff-closures $P | wc -l; did nix profile remove $P $([ $newer ] && echo two || echo 1); ls profile/bin
  did nix profile wipe-history $P
}

s_nix_shell() {
  export NIX_BUILD_SHELL=/bin/bash; mk dep 'mkdir -p $out/bin; printf "#!/bin/sh\necho dep" >$out/bin/dep; chmod +x $out/bin/dep'
  mk a 'echo a >$out' 'dep = import ./dep.nix; word = "hello";'
  did nix-shell a.nix --run 'echo $word $name; $dep/bin/dep'
  did nix-shell --pure a.nix --run 'echo $word ${HOME+home}'
  did nix-shell a.nix --run 'exit 7'; did nix-shell -E 'import ./a.nix' --keep HOME --command 'echo ${dep##*-}'
}

s_flakes() {
  [ $new ] || return 0
  mkdir fl; cd fl; pkg tool-1.0 tool; sed -i 's,echo tool-1.0 >$out/bin/tool,printf "#!/bin/sh\\necho run" >$out/bin/tool; chmod +x $out/bin/tool,;s,/bin/sh";,/bin/bash"; word = "dev"; outputs = [ "out" ];,' tool-1.0.nix
  printf '{ outputs = _: { packages.@system@.default = import ./tool-1.0.nix; checks.@system@.c = import ./tool-1.0.nix; }; }' >flake.nix; cd ..
  F=path:$PWD/fl; did nix flake show $F; did nix build --no-link --print-out-paths $F || did nix build --no-link $F
  did nix run $F; did nix develop $F -c sh -c 'echo $word ${name}'; did nix shell $F -c tool
  did nix flake check $F; did nix flake metadata $F --json | tr , '\n' | grep -c narHash
  did nix print-dev-env $F | grep -c word=
}

get() { echo "import <nix/fetchurl.nix> { sha256 = \"$1\"; url = \"$2\"; ${3:-} }" >g.nix; did nix-build --no-out-link g.nix; }

s_fetching_in_vain() {
  h=$(echo data | sha256sum | cut -d' ' -f1); get $h $web/none; get $h file://$PWD/nothere
  get $h $web/none.xz 'unpack = true;'; get $h nonsense 'name = "x";'
}

s_fetching() {
  echo data >f; h=$(sha256sum <f | cut -d' ' -f1); mkdir t; echo x >t/x; ln -s x t/l
  get $h file://$PWD/f; get $h file://$PWD/f 'name = "other"; '; cp f $WEB/f; get $h $web/f 'name = "web";'
  echo more >>f; get $h file://$PWD/f 'name = "wrong";'; nix-store --dump t >n; xz -k n; r=$(sha256sum <n | cut -d' ' -f1)
  get $r file://$PWD/n 'unpack = true; name = "tree";'
  cp n.xz $WEB/; get $r $web/n.xz 'unpack = true; name = "xz";'; ls -l $(nix-build --no-out-link g.nix) | cut -c1-10
  did nix-prefetch-url file://$PWD/f
}

s_copying() {
  mk d1 'echo 1 >$out'; mk d2 'echo $d >$out' 'd = import ./d1.nix;'; p=$(nix-build --no-out-link d2.nix)
  did nix copy --to file://$PWD/cache $p; did nix-store --delete $(nix-store -qR $p)
  did nix copy --from file://$PWD/cache $p; did nix copy --no-check-sigs --from file://$PWD/cache $p
  did nix-store -qR $p; [ $new ] && did nix copy --from $NIX_REMOTE --to file://$PWD/again $p; ls cache/*.narinfo
}

s_signing() {
  mk a 'echo signed >$out'; p=$(nix-build --no-out-link a.nix); printf %s 'key-1:@secret@' >sk
  if [ $new ]; then did nix store sign -k sk $p; else did nix sign-paths -k sk $p; fi; did nix path-info --sigs $p
  did nix copy --to file://$PWD/cache $p; did nix-store --delete $p
  did nix copy --from file://$PWD/cache $p; did nix copy --option trusted-public-keys 'key-2:@public@' --from file://$PWD/cache $p
  did nix copy --option trusted-public-keys 'key-1:@public@' --from file://$PWD/cache $p; did nix-store --check-validity $p
}

s_settings() {
  mk a 'echo $NIX_BUILD_CORES >$out'; did nix-build --no-out-link --option no-such-setting 1 a.nix
  mk b 'echo $NIX_BUILD_CORES >$out' 'x = 1;'; did nix-build --no-out-link --cores 3 b.nix; cat $(nix-build --no-out-link b.nix)
  mk c 'echo c >$out' 'x = 2;'; did nix-build --no-out-link -j0 c.nix; did nix-build -Q --no-out-link c.nix
}
