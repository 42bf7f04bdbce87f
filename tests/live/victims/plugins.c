/* plugins.c N A FN B FN - loads library A, calls its function, lets go of it, the same with B; N times, in N/50 seconds. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (int i = 0, n = argc > 5 ? atoi(argv[1]) : 0; i < n; i++) {
		void *lib = dlopen(argv[i % 2 ? 4 : 2], RTLD_NOW);
		long (*fn)(void) = lib ? (long (*)(void))dlsym(lib, argv[i % 2 ? 5 : 3]) : NULL;

		if (!fn)
			return 1;
		usleep(15000);
		fn();
		usleep(5000);
		dlclose(lib);
	}
	return 0;
}
