/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target over the files of its corpus, without a fuzzer: what was found once stays
 * found. Prints "ok" with the number of inputs, or "not ok"; a crash is the sanitizer's report.
 *
 *	fuzz_NAME DIRECTORY-OR-FILE...
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 << 20, INPUT_SECONDS = 120 };

/* Runs one file; returns 1, or 0 after saying why not. A hang ends by SIGALRM. */
static int replay_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	uint8_t *data;
	size_t len;
	int err;

	if (fd < 0) {
		printf("not ok %s: %s\n", name, strerror(errno));
		return 0;
	}
	err = read_file_whole(fd, INPUT_MAX, &data, &len);
	(void)close(fd);
	if (err) {
		printf("not ok %s: %s\n", name, strerror(-err));
		return 0;
	}
	printf("# %s\n", name);
	(void)fflush(stdout);
	(void)alarm(INPUT_SECONDS);
	(void)LLVMFuzzerTestOneInput(data, len);
	(void)alarm(0);
	free(data);
	return 1;
}

static int replay_directory(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int done = 0;

	if (count < 0 || fd < 0) {
		printf("not ok %s: %s\n", path, strerror(errno));
		return 0;
	}
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.')
			done += replay_file(fd, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	(void)close(fd);
	return done;
}

int main(int argc, char **argv)
{
	int done = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			done += replay_directory(argv[i]);
		else
			done += replay_file(AT_FDCWD, argv[i]);
	}
	if (!done) {
		printf("not ok %s: no input was replayed\n", argv[0]);
		return 1;
	}
	printf("ok %d inputs\n", done);
	return 0;
}
