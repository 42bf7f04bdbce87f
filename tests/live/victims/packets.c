/*
 * packets.c - sends packets over lo and says what each is: "sent PROTOCOL SOURCE PORT DESTINATION PORT LENGTH", the length from the IP header
 * on, then "got N" for the datagrams that came back in.
 *
 * Three UDP datagrams over IPv4, two over IPv6, one of these behind an extension header, and a TCP connection that carries "hello".
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void must(int ok, const char *what)
{
	if (ok < 0) {
		perror(what);
		exit(1);
	}
}

/* A socket of the loopback address, at a port that the kernel chooses; *at is its address. */
static int bound(int family, int type, union address *at)
{
	int fd = socket(family, type, 0);
	socklen_t n = family == AF_INET ? sizeof(at->v4) : sizeof(at->v6);
	must(fd, "socket");
	memset(at, 0, sizeof(*at));
	at->any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		at->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		at->v6.sin6_addr = in6addr_loopback;
	must(bind(fd, &at->any, n), "bind");
	must(getsockname(fd, &at->any, &n), "getsockname");
	return fd;
}

static int port(const union address *a)
{
	return ntohs(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

static void datagram(int from, const union address *source, const union address *to, int n, int headers)
{
	char data[64];
	int is_v4 = to->any.sa_family == AF_INET;
	const char *name = is_v4 ? "127.0.0.1" : "0000:0000:0000:0000:0000:0000:0000:0001";
	memset(data, 'x', sizeof(data));
	printf("sent 17 %s %d %s %d %d\n", name, port(source), name, port(to), (is_v4 ? 20 : 40) + headers + 8 + n);
	must((int)sendto(from, data, (size_t)n, 0, &to->any, is_v4 ? sizeof(to->v4) : sizeof(to->v6)), "sendto");
}

static int received(int fd)
{
	char data[64];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n = 0;
	while (poll(&p, 1, 300) > 0 && recv(fd, data, sizeof(data), 0) >= 0)
		n++;
	return n;
}

static int send_udp(int family)
{
	union address in, out;
	int to = bound(family, SOCK_DGRAM, &in), from = bound(family, SOCK_DGRAM, &out);
	datagram(from, &out, &in, 10, 0);
	if (family == AF_INET) {
		datagram(from, &out, &in, 11, 0);
		datagram(from, &out, &in, 12, 0);
	} else {
		/* next header and length are filled in by the kernel; PadN of 4 bytes */
		static const unsigned char options[8] = {0, 0, 1, 4};
		must(setsockopt(from, IPPROTO_IPV6, IPV6_DSTOPTS, options, sizeof(options)), "IPV6_DSTOPTS");
		datagram(from, &out, &in, 11, sizeof(options));
	}
	fflush(stdout);
	int n = received(to);
	close(to);
	close(from);
	return n;
}

static void send_tcp(void)
{
	union address at, client;
	char data[8];
	int server = bound(AF_INET, SOCK_STREAM, &at), from = bound(AF_INET, SOCK_STREAM, &client), to;
	must(listen(server, 1), "listen");
	must(connect(from, &at.any, sizeof(at.v4)), "connect");
	to = accept(server, NULL, NULL);
	must(to, "accept");
	must((int)send(from, "hello", 5, 0), "send");
	must((int)recv(to, data, sizeof(data), 0), "recv");
	printf("tcp 127.0.0.1 %d 127.0.0.1 %d %.5s\n", port(&client), port(&at), data);
	close(from);
	must((int)recv(to, data, sizeof(data), 0), "recv");
	close(to);
	close(server);
}

int main(void)
{
	int v4 = send_udp(AF_INET), v6 = send_udp(AF_INET6);
	send_tcp();
	printf("got %d %d\n", v4, v6);
	return 0;
}
