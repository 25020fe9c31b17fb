# SPDX-License-Identifier: BSD-2-Clause
#
# The compiler, its flags and the libraries for one ARCH and VARIANT.

comma := ,

TRIPLE_x86   := x86_64-linux-gnu
TRIPLE_arm64 := aarch64-linux-gnu
TRIPLE_riscv := riscv64-linux-gnu
TRIPLE       := $(TRIPLE_$(ARCH))

# Cross tools, and the foreign libraries unpacked aside, only where they are needed.
ifeq ($(ARCH),$(HOST_ARCH))
CROSS   :=
FOREIGN :=
else
CROSS   := $(TRIPLE)-
FOREIGN := out/foreign/$(ARCH)/.done
$(FOREIGN): tools/foreign-libs
	@tools/foreign-libs $(ARCH) $(@D) && touch $@
endif

# The clang build proves which lock guards which data, wherever a clang is there that can parse it.
CLANG_22 := $(shell command -v clang-22)

ifeq ($(VARIANT),clang)
CC := $(if $(filter default undefined,$(origin CC)),$(if $(CLANG_22),clang-22,clang-14),$(CC))
else ifeq ($(VARIANT),fuzz)
CC := $(if $(filter default undefined,$(origin CC)),clang-14,$(CC))
else ifeq ($(VARIANT),afl)
CC := $(if $(filter default undefined,$(origin CC)),afl-clang-fast,$(CC))
else
CC := $(if $(filter default undefined,$(origin CC)),$(CROSS)gcc,$(CC))
endif
AR    := $(CROSS)ar
STRIP := $(CROSS)strip

IS_CLANG := $(findstring clang,$(CC))

CPPFLAGS := -D_GNU_SOURCE -I. -DHVRUN_VERSION='"$(HVRUN_VERSION)"'
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough -Werror
# KVM's own idioms: a header before its array in one struct; a macro's shorter list.
WARNINGS += $(if $(IS_CLANG),-Wno-gnu-variable-sized-type-not-at-end -Wno-missing-field-initializers)
CFLAGS   := -std=gnu17 -g -fno-strict-aliasing -pthread -fPIE $(WARNINGS) \
	$(if $(IS_CLANG),-Wthread-safety)
# A program that guests attack: stack canaries, checked string functions, a fixed-up and then
# read-only table of addresses, a position that cannot be guessed.
HARDEN_C := -fstack-protector-strong -D_FORTIFY_SOURCE=2
HARDEN_L := -Wl,-z,relro,-z,now -Wl,-z,noexecstack
LDFLAGS  := -pthread -Wl,--as-needed

ifneq ($(FOREIGN),)
CPPFLAGS += -isystem out/foreign/$(ARCH)/include
LDFLAGS  += -Lout/foreign/$(ARCH)/lib
endif

# What each library is for: docs/dependencies.md
LDLIBS_x86   :=
LDLIBS_arm64 := -lfdt
LDLIBS_riscv := -lfdt
# Of arch/riscv/compat.c, which Jansson needs though it comes later.
LDLIBS_riscv += -Wl,-u,__isoc23_strtoll
# libcrypto's hashes alone, from its archive: all of it is 5 MB to be loaded at each start.
LDLIBS       := -lz -lzstd -llzma -lsodium -l:libcrypto.a -ljansson $(LDLIBS_$(ARCH))

# Instrumented code makes gcc see sizes that cannot be; the other builds judge these.
QUIETER := -Wno-format-truncation -Wno-maybe-uninitialized -Wno-stringop-overflow

DEBUG   := -DHVRUN_DEBUG=1
RELEASE := -DHVRUN_DEBUG=0
GC      := -ffunction-sections -fdata-sections

ifeq ($(VARIANT),release)
CFLAGS  += -O2 $(RELEASE) $(HARDEN_C) $(GC)
LDFLAGS += -pie $(HARDEN_L) -Wl,--gc-sections
else ifeq ($(VARIANT),static)
CFLAGS  += -O2 $(RELEASE) $(HARDEN_C) $(GC)
# bookworm's riscv64 C library has no start code for a static program at any address.
LDFLAGS += $(if $(filter riscv,$(ARCH)),-static,-static-pie) $(HARDEN_L) -Wl,--gc-sections
# Relocations as a bitmap: 1 KiB to be read at each start in place of 63.
LDFLAGS += $(if $(filter x86,$(ARCH)),-Wl$(comma)-z$(comma)pack-relative-relocs)
# Hot code first (docs/measurements.md); `make static HOT=` leaves everything to the linker.
HOT = $(OUT)/hot.ld
HOT_FLAGS = $(if $(HOT),-Wl$(comma)-T$(comma)$(HOT) -Wl$(comma)-Map$(comma)$(OUT)/hvrun.map)
else ifeq ($(VARIANT),debug)
CFLAGS  += -O1 $(DEBUG) $(HARDEN_C)
LDFLAGS += -pie $(HARDEN_L)
else ifeq ($(VARIANT),asan)
CFLAGS  += -O1 $(DEBUG) -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all $(if $(IS_CLANG),,$(QUIETER))
LDFLAGS += -pie
else ifeq ($(VARIANT),tsan)
CFLAGS  += -O1 $(DEBUG) -fno-omit-frame-pointer -fsanitize=thread $(if $(IS_CLANG),,$(QUIETER))
LDFLAGS += -pie
else ifeq ($(VARIANT),cov)
CFLAGS  += -O0 $(DEBUG) -DHVRUN_COVERAGE --coverage $(if $(IS_CLANG),,$(QUIETER))
LDFLAGS += -pie --coverage
else ifeq ($(VARIANT),clang)
CFLAGS  += -O1 $(DEBUG) $(if $(CLANG_22),-fexperimental-late-parse-attributes -DHVRUN_GUARDED_BY \
	-Wthread-safety-beta)
LDFLAGS += -pie
else ifeq ($(VARIANT),fuzz)
CFLAGS  += -O1 $(DEBUG) -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-fsanitize=fuzzer-no-link,address,undefined
LDFLAGS += -pie
else ifeq ($(VARIANT),afl)
# The same targets and sanitizers; afl-clang-fast puts in its own counters, and its own main.
CFLAGS  += -O1 $(DEBUG) -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize=address,undefined
LDFLAGS += -pie
else
$(error VARIANT=$(VARIANT): release, static, debug, asan, tsan, cov, clang, fuzz or afl)
endif
