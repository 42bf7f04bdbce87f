# The one door: everything here ends in meson and ninja.  HACKING.md says what each target is for.
MESON ?= meson
NINJA ?= ninja
FUZZ_SECONDS ?= 60
Q = @

.PHONY: all deps demo test test-unit test-live test-asan test-fuzz static bench install clean

all: build/build.ninja
	$(Q)$(NINJA) -C build --quiet

build/build.ninja:
	$(Q)command -v $(MESON) >/dev/null || { echo "meson is not installed: \`make deps\` installs what the build needs"; exit 1; }
	$(Q)$(MESON) setup build . >build.log 2>&1 || { cat build.log; rm -rf build build.log; \
		echo "\`make deps\` installs what the build needs"; exit 1; }
	$(Q)rm -f build.log

deps:
	$(Q)tools/deps

demo:
	$(Q)tools/deps build
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tools/demo build/spile

test:
	$(Q)tools/deps build test
	$(Q)$(MAKE) --no-print-directory test-unit test-live test-asan test-fuzz

test-unit: all
	$(Q)$(MESON) test -C build --no-rebuild --print-errorlogs

test-live: all
	$(Q)tests/live/run --spile build/spile

# The same tests under the address and undefined-behaviour sanitizers.
test-asan:
	$(Q)[ -f build/asan/build.ninja ] || $(MESON) setup build/asan . -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	$(Q)$(NINJA) -C build/asan --quiet
	$(Q)ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 $(MESON) test -C build/asan --no-rebuild --print-errorlogs

test-fuzz:
	$(Q)[ -f build/fuzz/build.ninja ] || CC=clang $(MESON) setup build/fuzz . -Dfuzz=true -Db_sanitize=address,undefined \
		-Db_lundef=false >/dev/null
	$(Q)$(NINJA) -C build/fuzz --quiet
	$(Q)tests/fuzz/run $(FUZZ_SECONDS) build/fuzz

static:
	$(Q)tools/deps build static
	$(Q)[ -f build/static/build.ninja ] || $(MESON) setup build/static . -Dstatic=true --buildtype=release >/dev/null
	$(Q)$(NINJA) -C build/static --quiet spile

bench: all
	$(Q)tools/deps bench
	$(Q)bench/run --spile build/spile

install: all
	$(Q)$(MESON) install -C build --no-rebuild

clean:
	$(Q)rm -rf build
