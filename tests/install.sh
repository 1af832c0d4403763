# Sourced by tests/run: installs what builds and tests need on a bare Debian 12.

packages_needed() {
    echo build-essential meson ninja-build pkg-config libmicrohttpd-dev libevent-dev \
        libsqlite3-dev libhiredis-dev libjansson-dev libgnutls28-dev uthash-dev libinih-dev \
        zlib1g-dev libcmocka-dev python3 python3-pytest python3-pytest-timeout \
        python3-pytest-xdist python3-jwt python3-cryptography openssl iproute2 procps git
    command -v nginx >/dev/null || echo nginx-light
    command -v haproxy >/dev/null || echo haproxy
    command -v redis-server >/dev/null || echo redis-server
    [ "$1" = all ] || return 0
    echo chromium clang libclang-rt-14-dev
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

is_installed() {
    dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed'
}

# install_packages all|quick. Debian starts services as it installs them; ours are started by the
# tests alone. A fresh machine may still be updating itself: apt waits for that.
install_packages() {
    local missing="" package sudo="" policy=/usr/sbin/policy-rc.d made=no
    for package in $(packages_needed "$1"); do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "installing:$missing"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "as root: apt-get install$missing" >&2
            return 1
        }
        sudo=sudo
    fi
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
        $sudo chmod 755 "$policy"
        made=yes
    fi
    local status=0
    {
        $sudo apt-get update -q &&
            $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
                -o DPkg::Lock::Timeout=300 --no-install-recommends $missing
    } </dev/null >/tmp/tidings-apt.$$ 2>&1 || status=$?
    [ "$made" = no ] || $sudo rm -f "$policy"
    [ "$status" = 0 ] || tail -20 "/tmp/tidings-apt.$$"
    rm -f "/tmp/tidings-apt.$$"
    return "$status"
}
