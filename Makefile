# SPDX-License-Identifier: BSD-2-Clause
#
# Builds, tests and checks hvrun (GNU make). `make help` lists the targets.
#
# Sources are found by listing directories: a new file is built by being there. Objects lie in
# out/ARCH/VARIANT/, so architectures and sanitizer builds never disturb each other.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# -- What to build -----------------------------------------------------------------------------

HOST_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(patsubst riscv64,riscv,$(shell uname -m))))
ARCH    ?= $(HOST_ARCH)
# release, static, debug (asserts on), asan (with UBSan), tsan, cov, clang, fuzz, afl
VARIANT ?= release
V       ?= 0
PREFIX  ?= /usr/local
DESTDIR ?=

ifeq ($(filter x86 arm64 riscv,$(ARCH)),)
$(error ARCH=$(ARCH): hvrun is for x86, arm64 and riscv)
endif

HVRUN_VERSION := $(shell cat VERSION)
OUT := out/$(ARCH)/$(VARIANT)

# The floors of the house, lowest first. DIRS="base mm" builds and tests only a part of it.
DT_DIR := $(if $(filter x86,$(ARCH)),,arch/dt)
DIRS ?= base mm hw virtio cpu arch $(DT_DIR) arch/$(ARCH) vm $(patsubst %/,%,$(wildcard vm/*/)) cli
SRCS := $(sort $(foreach d,$(DIRS),$(wildcard $(d)/*.c)))
OBJS := $(SRCS:%.c=$(OUT)/obj/%.o) $(foreach d,$(DIRS),$(patsubst %.S,$(OUT)/obj/%.o,$(wildcard $(d)/*.S)))
# One archive a directory, so that a test links only what it uses.
LIBS_OWN := $(sort $(foreach s,$(SRCS),$(OUT)/lib/$(subst /,-,$(patsubst %/,%,$(dir $(s)))).a))

# arch/dt is no part of an x86 hvrun, but its tests and fuzzers run there too if libfdt is installed: the
# sanitizers and libFuzzer know this machine only.
DT_AS_WELL := $(if $(DT_DIR),,$(if $(wildcard /usr/include/libfdt.h),arch/dt))
DT_HERE := $(DT_DIR)$(DT_AS_WELL)
# So do those parts of an architecture that ask nothing of its KVM: each is tested and fuzzed everywhere.
PURE_SRCS := arch/x86/walk.c arch/arm64/walk.c arch/riscv/walk.c arch/riscv/isa.c arch/riscv/step.c \
	$(if $(DT_HERE),arch/arm64/tree.c arch/riscv/tree.c)
ALSO_SRCS := $(if $(DT_AS_WELL),$(wildcard $(DT_AS_WELL)/*.c)) $(filter-out arch/$(ARCH)/%,$(PURE_SRCS))
ALSO_LIB := $(OUT)/lib/also.a

# Tests and fuzzers of one architecture's code lie in a folder of its name.
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c tests/unit/$(ARCH)/test_*.c \
	$(if $(DT_HERE),tests/unit/dt/test_*.c)))
UNIT_BINS := $(patsubst %.c,$(OUT)/unit/%,$(notdir $(UNIT_SRCS)))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c tests/fuzz/$(ARCH)/fuzz_*.c \
	$(if $(DT_HERE),tests/fuzz/dt/fuzz_*.c)))
FUZZ_NAMES := $(patsubst fuzz_%.c,%,$(notdir $(FUZZ_SRCS)))
REPLAY_BINS := $(FUZZ_NAMES:%=$(OUT)/replay/fuzz_%)

# -- How to build it ---------------------------------------------------------------------------

include mk/flags.mk

# Results are written under another name, then renamed: a make beside this one, or a test that runs the
# old program, never sees half a file.
NEW = .new.$$$$
# The compiler names files of counts after the object: there the name must be the last one at once.
NEW_OBJ = $(if $(filter cov,$(VARIANT)),,$(NEW))

QUIET = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

all: hvrun

# ./hvrun is the release build for this machine, whatever ARCH and VARIANT say.
ifeq ($(ARCH)/$(VARIANT),$(HOST_ARCH)/release)
hvrun: $(OUT)/hvrun
	$(call QUIET,COPY,$@)cp $< $@$(NEW) && mv -f $@$(NEW) $@
else
.PHONY: hvrun
hvrun:
	@$(MAKE) ARCH=$(HOST_ARCH) VARIANT=release hvrun
endif

.PHONY: bin libs unit-bins replay-bins static
bin: $(OUT)/hvrun
libs: $(LIBS_OWN)
unit-bins: $(UNIT_BINS)
replay-bins: $(REPLAY_BINS)

# out/ARCH/hvrun: fully static, for any Linux of that architecture.
ifeq ($(VARIANT),static)
static: out/$(ARCH)/hvrun
out/$(ARCH)/hvrun: $(OUT)/hvrun
	$(call QUIET,STRIP,$@)$(STRIP) --strip-all --remove-section=.comment -o $@$(NEW) $< && mv -f $@$(NEW) $@
else
static:
	@$(MAKE) ARCH=$(ARCH) VARIANT=static static
endif

# The flags of the last build: objects are made anew when they change, and only then.
$(OUT)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(CC) $(CPPFLAGS) $(CFLAGS))' > $@$(NEW); \
	if cmp -s $@$(NEW) $@; then rm -f $@$(NEW); else mv -f $@$(NEW) $@; fi
.PHONY: FORCE
FORCE:

$(OUT)/obj/%.o: %.c $(OUT)/flags $(FOREIGN)
	@mkdir -p $(@D)
	$(call QUIET,CC,$(VARIANT) $<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@$(NEW_OBJ) $< \
	$(if $(NEW_OBJ),&& mv -f $@$(NEW_OBJ) $@)

# The names of the system calls, one a line: NAME(openat).
$(OUT)/gen/syscall_list.h: $(OUT)/flags
	@mkdir -p $(@D)
	$(call QUIET,GEN,$@)echo '#include <sys/syscall.h>' | $(CC) $(CPPFLAGS) -E -dM - | \
	sed -n 's/^#define SYS_\([a-z0-9_]*\) .*/NAME(\1)/p' | sort >$@$(NEW) && mv -f $@$(NEW) $@
$(OUT)/obj/vm/sandbox/syscall_name.o: $(OUT)/gen/syscall_list.h
$(OUT)/obj/vm/sandbox/syscall_name.o: CPPFLAGS += -I$(OUT)/gen

# The init of exec's guest (guests/init): a Linux program without a C library.
INIT_SRCS := $(wildcard guests/init/*.c guests/init/$(ARCH)/*.S)
INIT_FLAGS := -std=gnu17 -Os -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-builtin -Iguests/init $(WARNINGS) \
	-Wl,--build-id=none,-z,noexecstack,-z,max-page-size=4096,--gc-sections -s
$(OUT)/gen/init.elf: $(INIT_SRCS) guests/init/init.h Makefile
	@mkdir -p $(@D)
	$(call QUIET,INIT,$@)$(CROSS)gcc $(INIT_FLAGS) -o $@$(NEW) $(INIT_SRCS) && mv -f $@$(NEW) $@

# Bytes that are part of hvrun; a floor's folder may hold them beside its C.
$(OUT)/obj/%.o: %.S $(OUT)/gen/init.elf
	@mkdir -p $(@D)
	$(call QUIET,AS,$(VARIANT) $<)$(CC) -I$(OUT)/gen -Wa,-I$(OUT)/gen -c -o $@$(NEW) $< && mv -f $@$(NEW) $@

define own_library
$(OUT)/lib/$(subst /,-,$(1)).a: $(filter $(OUT)/obj/$(1)/%,$(foreach o,$(OBJS),$(if $(filter $(OUT)/obj/$(1)/,$(dir $(o))),$(o))))
	@mkdir -p $$(@D)
	$(call QUIET,AR,$(VARIANT) $(1))$(AR) rcs $$@$$(NEW) $$^ && mv -f $$@$$(NEW) $$@
endef
$(foreach d,$(sort $(patsubst %/,%,$(dir $(SRCS)))),$(eval $(call own_library,$(d))))

$(ALSO_LIB): $(ALSO_SRCS:%.c=$(OUT)/obj/%.o)
	@mkdir -p $(@D)
	$(call QUIET,AR,$(VARIANT) other architectures)$(AR) rcs $@$(NEW) $^ && mv -f $@$(NEW) $@

ifeq ($(wildcard arch/$(ARCH)/*.c),)
$(OUT)/hvrun:
	@echo "make: hvrun does not run on ARCH=$(ARCH) yet: there is no arch/$(ARCH)/" >&2; exit 1
else
$(OUT)/hvrun: $(OUT)/obj/main.o $(OBJS) $(HOT)
	$(call QUIET,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(HOT_FLAGS) -o $@$(NEW) $(filter %.o,$^) $(LDLIBS) && mv -f $@$(NEW) $@
endif

# The linker's own script with what a start runs through put first, so that it lies side by side.
$(OUT)/hot.ld: mk/hot.list tools/hot-script $(OUT)/flags
	@mkdir -p $(@D)
	$(call QUIET,GEN,$@){ $(CC) $(LDFLAGS) -Wl,--verbose 2>/dev/null || :; } | \
	tools/hot-script mk/hot.list - >$@$(NEW) && mv -f $@$(NEW) $@

# What unit tests share: tests/lib/*.c except the replay program's main.
TEST_LIB_OBJS := $(patsubst %.c,$(OUT)/obj/%.o,$(filter-out %/fuzz_replay.c,$(sort $(wildcard tests/lib/*.c))))
$(OUT)/lib/tests.a: $(TEST_LIB_OBJS)
	@mkdir -p $(@D)
	$(call QUIET,AR,$(VARIANT) tests/lib)$(AR) rcs $@$(NEW) $^ && mv -f $@$(NEW) $@

LINK_UNIT = $(call QUIET,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@$(NEW) $< $(OUT)/lib/tests.a $(LINK_OWN) -lcmocka $(LDLIBS) && mv -f $@$(NEW) $@

# Replays the corpus; built as the tests are.
REPLAY_MAIN := $(OUT)/obj/tests/lib/fuzz_replay.o
LINK_REPLAY = $(call QUIET,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@$(NEW) $< $(REPLAY_MAIN) \
	$(OUT)/lib/tests.a $(LINK_OWN) -lcmocka $(LDLIBS) && mv -f $@$(NEW) $@

# Fuzzes; only with VARIANT=fuzz (libFuzzer) or afl (AFL++).
LINK_FUZZ = $(call QUIET,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@$(NEW) $< \
	$(OUT)/lib/tests.a $(LINK_OWN) -lcmocka $(LDLIBS) && mv -f $@$(NEW) $@

# Programs in out/.../$(1), whose sources' names begin with tests/$(2), linked with $(3) too by $(4).
define test_programs
$(OUT)/$(1)/%: $(OUT)/obj/tests/$(2)%.o $(3) $(OUT)/lib/tests.a $(LIBS_OWN) $(ALSO_LIB)
	@mkdir -p $$(@D)
	$$($(4))
endef
$(foreach d,unit unit/$(ARCH) unit/dt,$(eval $(call test_programs,unit,$(d)/,,LINK_UNIT)))
$(foreach d,fuzz fuzz/$(ARCH) fuzz/dt,$(eval $(call test_programs,replay,$(d)/,$(REPLAY_MAIN),LINK_REPLAY)))
$(foreach d,fuzz fuzz/$(ARCH) fuzz/dt,$(eval $(call test_programs,fuzz,$(d)/fuzz_,,LINK_FUZZ)))

LINK_OWN = -Wl,--start-group $(LIBS_OWN) $(ALSO_LIB) -Wl,--end-group $(if $(DT_AS_WELL),-lfdt)

-include $(OBJS:.o=.d) $(OUT)/obj/main.d
-include $(UNIT_SRCS:%.c=$(OUT)/obj/%.d) $(FUZZ_SRCS:%.c=$(OUT)/obj/%.d)
-include $(TEST_LIB_OBJS:.o=.d) $(ALSO_SRCS:%.c=$(OUT)/obj/%.d)

# -- What to do with it ------------------------------------------------------------------------

.PHONY: test test-long guests boot bench coverage install clean format help need
test:
	@tools/need test
	@tests/run $(SUITES)

test-long:
	@tools/need test
	@HVRUN_TEST_LONG=1 tests/run $(SUITES)

guests:
	@$(MAKE) -C guests ARCH=$(ARCH) OUT=../out/guests/$(ARCH)

boot:
	@tools/boot

bench:
	@tests/bench/run

coverage:
	@tools/need test
	@tools/coverage

# The packages to build hvrun itself; `make test` and `make check` install theirs.
need:
	@tools/need build

.PHONY: fuzz fuzz-list
fuzz-list:
	@printf '%s\n' $(FUZZ_NAMES)

TIME ?= 60
fuzz:
	@ENGINE='$(ENGINE)' tools/fuzz '$(TARGET)' '$(TIME)'

.PHONY: fuzz-bin
fuzz-bin: $(OUT)/fuzz/$(TARGET)

include mk/check.mk

# For scripts: the architecture of this build.
.PHONY: print-arch print-triple
print-arch:
	@echo $(ARCH)
print-triple:
	@echo $(TRIPLE)

install: all
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -s -m 755 hvrun '$(DESTDIR)$(PREFIX)/bin/hvrun'
	install -d '$(DESTDIR)$(PREFIX)/share/man/man1'
	install -m 644 docs/*.1 '$(DESTDIR)$(PREFIX)/share/man/man1/'
	install -d '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' \
		'$(DESTDIR)$(PREFIX)/share/zsh/site-functions' '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d'
	tools/completions bash >'$(DESTDIR)$(PREFIX)/share/bash-completion/completions/hvrun'
	tools/completions zsh >'$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_hvrun'
	tools/completions fish >'$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/hvrun.fish'
	install -d '$(DESTDIR)$(PREFIX)/share/doc/hvrun/docs'
	install -m 644 LICENSE README.md '$(DESTDIR)$(PREFIX)/share/doc/hvrun'
	cd docs && find . -name '*.md' -exec install -D -m 644 '{}' '$(abspath $(DESTDIR)/$(PREFIX))/share/doc/hvrun/docs/{}' ';'

clean:
	rm -rf out hvrun

format:
	clang-format-14 -i $(FORMAT_SRCS)

help:
	@echo 'make                          ./hvrun for this machine'
	@echo 'make static ARCH=ARCH         out/ARCH/hvrun, fully static (x86, arm64, riscv)'
	@echo 'make boot                     a stock Debian guest to its prompt'
	@echo 'make test [SUITES="unit .."]  all tests, or some suites; test-long: the long forms'
	@echo 'make check                    layering, warnings, clang-tidy, cppcheck, format'
	@echo 'make fuzz TARGET=T TIME=S     fuzz one target (ENGINE=afl: by AFL++); fuzz-list names them'
	@echo 'make coverage, bench          reports under out/'
	@echo 'make guests, format, need     bare-metal guests; clang-format; build packages'
	@echo 'make install PREFIX= DESTDIR=, make clean'
