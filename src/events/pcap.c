/* pcap.c - see pcap.h. */
#include "events/pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct pcap_file {
	FILE *f; /* NULL: it could not be opened */
};

struct pcap_head {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, digits, snap, link;
};
struct pcap_packet {
	uint32_t sec, ns, kept, wire;
};

enum {
	MAGIC_NANOSECONDS = 0xa1b23c4du,
	LINK_RAW = 101, /* LINKTYPE_RAW: begins with the IP header */
	SNAP = 262144
};
#define NS_SEC 1000000000ull

static struct err *open_file(struct pcap_files *p, const char *path, struct pcap_file **ret)
{
	const struct pcap_head head = {
		.magic = MAGIC_NANOSECONDS, .major = 2, .minor = 4, .snap = SNAP, .link = LINK_RAW};
	struct pcap_file *file = *ret = strtab_get(&p->by_path, path);
	if (file)
		return NULL;
	file = *ret = xcalloc(1, sizeof(*file));
	strtab_set(&p->by_path, path, file);
	file->f = fopen(path, "we");
	if (!file->f || fwrite(&head, sizeof(head), 1, file->f) != 1)
		return err_errno("skboutput(): cannot write %s", path);
	return NULL;
}

struct err *pcap_write(struct pcap_files *p, const char *path, uint64_t real_ns, const void *bytes, uint32_t n,
		       uint32_t wire)
{
	const struct pcap_packet head = {.sec = (uint32_t)(real_ns / NS_SEC),
					 .ns = (uint32_t)(real_ns % NS_SEC),
					 .kept = n,
					 .wire = MAX(wire, n)};
	struct pcap_file *file;
	struct err *e = open_file(p, path, &file);
	if (e || !file->f)
		return e;
	if (fwrite(&head, sizeof(head), 1, file->f) != 1 || fwrite(bytes, 1, n, file->f) != n)
		return err_errno("skboutput(): cannot write %s", path);
	return NULL;
}

struct err *pcap_close(struct pcap_files *p)
{
	struct err *e = NULL;
	vec_each(entry, &p->by_path.entry) {
		struct pcap_file *file = entry->value;
		if (file && file->f && fclose(file->f) && !e)
			e = err_errno("skboutput(): cannot write %s", entry->key);
		free(file);
	}
	strtab_free(&p->by_path);
	return e;
}
