/*
 * syscalls.c - system calls whose number and arguments are known, and what the kernel answered.
 *
 * syscalls FOLDER: sleeps 5 times, reads 7 times 3 bytes of a file, fails to open 4 files and to read 2 times; prints its counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : "/tmp";
	char path[4096], bytes[3];
	long sum = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/syscalls-data", folder);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, "abcabcabcabcabcabcabc", 21) != 21 || lseek(fd, 0, SEEK_SET) != 0)
		return 1;
	for (int i = 0; i < 5; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	for (int i = 0; i < 7; i++)
		sum += read(fd, bytes, sizeof(bytes));
	for (int i = 0; i < 4; i++)
		if (open("/no/such/file", O_RDONLY) != -1 || errno != ENOENT)
			return 1;
	for (int i = 0; i < 2; i++)
		if (read(-1, bytes, 1) != -1)
			return 1;
	close(fd);
	unlink(path);
	printf("pid %d slept 5 read 7 bytes %ld failed 4\n", getpid(), sum);
	return 0;
}
