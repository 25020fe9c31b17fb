/* SPDX-License-Identifier: BSD-2-Clause */
/* A child in a PID namespace, and the process that stays outside and stands for it. */
#include "cli/pid_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "vm/daemon/jail.h"

enum { NAMESPACES = CLONE_NEWPID | CLONE_NEWNS };

/*
 * The next child begins the PID namespace. Whoever may not make one as he is may in a user namespace, *@own_users, in
 * which he is who he was, so that files are his as before; nobody else is there whom --user could name.
 */
static int leave_namespaces(const struct vm_config *config, bool *own_users)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	*own_users = false;
	if (unshare(NAMESPACES) == 0)
		return 0;
	if (errno != EPERM || config->user || unshare(NAMESPACES | CLONE_NEWUSER) < 0)
		return -errno;
	*own_users = true;
	return daemon_map_identity(uid, gid, true);
}

/*
 * All power over a user namespace comes with it. Who had none before goes on without: what is started looks for it. Root
 * keeps what it takes to be root in the namespaces that come within, of helpers and of the sandbox.
 */
static int drop_power(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (geteuid() == 0)
		kept[0].effective = kept[0].permitted = 1U << CAP_SETFCAP;
	return syscall(SYS_capset, &head, kept) < 0 ? -errno : 0;
}

/* What asks /proc for a process by its number, as a share's helper does, must not find another. */
static int mount_proc(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	return 0;
}

/* In the child. @alive_fd: a pipe whose other end is outside; what is outside may be gone before prctl. */
static int settle_inside(int alive_fd, bool own_users)
{
	struct pollfd outside = { .fd = alive_fd };
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	if (poll(&outside, 1, 0) != 0)
		return -EPIPE;
	(void)close(alive_fd);
	r = mount_proc();
	return r < 0 || !own_users ? r : drop_power();
}

static int refused(int err)
{
	diag_error("--pid-namespace: the host refuses one: %s; without the option the rest of the "
		   "sandbox stays",
		   strerror(-err));
	return VM_STATUS_SYSTEM;
}

/* The child stands still, and so do we, if @sig stops us (a job that no shell looks after is not stopped by keys). */
static void stop_with(pid_t child, int sig)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, sig);
	(void)kill(child, SIGSTOP);
	(void)raise(sig);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)kill(child, SIGCONT);
}

/* What ends us is what ended it, for whoever waits for us; no core file of ours. */
static int end_like(int how)
{
	sigset_t set;

	if (!WIFSIGNALED(how))
		return WEXITSTATUS(how);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)signal(WTERMSIG(how), SIG_DFL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, WTERMSIG(how));
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)raise(WTERMSIG(how));
	return 128 + WTERMSIG(how);
}

/* Returns whether the child has ended, *@how. One that was stopped by somebody else stops the job too. */
static bool look_after(pid_t child, int *how)
{
	pid_t r;

	while ((r = waitpid(child, how, WNOHANG | WUNTRACED)) == child) {
		if (!WIFSTOPPED(*how))
			return true;
		stop_with(child, SIGSTOP);
	}
	return r < 0 && errno != EINTR;
}

/*
 * Process 1 is stopped by nothing but SIGSTOP, and that from outside. What the keys of a terminal send reaches it twice
 * so, of which the second finds it ending.
 */
static void hand_on(pid_t child, int sig)
{
	if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		stop_with(child, sig);
	else if (sig != SIGCHLD)
		(void)kill(child, sig);
}

static int wait_outside(pid_t child, const sigset_t *signals)
{
	int how = 0, sig;

	while (!look_after(child, &how))
		if ((sig = sigwaitinfo(signals, NULL)) > 0)
			hand_on(child, sig);
	return end_like(how);
}

/* Those that may be told to us; a fault of our own is not among them. */
static void choose_signals(sigset_t *signals)
{
	static const int told[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,  SIGUSR2, SIGALRM,
				    SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGWINCH, SIGCHLD };

	(void)sigemptyset(signals);
	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		(void)sigaddset(signals, told[i]);
}

bool pid_namespace_enter(struct vm_config *config, int *status)
{
	pid_t outside = getpid(), child;
	sigset_t signals, before;
	bool own_users;
	int ends[2], r;

	if (!config->pid_namespace)
		return true;
	*status = VM_STATUS_SYSTEM;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		*status = refused(-errno);
		return false;
	}
	choose_signals(&signals);
	(void)sigprocmask(SIG_BLOCK, &signals, &before);
	r = leave_namespaces(config, &own_users);
	child = r < 0 ? -1 : fork();
	if (child == 0) {
		(void)close(ends[1]);
		r = settle_inside(ends[0], own_users);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		config->outer_pid = outside;
		if (r < 0)
			*status = refused(r);
		return r == 0;
	}
	(void)close(ends[0]);
	if (child > 0)
		*status = wait_outside(child, &signals);
	else
		*status = refused(r < 0 ? r : -errno);
	(void)close(ends[1]);
	return false;
}
