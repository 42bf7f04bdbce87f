/*
 * files.c DIR N - creates, writes and reopens N files in DIR; prints "created N reopened N failed 1": the last open is of a
 * file that does not exist.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	int n = atoi(argv[2]), failed = 0;
	char path[4096];
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "%s/file-%03d", argv[1], i);
			int fd = open(path, round ? O_RDONLY : O_CREAT | O_WRONLY, 0644);
			if (fd < 0)
				return 1;
			if (!round && write(fd, "hello\n", 6) != 6)
				return 1;
			close(fd);
		}
	}
	snprintf(path, sizeof(path), "%s/no-such-file", argv[1]);
	failed = open(path, O_RDONLY) < 0;
	printf("created %d reopened %d failed %d\n", n, n, failed);
	return 0;
}
