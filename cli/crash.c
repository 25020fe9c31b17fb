/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers of the signals that end the process. */
#include "cli/crash.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "cli/terminal.h"
#include "vm/config.h"
#include "vm/sandbox/sandbox.h"
#include "vm/sandbox/syscall_name.h"

/*
 * vm/ takes SIGHUP, SIGINT and SIGTERM as events and ignores SIGPIPE once a machine is being built;
 * until then they end the process like the others.
 */
static const int fatal_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGSEGV,
				     SIGBUS, SIGFPE, SIGILL,  SIGABRT, SIGTRAP };

/* What only a mistake of a thread's own raises: it is to be told, whatever whoever started us ignores or blocks. */
static const int mistakes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };

static bool is_mistake(int sig)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)
		if (mistakes[i] == sig)
			return true;
	return false;
}

/*
 * Process 1 of a PID namespace, as in a container, is not ended by a signal with the default action that comes from
 * itself: what a shell would see of one otherwise becomes its status, and a mistake of ours a defect.
 */
__attribute__((noreturn)) static void leave_as_init(int sig)
{
	if (!is_mistake(sig) || sig == SIGBUS)
		_exit(128 + sig);
	diag_error("ended by signal %d (SIG%s): a defect of hvrun; please report", sig,
		   sigabbrev_np(sig));
	_exit(VM_STATUS_DEFECT);
}

/*
 * The handler's own signal is blocked and has its default action again: raised, it waits until the
 * handler returns, then ends the process with the state that caused it still on the stack.
 */
static void on_fatal(int sig)
{
	terminal_leave();
	/* Memory that was mapped and is no longer there: files are what can do that to us. */
	if (sig == SIGBUS)
		diag_error(
			"memory went away under hvrun (SIGBUS): a file of --pmem was cut, or the "
			"host lost a page");
	if (getpid() == 1)
		leave_as_init(sig);
	(void)raise(sig);
}

static void on_refused_call(int sig, siginfo_t *info, void *context)
{
	(void)context;
	terminal_leave();
	/* The kernel's own are positive. */
	if (info->si_code <= 0) {
		diag_error("ended by signal %d (SIGSYS), which process %d sent", sig,
			   (int)info->si_pid);
		_exit(128 + sig);
	}
	diag_error("sandbox: system call %d (%s) at %p is not on the list of its thread (%s, %d of "
		   "process %d): a defect of hvrun, or it was taken over; please report",
		   info->si_syscall, syscall_name(info->si_syscall), info->si_call_addr,
		   sandbox_thread_class(), (int)gettid(), (int)getpid());
	_exit(VM_STATUS_DEFECT);
}

/* A handler that is there (a sanitizer's) stays, and what is ignored (nohup) too, unless it is a mistake's. */
static void handle(int sig, const struct sigaction *action)
{
	struct sigaction old;

	if (sigaction(sig, NULL, &old) == 0 &&
	    (old.sa_handler == SIG_DFL || (old.sa_handler == SIG_IGN && is_mistake(sig))))
		(void)sigaction(sig, action, NULL);
}

/* One that is blocked would end us without its handler. */
static void unblock_mistakes(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)
		(void)sigaddset(&set, mistakes[i]);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * A stack for handlers, since the usual one may be what overflowed. Main thread only: other threads
 * run their handlers on their own stacks.
 */
static void prepare_stack(void)
{
	static unsigned char stack[64 * 1024];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	stack_t old;

	if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE))
		(void)sigaltstack(&alternate, NULL);
}

void crash_prepare(void)
{
	struct sigaction fatal = { .sa_handler = on_fatal,
				   .sa_flags = SA_ONSTACK | (int)SA_RESETHAND };
	struct sigaction refused = { .sa_sigaction = on_refused_call,
				     .sa_flags = SA_ONSTACK | SA_SIGINFO };

	(void)sigemptyset(&fatal.sa_mask);
	(void)sigemptyset(&refused.sa_mask);
	prepare_stack();
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		handle(fatal_signals[i], &fatal);
	handle(SIGSYS, &refused);
	unblock_mistakes();
}
