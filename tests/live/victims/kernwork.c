/*
 * kernwork.c - work for the kernel whose every number is known: files, processes, signals, memory, sockets, a block device.
 *
 * kernwork FOLDER [DISK]: prints a line of truth a subject.  Pages are touched from 0x600000000000 on; DISK is written past the page cache.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void files(const char *folder)
{
	char bytes[5000];
	struct stat st;

	need(!chdir(folder), "chdir");
	memset(bytes, 'k', sizeof(bytes));
	int fd = open("kernwork-file", O_RDWR | O_CREAT | O_TRUNC, 0640);
	need(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes), "write");
	need(lseek(fd, 0, SEEK_SET) == 0 && fsync(fd) == 0 && fstat(fd, &st) == 0, "file");
	for (int i = 0; i < 3; i++)
		need(read(fd, bytes, 100) == 100, "read");
	need(pread(fd, bytes, 1000, 4500) == 500, "pread");
	printf("file inode %lu device %u:%u mode %o size %ld\n", st.st_ino, (unsigned)st.st_dev >> 8, (unsigned)st.st_dev & 0xff, st.st_mode,
	       (long)st.st_size);
	close(fd);
	need(!mkdir("kernwork-dir", 0700) && !rename("kernwork-file", "kernwork-dir/moved"), "rename");
	need(!unlink("kernwork-dir/moved") && !rmdir("kernwork-dir"), "unlink");
	for (int i = 0; i < 4; i++)
		need(open("/no/such/file", O_RDONLY) == -1 && errno == ENOENT, "open");
	for (int i = 0; i < 2; i++)
		need(close(999) == -1 && errno == EBADF, "close");
	int ends[2];
	need(!pipe(ends) && write(ends[1], "hello world", 11) == 11 && read(ends[0], bytes, 64) == 11, "pipe");
	close(ends[0]);
	close(ends[1]);
}

static void processes(void)
{
	for (int i = 0; i < 4; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000 * (i + 1)}, NULL);
	for (int i = 1; i <= 3; i++) {
		int status;
		pid_t child = fork();
		if (!child)
			_exit(i);
		need(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == i, "fork");
	}
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	for (int i = 0; i < 3; i++)
		kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	for (int i = 0; i < 6; i++)
		sched_yield();
	need(!setpriority(PRIO_PROCESS, 0, 5), "nice");
	printf("process pid %d parent %d uid %d priority %d\n", getpid(), getppid(), getuid(), getpriority(PRIO_PROCESS, 0));
}

static void memory(void)
{
	char *at = mmap((void *)0x600000000000, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	need(at != MAP_FAILED, "mmap");
	for (int i = 0; i < 64; i++)
		at[i * 4096] = 1;
	munmap(at, 64 * 4096);
}

static void sockets(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(34567)};
	char bytes[1000];
	memset(bytes, 's', sizeof(bytes));
	int yes = 1, server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	need(!bind(server, (struct sockaddr *)&to, sizeof(to)) && !listen(server, 1), "listen");
	need(!connect(client, (struct sockaddr *)&to, sizeof(to)), "connect");
	int peer = accept(server, NULL, NULL);
	for (int i = 0; i < 4; i++)
		need(send(client, bytes, 250, 0) == 250, "send");
	need(recv(peer, bytes, 1000, MSG_WAITALL) == 1000, "recv");
	close(client);
	close(peer);
	close(server);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	to.sin_port = htons(9);
	for (int i = 0; i < 3; i++)
		need(sendto(udp, bytes, 20 + i, 0, (struct sockaddr *)&to, sizeof(to)) == 20 + i || errno == ECONNREFUSED, "sendto");
	close(udp);
	/* where a device leads there (the dummy of the tests), it takes them */
	to.sin_addr.s_addr = htonl(0x0a090902);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	for (int i = 0; i < 3; i++)
		sendto(udp, bytes, 5, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
	close(udp);
}

static void disk(const char *path)
{
	void *block = NULL;
	int fd = open(path, O_RDWR | O_DIRECT);
	need(fd >= 0 && !posix_memalign(&block, 4096, 8192), "disk");
	memset(block, 'd', 8192);
	for (int i = 0; i < 3; i++)
		need(pwrite(fd, block, 4096, 8192 * i) == 4096, "pwrite");
	need(pread(fd, block, 8192, 4096 * 16) == 8192, "pread");
	close(fd);
}

int main(int argc, char **argv)
{
	files(argc > 1 ? argv[1] : "/tmp");
	processes();
	memory();
	sockets();
	if (argc > 2)
		disk(argv[2]);
	return 0;
}
