/* SPDX-License-Identifier: BSD-2-Clause */
/* `hvrun sign` and `hvrun verify`: makes what a verified boot is judged by, and judges it. */
#ifndef VM_SIGNED_SIGN_H
#define VM_SIGNED_SIGN_H

#include <stdbool.h>

#include "vm/config.h"

/*
 * Asks for the password of the secret key @name; the text lives until the process ends. NULL having
 * said why there is none.
 */
typedef const char *(*vm_password_fn)(void *opaque, const char *name);

struct vm_sign_config {
	/* What shall boot. Disks with verity are trusted, all others are named as untrusted. */
	const struct vm_config *boot;
	const char *manifest; /* to be written; NULL: kernel and initrd get signatures of their own */
	const char *secret_key; /* NULL: the manifest is left unsigned */
	const char *comment;	/* trusted comment, one line; NULL: time and file name */
	bool legacy;		/* the form of signature that minisign made before 0.10 */
	vm_password_fn password;
	void *opaque;
};

/*
 * Hashes what is named, writes the manifest and signatures. Existing ones are replaced. An exit status,
 * the reason said. Afterwards the process is inside the sandbox.
 */
int vm_sign(const struct vm_sign_config *config);

/*
 * Verifies what @config, which has a verify_key, would boot, and prints it to standard output. An exit
 * status, the reason said. Afterwards the process is inside the sandbox.
 */
int vm_check(const struct vm_config *config);

#endif
