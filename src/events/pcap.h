/* pcap.h - files of packets, as tcpdump and wireshark read them (draft-ietf-opsawg-pcap). */
#pragma once

#include "base/base.h"

struct pcap_files {
	struct strtab by_path; /* struct pcap_file */
};
/* Appends a packet of IP (no link layer); the file is made anew on first use.  `wire`: its length before it was cut. */
struct err *pcap_write(struct pcap_files *p, const char *path, uint64_t real_ns, const void *bytes, uint32_t n,
		       uint32_t wire);
/* Closes all; an error is that of the first file that could not be written. */
struct err *pcap_close(struct pcap_files *p);
