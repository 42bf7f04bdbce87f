/*
 * crowd.c - N processes that are asked for their stacks: each loads some of the libraries lib0.so ... in a folder, and calls getppid(2) five
 * times a second through a function of each.  Says "ready" when all are there; ends with its standard input.
 *
 * usage: crowd N FOLDER LIBRARIES EACH
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void (*step)(void *next, int left);

static void member(int number, const char *folder, int libraries, int each)
{
	step *way = calloc((size_t)each + 1, sizeof(*way));
	char path[4096];
	for (int i = 0; i < each; i++) {
		snprintf(path, sizeof(path), "%s/lib%d.so", folder, (number * each + i) % libraries);
		void *lib = dlopen(path, RTLD_NOW);
		way[i] = lib ? (step)dlsym(lib, "pass_on") : NULL;
		if (!way[i])
			_exit(1);
	}
	if (write(1, ".", 1) != 1)
		_exit(1);
	for (;;) {
		way[0](way + 1, each - 1);
		usleep(200000);
	}
}

int main(int argc, char **argv)
{
	if (argc == 7) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		member(atoi(argv[5]), argv[2], atoi(argv[3]), atoi(argv[4]));
	}
	if (argc < 5)
		return 2;
	int n = atoi(argv[1]), up[2];
	char number[16], c;
	if (pipe(up))
		return 1;
	for (int i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%d", i);
		if (fork())
			continue;
		dup2(up[1], 1);
		execl(argv[0], argv[0], argv[1], argv[2], argv[3], argv[4], number, "member", NULL);
		_exit(1);
	}
	for (int i = 0; i < n; i++)
		if (read(up[0], &c, 1) != 1)
			return 1;
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return 0;
}
