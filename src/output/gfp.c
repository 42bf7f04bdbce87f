/*
 * gfp.c - allocation flags by name (%gr).
 *
 * Bits as in include/linux/gfp_types.h of 6.12; those above 23 depend on the kernel's
 * configuration; the order is that of the kernel's own names (include/trace/events/mmflags.h):
 * compounds first, what is left shows by itself.
 */
#include "output/parts.h"

enum {
	G_DMA = 1 << 0,
	G_HIGHMEM = 1 << 1,
	G_DMA32 = 1 << 2,
	G_MOVABLE = 1 << 3,
	G_RECLAIMABLE = 1 << 4,
	G_HIGH = 1 << 5,
	G_IO = 1 << 6,
	G_FS = 1 << 7,
	G_ZERO = 1 << 8,
	G_DIRECT = 1 << 10,
	G_KSWAPD = 1 << 11,
	G_WRITE = 1 << 12,
	G_NOWARN = 1 << 13,
	G_RETRY = 1 << 14,
	G_NOFAIL = 1 << 15,
	G_NORETRY = 1 << 16,
	G_MEMALLOC = 1 << 17,
	G_COMP = 1 << 18,
	G_NOMEMALLOC = 1 << 19,
	G_HARDWALL = 1 << 20,
	G_THISNODE = 1 << 21,
	G_ACCOUNT = 1 << 22,
	G_ZEROTAGS = 1 << 23,
	G_RECLAIM = G_DIRECT | G_KSWAPD,
	G_KERNEL = G_RECLAIM | G_IO | G_FS,
	G_USER = G_KERNEL | G_HARDWALL,
	G_HIGHUSER = G_USER | G_HIGHMEM,
	G_HIGHUSER_MOVABLE = G_HIGHUSER | G_MOVABLE,
	G_TRANSHUGE_LIGHT = (G_HIGHUSER_MOVABLE | G_COMP | G_NOMEMALLOC | G_NOWARN) & ~G_RECLAIM,
};

static const struct {
	uint32_t bits;
	const char *name;
} gfp_names[] = {
	{G_TRANSHUGE_LIGHT | G_DIRECT, "GFP_TRANSHUGE"},
	{G_TRANSHUGE_LIGHT, "GFP_TRANSHUGE_LIGHT"},
	{G_HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE"},
	{G_HIGHUSER, "GFP_HIGHUSER"},
	{G_USER, "GFP_USER"},
	{G_KERNEL | G_ACCOUNT, "GFP_KERNEL_ACCOUNT"},
	{G_KERNEL, "GFP_KERNEL"},
	{G_RECLAIM | G_IO, "GFP_NOFS"},
	{G_HIGH | G_KSWAPD, "GFP_ATOMIC"},
	{G_RECLAIM, "GFP_NOIO"},
	{G_KSWAPD | G_NOWARN, "GFP_NOWAIT"},
	{G_DMA, "GFP_DMA"},
	{G_HIGHMEM, "__GFP_HIGHMEM"},
	{G_DMA32, "GFP_DMA32"},
	{G_HIGH, "__GFP_HIGH"},
	{G_IO, "__GFP_IO"},
	{G_FS, "__GFP_FS"},
	{G_ZERO, "__GFP_ZERO"},
	{G_DIRECT, "__GFP_DIRECT_RECLAIM"},
	{G_KSWAPD, "__GFP_KSWAPD_RECLAIM"},
	{G_WRITE, "__GFP_WRITE"},
	{G_NOWARN, "__GFP_NOWARN"},
	{G_RETRY, "__GFP_RETRY_MAYFAIL"},
	{G_NOFAIL, "__GFP_NOFAIL"},
	{G_NORETRY, "__GFP_NORETRY"},
	{G_MEMALLOC, "__GFP_MEMALLOC"},
	{G_COMP, "__GFP_COMP"},
	{G_NOMEMALLOC, "__GFP_NOMEMALLOC"},
	{G_HARDWALL, "__GFP_HARDWALL"},
	{G_THISNODE, "__GFP_THISNODE"},
	{G_ACCOUNT, "__GFP_ACCOUNT"},
	{G_MOVABLE, "__GFP_MOVABLE"},
	{G_RECLAIMABLE, "__GFP_RECLAIMABLE"},
	{G_ZEROTAGS, "__GFP_ZEROTAGS"},
};

void format_gfp_flags(uint64_t flags, struct buf *out)
{
	const char *sep = "";
	if (!flags)
		buf_putc(out, '0');
	for (size_t i = 0; i < ARRAY_SIZE(gfp_names); i++) {
		if ((flags & gfp_names[i].bits) != gfp_names[i].bits)
			continue;
		buf_puts(out, sep);
		buf_puts(out, gfp_names[i].name);
		flags &= ~(uint64_t)gfp_names[i].bits;
		sep = "|";
	}
	if (flags) {
		buf_puts(out, sep);
		out_hex(out, flags);
	}
}
