/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user's terminal: raw while a guest has it, and put back on every way out: terminal_leave(),
 * exit(), and signals that end the process (cli/crash.c). SIGKILL cannot be helped: `stty sane` does.
 *
 * Needs of a sandbox: ioctl TCGETS and TCSETS, rt_sigreturn.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>

/*
 * Makes the terminal @fd raw: no echo, no lines, no signals by keys, bytes as they come; output
 * processing stays as it is. Touches nothing when @fd is not a terminal, or one on which this
 * process is in the background. Returns whether the terminal is now raw. When the process is
 * stopped and continued (SIGCONT) it makes it raw again. Main thread, once, before other threads.
 */
bool terminal_enter(int fd);

/*
 * Puts the terminal back as terminal_enter() found it; nothing when it did nothing. Any thread, any
 * number of times, signal handlers too.
 */
void terminal_leave(void);

/* Whether @fd is a terminal that belongs to another job now (reading would stop the process). */
bool terminal_is_background(int fd);

#endif
