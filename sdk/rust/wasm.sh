#!/bin/sh
# Builds the crate of the working folder as a WebAssembly module:
#
#     sh wasm.sh NAME MODULE     crate NAME; writes MODULE
#
# with $CARGO and $RUSTC where they have the target, else with those of the system's
# packages (Debian's libstd-rust-dev-wasm32 is of another version than rustup's).
set -eu
name=$1 module=$2
target=wasm32-unknown-unknown

# Whether a rustc has the target's standard library.
has() {
    dir=$("$1" --print target-libdir --target $target 2>/dev/null) && ls "$dir"/libcore-*.rlib >/dev/null 2>&1
}

if has "${RUSTC:-rustc}"; then
    cargo=${CARGO:-cargo}
elif [ -x /usr/bin/cargo ] && has /usr/bin/rustc; then
    cargo=/usr/bin/cargo
    RUSTC=/usr/bin/rustc
    export RUSTC
else
    cat >&2 <<EOF
error: no Rust compiler with the target $target. Install one:
           rustup target add $target
       or, on Debian and Ubuntu, without rustup:
           sudo apt-get install cargo rustc libstd-rust-dev-wasm32 lld
EOF
    exit 1
fi

# The same sources give the same bytes wherever they are built, so that operators
# can check what an author says: no paths of this machine. A crash shows functions by
# their names. The host has SIMD and bulk memory.
separator=$(printf '\037')
flags=-Ctarget-feature=+simd128,+bulk-memory
for flag in -Csymbol-mangling-version=v0 -Clink-arg=--demangle \
    --remap-path-prefix="$(pwd -P)"=. --remap-path-prefix="${CARGO_HOME:-${HOME:-}/.cargo}"=cargo; do
    flags=$flags$separator$flag
done
export CARGO_ENCODED_RUSTFLAGS="$flags"
"$cargo" build --quiet --release --lib --target $target --target-dir target
cp "target/$target/release/$(echo "$name" | tr - _).wasm" "$module"
