# The one door: everything here ends in meson and ninja.  HACKING.md says what each target is for.
MESON ?= meson
NINJA ?= ninja
Q = @

FUZZ_SECONDS ?= 60
export FUZZ_SECONDS

.PHONY: all deps demo test test-unit test-live test-stacks test-tools test-browser test-asan test-fuzz test-vm test-vm-all vm-shell static bench install clean

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
	$(Q)tests/run

test-unit test-live test-stacks test-tools test-browser test-asan test-fuzz: test-%:
	$(Q)tests/run $*

# Kernels of Debian in QEMU: KERNEL=6.1, 6.12 or sid; tests/vm/run says more.
KERNEL ?= 6.1
test-vm test-vm-all vm-shell: all
	$(Q)tools/deps build test vm
	$(Q)tests/vm/run $(if $(filter vm-shell,$@),--shell $(KERNEL),$(if $(filter test-vm-all,$@),--tools --limit 2400 all,$(KERNEL)))

static:
	$(Q)tools/deps build
	$(Q)[ -f build/static/build.ninja ] || $(MESON) setup build/static . -Dstatic=true >/dev/null
	$(Q)$(NINJA) -C build/static --quiet spile

bench: all
	$(Q)tools/deps bench
	$(Q)bench/run --spile build/spile

install: all
	$(Q)$(MESON) install -C build --no-rebuild

clean:
	$(Q)rm -rf build
