/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens when a signal ends hvrun: the terminal is put back first.
 *
 * The signal is then raised again with its default action, so that the parent sees it, and a core
 * file shows the place. A system call that the sandbox refused (SIGSYS) is a defect of ours: one
 * line that names it, and status 70.
 *
 * Needs of a sandbox: rt_sigaction, rt_sigreturn, getpid, gettid, tgkill, exit_group, write, and
 * what terminal_leave() needs.
 */
#ifndef CLI_CRASH_H
#define CLI_CRASH_H

/*
 * Installs the handlers. A signal that is ignored or handled already (nohup, a sanitizer) is left
 * alone. Main thread, once, before the terminal is touched and before other threads.
 */
void crash_prepare(void);

#endif
