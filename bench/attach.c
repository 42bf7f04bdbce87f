/*
 * attach.c OBJECT PROGRAM - loads one program of cost.bpf.o, attaches it and waits for a signal.  Only the bench uses libbpf.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	struct bpf_object *obj = bpf_object__open_file(argv[1], NULL);
	if (!obj)
		return 1;
	struct bpf_program *p, *want = NULL;
	bpf_object__for_each_program(p, obj)
	{
		bool it = !strcmp(bpf_program__name(p), argv[2]);
		bpf_program__set_autoload(p, it);
		if (it)
			want = p;
	}
	if (!want || bpf_object__load(obj) || !bpf_program__attach(want)) {
		fprintf(stderr, "attach: cannot load %s\n", argv[2]);
		return 1;
	}
	pause();
	return 0;
}
