# deb.sh WORK FIRST SECOND: the life of a package on a copy of this machine's
# root. It must be in a mount namespace of its own, which takes all away at its end.
set -euo pipefail
work=$1 first=$2 second=$3
mount -t tmpfs tmpfs "$work"
mkdir "$work"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
mount -t proc proc "$work/root/proc"
mount --bind /dev "$work/root/dev"
cp "$first" "$work/root/first.deb"
cp "$second" "$work/root/second.deb"
box=(chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive) # run without a function, so that $! is the program
as=("${box[@]}" setpriv --reuid tram --regid tram --clear-groups env TRAM_HUB_CONFIG=/var/lib/tram/hub.yaml)
serving=
trap '[ -z "$serving" ] || kill -KILL "$serving" 2>/dev/null || true' EXIT
fail() { echo "deb.sh: $*" >&2; exit 1; }

"${box[@]}" dpkg -i /first.deb | tee "$work/said"
grep -q 'hub init' "$work/said" || fail "it does not say the next command"
[ "$("${box[@]}" stat -c '%U %a' /var/lib/tram)" = 'tram 700' ] || fail "/var/lib/tram is not the user's own"
"${box[@]}" test ! -e /var/lib/tram/hub.yaml || fail "it made a hub by itself"
for page in hub hub-check agency-submit auditor-verify; do "${box[@]}" test -s /usr/share/man/man1/$page.1.gz || fail "no page $page"; done
"${box[@]}" bash -n /usr/share/bash-completion/completions/hub
"${box[@]}" systemd-analyze verify --man=no /lib/systemd/system/tram-hub.service 2>&1 | grep tram-hub && fail "the unit is wrong"
"${box[@]}" systemd-analyze verify --man=no /lib/systemd/system/tram-agent@.service 2>&1 | grep tram-agent && fail "the agent's unit is wrong"
[ "$("${box[@]}" stat -c '%U:%G %a' /etc/tram-agent)" = 'root:tram-agent 750' ] || fail "others may read the agents' settings"

"${as[@]}" agency keygen /var/lib/tram/ca --authority --name 'Test CA' >/dev/null
"${as[@]}" hub init /var/lib/tram --listen 127.0.0.1:38443 --operators 127.0.0.1:38444 --roots /var/lib/tram/ca.crt
serve() {
	"${as[@]}" hub serve >/dev/null 2>&1 & serving=$!
	for _ in $(seq 100); do "${as[@]}" hub check --live 2>/dev/null && return; sleep 0.2; done
	fail "the hub does not serve"
}
stop() { kill -TERM "$serving"; wait "$serving" || fail "the hub did not stop well"; serving=; }
"${as[@]}" hub config check
serve
"${as[@]}" hub agency put H12.07 --name 'Sở Tài chính' --certificate /var/lib/tram/ca.crt
stop

echo '# mine' >>"$work/root/etc/default/tram-hub"
"${box[@]}" dpkg -i /second.deb
"${box[@]}" hub --version | grep -q '0.1.0~2' || fail "not upgraded"
grep -q '# mine' "$work/root/etc/default/tram-hub" || fail "the upgrade overwrote a configuration file"
serve
"${as[@]}" hub agency list | grep -q H12.07 || fail "the upgrade lost the registry"
stop

"${box[@]}" dpkg --remove tram
"${box[@]}" test -s /var/lib/tram/ledger.db || fail "removing the package deleted the record"
"${box[@]}" test ! -e /usr/bin/hub || fail "not removed"
"${box[@]}" dpkg -i /second.deb >/dev/null
"${box[@]}" dpkg --purge tram 2>&1 | tee "$work/said"
"${box[@]}" test -s /var/lib/tram/ledger.db || fail "purging deleted the record without an answer"
"${box[@]}" test ! -e /etc/default/tram-hub || fail "purging left a configuration file"
"${box[@]}" dpkg -i /second.deb >/dev/null
echo 'tram tram/purge-record boolean true' | "${box[@]}" debconf-set-selections
"${box[@]}" dpkg --purge tram
"${box[@]}" test ! -e /var/lib/tram || fail "the answer was to delete the record"
"${box[@]}" test ! -e /etc/tram-agent || fail "purging left an empty directory"
echo "all is well"
