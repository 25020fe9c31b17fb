# SPDX-License-Identifier: BSD-2-Clause
#
# make check: everything a machine can say about the sources without running them. Each finding
# ends it; what was clean is remembered in out/check/ until a source or a header changes.

CHECK := out/check
MAIN_SRC := $(wildcard main.c)
TEST_SRCS := $(sort $(UNIT_SRCS) $(FUZZ_SRCS) $(wildcard tests/lib/*.c tests/lib/$(ARCH)/*.c))
CHECK_SRCS := $(SRCS) $(ALSO_SRCS) $(MAIN_SRC) $(TEST_SRCS)
HEADERS := $(sort $(wildcard $(addsuffix /*.h,$(DIRS) $(DT_AS_WELL) tests/lib tests/fuzz tests/unit/$(ARCH))))
FORMAT_SRCS = $(sort $(CHECK_SRCS) $(HEADERS) $(wildcard arch/*/*.[ch] tests/rig/*.[ch] \
	tests/bench/*.[ch] guests/*.[ch] guests/*/*.[ch] guests/*/*/*.[ch] \
	tests/unit/*/*.[ch]))

CHECKS := check-layers check-fetch check-format check-gcc check-cross check-clang check-cppcheck check-shell \
	check-tidy

# All of them, each to its end, so that one run tells everything.
.PHONY: check check-need $(CHECKS)
check: check-need
	@$(MAKE) -k $(CHECKS)
	@echo 'check: nothing found'

check-need:
	@tools/need check

check-layers:
	@echo 'check: layers'
	@tools/check-layers

# No field of guest memory is fetched twice, no raw pointer into it where none belongs.
check-fetch:
	@echo 'check: second fetches of guest memory'
	@tools/check-fetch

check-format:
	@echo 'check: format'
	@clang-format-14 --dry-run -Werror $(FORMAT_SRCS)

# Warnings are errors in every build; these are the builds whose warnings differ: gcc with and
# without optimisation and assertions, clang with the thread-safety analysis.
check-gcc:
	@echo 'check: gcc warnings'
	@$(MAKE) VARIANT=release all
	@$(MAKE) VARIANT=debug unit-bins

# The other architectures, as far as a cross compiler is here (make static ARCH=... installs it).
OTHERS := $(foreach a,$(filter-out $(ARCH),x86 arm64 riscv),$(if $(wildcard arch/$(a)/*.c),$(a)))
check-cross:
	@for a in $(OTHERS); do \
		t=$$($(MAKE) -s ARCH=$$a print-triple); \
		if command -v $$t-gcc >/dev/null; then \
			echo "check: gcc warnings for $$a"; $(MAKE) ARCH=$$a VARIANT=static libs || exit 1; \
		else echo "check: $$a not looked at: there is no $$t-gcc"; fi; done

check-clang:
	@echo 'check: clang warnings and thread safety'
	@$(MAKE) VARIANT=clang objects

.PHONY: objects
objects: $(CHECK_SRCS:%.c=$(OUT)/obj/%.o)

CHECK_CPPFLAGS = -D_GNU_SOURCE -I. -I$(OUT)/gen -DHVRUN_VERSION='"$(HVRUN_VERSION)"' -DHVRUN_DEBUG=1

check-tidy: $(CHECK_SRCS:%.c=$(CHECK)/tidy/%.ok)
$(CHECK)/tidy/vm/sandbox/syscall_name.ok: $(OUT)/gen/syscall_list.h
$(CHECK)/tidy/%.ok: %.c $(HEADERS) .clang-tidy tests/.clang-tidy
	@mkdir -p $(@D)
	$(call QUIET,TIDY,$<)clang-tidy-14 --quiet $< -- -std=gnu17 $(CHECK_CPPFLAGS) >$@.log 2>&1 || \
	{ grep -v 'warnings generated' $@.log; exit 1; }; mv $@.log $@

# Our own sources only; system headers are unknown to it, which it need not tell. Its picture of
# mmap knows neither descriptor -1 nor MAP_FIXED; formats are judged by both compilers.
CPPCHECK_FLAGS := --quiet --std=c11 --error-exitcode=1 --inline-suppr --platform=unix64 \
	--enable=warning,performance,portability --suppress=missingIncludeSystem \
	--suppress=checkersReport --suppress=unmatchedSuppression --suppress=invalidFunctionArg \
	--suppress=leakReturnValNotUsed --suppress=invalidPrintfArgType_uint \
	--suppress=invalidPrintfArgType_sint \
	--template='{file}:{line}: {severity}: {message} [{id}]'
check-cppcheck:
	@echo 'check: cppcheck'
	@mkdir -p $(CHECK)/cppcheck
	@cppcheck $(CPPCHECK_FLAGS) --cppcheck-build-dir=$(CHECK)/cppcheck $(CHECK_CPPFLAGS) \
		$(SRCS) $(MAIN_SRC)

# The shell scripts; not judged: files sourced by computed names, and the variables they share.
SHELL_SRCS = $(shell grep -lE '^\#!/bin/(ba)?sh' .ci/run tests/run tools/* tests/*/* 2>/dev/null)
check-shell:
	@echo 'check: shell scripts'
	@for f in $(SHELL_SRCS); do \
		case $$(head -n 1 $$f) in *bash*) bash -n $$f ;; *) dash -n $$f ;; esac || exit 1; done
	@if command -v shellcheck >/dev/null; then shellcheck -S warning \
		-e SC1090,SC1091,SC2034,SC2100,SC2154,SC2217,SC2238 $(SHELL_SRCS); fi
