/* decode_sock.c - what a socket is, by names without prefixes; options of TCP and IPv6. */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>

#include "lang/stp/syscalls.h"

static const struct stp_code family[] = {
	V("UNSPEC", 0), V("LOCAL", 1), V("INET", 2), V("AX25", 3), V("IPX", 4), V("APPLETALK", 5), V("NETROM", 6), V("BRIDGE", 7), V("ATMPVC", 8),
	V("X25", 9), V("INET6", 10), V("ROSE", 11), V("DECNET", 12), V("NETBEUI", 13), V("SECURITY", 14), V("KEY", 15), V("NETLINK", 16), V("PACKET", 17),
	V("ASH", 18), V("ECONET", 19), V("ATMSVC", 20), V("SNA", 22), V("IRDA", 23), V("PPPOX", 24), V("WANPIPE", 25), V("LLC", 26), V("TIPC", 30),
	V("BLUETOOTH", 31), V("IUCV", 32), V("RXRPC", 33), V("RDS", 21), V("IB", 27), V("MPLS", 28), V("CAN", 29), V("ISDN", 34),
	V("PHONET", 35), V("IEEE802154", 36), V("CAIF", 37), V("ALG", 38), V("NFC", 39), V("VSOCK", 40), V("KCM", 41), V("QIPCRTR", 42), V("SMC", 43), V("XDP", 44), V("MCTP", 45),
};
/* Protocol numbers of IP, as /etc/protocols has them. */
static const struct stp_code protocol[] = {
	V("IP", 0), V("ICMP", 1), V("IGMP", 2), V("GGP", 3), V("IPENCAP", 4), V("ST", 5), V("TCP", 6), V("CBT", 7), V("EGP", 8), V("IGP", 9),
	V("BBN-RCC", 10), V("NVP", 11), V("PUP", 12), V("ARGUS", 13), V("EMCON", 14), V("XNET", 15), V("CHAOS", 16), V("UDP", 17), V("MUX", 18),
	V("DCN", 19), V("HMP", 20), V("PRM", 21), V("XNS-IDP", 22), V("TRUNK-1", 23), V("TRUNK-2", 24), V("LEAF-1", 25), V("LEAF-2", 26), V("RDP", 27),
	V("IRTP", 28), V("ISO-TP4", 29), V("NETBLT", 30), V("MFE-NSP", 31), V("MERIT-INP", 32), V("SEP", 33), V("3PC", 34), V("IDPR", 35), V("XTP", 36),
	V("DDP", 37), V("IDPR-CMTP", 38), V("TP++", 39), V("IL", 40), V("IPV6", 41), V("SDRP", 42), V("IPV6-ROUTE", 43), V("IPV6-FRAG", 44), V("IDRP", 45),
	V("RSVP", 46), V("GRE", 47), V("MHRP", 48), V("BNA", 49), V("IPV6-CRYPT", 50), V("IPV6-AUTH", 51), V("I-NLSP", 52), V("SWIPE", 53), V("NARP", 54),
	V("MOBILE", 55), V("TLSP", 56), V("SKIP", 57), V("IPV6-ICMP", 58), V("IPV6-NONXT", 59), V("IPV6-OPTS", 60), V("CFTP", 62), V("SAT-EXPAK", 64),
	V("KRYPTOLAN", 65), V("RVD", 66), V("IPPC", 67), V("SAT-MON", 69), V("VISA", 70), V("IPCV", 71), V("CPNX", 72), V("CPHB", 73), V("WSN", 74),
	V("PVP", 75), V("BR-SAT-MON", 76), V("SUN-ND", 77), V("WB-MON", 78), V("WB-EXPAK", 79), V("ISO-IP", 80), V("VMTP", 81), V("SECURE-VMTP", 82),
	V("VINES", 83), V("TTP", 84), V("NSFNET-IGP", 85), V("DGP", 86), V("TCF", 87), V("EIGRP", 88), V("OSPF", 89), V("SPRITE-RPC", 90), V("LARP", 91),
	V("MTP", 92), V("AX.25", 93), V("IPIP", 94), V("MICP", 95), V("SCC-SP", 96), V("ETHERIP", 97), V("ENCAP", 98), V("GMTP", 100), V("IFMP", 101),
	V("PNNI", 102), V("PIM", 103), V("ARIS", 104), V("SCPS", 105), V("QNX", 106), V("A/N", 107), V("IPCOMP", 108), V("SNP", 109), V("COMPAQ-PEER", 110),
	V("IPX-IN-IP", 111), V("VRRP", 112), V("PGM", 113), V("L2TP", 115), V("DDX", 116), V("IATP", 117), V("STP", 118), V("SRP", 119), V("UTI", 120),
	V("SMP", 121), V("SM", 122), V("PTP", 123), V("ISIS", 124), V("FIRE", 125), V("CRTP", 126), V("CRDUP", 127), V("SSCOPMCE", 128), V("IPLT", 129),
	V("SPS", 130), V("PIPE", 131), V("SCTP", 132), V("FC", 133), V("RSVP-E2E-IGNORE", 134), V("Mobility-Header", 135), V("UDPLite", 136),
	V("MPLS-IN-IP", 137),
};
/* include/linux/net.h */
static const struct stp_code state[] = {V("FREE", 0), V("UNCONNECTED", 1), V("CONNECTING", 2), V("CONNECTED", 3), V("DISCONNECTING", 4)};
static const struct stp_code type[] = {V("STREAM", 1), V("DGRAM", 2), V("RAW", 3), V("RDM", 4), V("SEQPACKET", 5), V("DCCP", 6), V("PACKET", 10)};
static const struct stp_code socket_flags[] = {B("ASYNC_NOSPACE", 1), B("ASYNC_WAITDATA", 2), B("NOSPACE", 4), B("PASSCRED", 8), B("PASSSEC", 16)};
static const struct stp_code message_flags[] = {
	B("OOB", 0x1), B("PEEK", 0x2), B("DONTROUTE", 0x4), B("CTRUNC", 0x8), B("PROBE", 0x10), B("TRUNC", 0x20), B("DONTWAIT", 0x40), B("EOR", 0x80),
	B("WAITALL", 0x100), B("FIN", 0x200), B("SYN", 0x400), B("CONFIRM", 0x800), B("RST", 0x1000), B("ERRQUEUE", 0x2000), B("NOSIGNAL", 0x4000), B("MORE", 0x8000),
};
static const struct stp_code tcp_option[] = {
	C(TCP_NODELAY), C(TCP_MAXSEG), C(TCP_CORK), C(TCP_KEEPIDLE), C(TCP_KEEPINTVL), C(TCP_KEEPCNT), C(TCP_SYNCNT), C(TCP_LINGER2), C(TCP_DEFER_ACCEPT),
	C(TCP_WINDOW_CLAMP), C(TCP_INFO), C(TCP_QUICKACK), C(TCP_CONGESTION), C(TCP_MD5SIG), V("TCP_COOKIE_TRANSACTIONS", 15), C(TCP_THIN_LINEAR_TIMEOUTS),
	C(TCP_THIN_DUPACK), C(TCP_USER_TIMEOUT),
};
static const struct stp_code ipv6_option[] = {
	C(IPV6_ADDRFORM), C(IPV6_2292PKTINFO), C(IPV6_2292HOPOPTS), C(IPV6_2292DSTOPTS), C(IPV6_2292RTHDR), C(IPV6_2292PKTOPTIONS), C(IPV6_CHECKSUM),
	C(IPV6_2292HOPLIMIT), C(IPV6_NEXTHOP), C(IPV6_AUTHHDR), C(IPV6_FLOWINFO), C(IPV6_UNICAST_HOPS), C(IPV6_MULTICAST_IF), C(IPV6_MULTICAST_HOPS),
	C(IPV6_MULTICAST_LOOP), C(IPV6_ADD_MEMBERSHIP), C(IPV6_DROP_MEMBERSHIP), C(IPV6_ROUTER_ALERT), C(IPV6_MTU_DISCOVER), C(IPV6_MTU), C(IPV6_RECVERR),
	C(IPV6_V6ONLY), C(IPV6_JOIN_ANYCAST), C(IPV6_LEAVE_ANYCAST), C(IPV6_FLOWLABEL_MGR), C(IPV6_FLOWINFO_SEND), C(IPV6_IPSEC_POLICY),
	C(IPV6_XFRM_POLICY), C(MCAST_JOIN_GROUP), C(MCAST_BLOCK_SOURCE), C(MCAST_UNBLOCK_SOURCE), C(MCAST_LEAVE_GROUP), C(MCAST_JOIN_SOURCE_GROUP),
	C(MCAST_LEAVE_SOURCE_GROUP), C(MCAST_MSFILTER), C(IPV6_RECVPKTINFO), C(IPV6_PKTINFO), C(IPV6_RECVHOPLIMIT), C(IPV6_HOPLIMIT), C(IPV6_RECVHOPOPTS),
	C(IPV6_HOPOPTS), C(IPV6_RTHDRDSTOPTS), C(IPV6_RECVRTHDR), C(IPV6_RTHDR), C(IPV6_RECVDSTOPTS), C(IPV6_DSTOPTS), C(IPV6_RECVPATHMTU), C(IPV6_PATHMTU),
	C(IPV6_DONTFRAG), C(IPV6_RECVTCLASS), C(IPV6_TCLASS), C(IPV6_ADDR_PREFERENCES), C(IPV6_MINHOPCOUNT), C(IPV6_RECVORIGDSTADDR), C(IPV6_TRANSPARENT),
};
/* include/linux/interrupt.h */
static const struct stp_code irq_flags[] = {
	B("IRQF_SHARED", 0x80), B("IRQF_PROBE_SHARED", 0x100), B("IRQF_TIMER", 0x14200), B("IRQF_PERCPU", 0x400), B("IRQF_NOBALANCING", 0x800),
	B("IRQF_IRQPOLL", 0x1000), B("IRQF_ONESHOT", 0x2000), B("IRQF_NO_SUSPEND", 0x4000), B("IRQF_FORCE_RESUME", 0x8000), B("IRQF_NO_THREAD", 0x10000),
	B("IRQF_EARLY_RESUME", 0x20000),
};

/* Without a base: what has no name is left out. */
#define NAMES(name, is_enum, table) {name, is_enum, 0, table, ARRAY_SIZE(table)}

const struct stp_decoder stp_decode_sock[] = {
	NAMES("socket_family", true, family), NAMES("socket_protocol", true, protocol), NAMES("socket_state", true, state), NAMES("socket_type", true, type),
	NAMES("socket_flags", false, socket_flags), NAMES("message_flags", false, message_flags), NAMES("tcp_option", true, tcp_option),
	NAMES("ipv6_option", true, ipv6_option), FLAGS("irq_flags", irq_flags),
	{0},
};
