/*
 * unwind_vma.bpf.h - what the current process has mapped at an address, from the kernel itself: for processes that user space
 * has not told of yet.
 *
 * The kernel keeps mappings in a maple tree (include/linux/maple_tree.h): nodes of 256 bytes with pivots, the largest
 * address of each slot, and slots, further nodes or at last the struct vm_area_struct.  The tree is read without its lock.
 * It belongs to this process, so that only another thread of it could change it now; what is found is checked to be a
 * mapping of this memory that covers the address.
 */
#pragma once

extern const char K_mm_struct__mm_mt[], K_maple_tree__ma_root[], K_maple_arange_64__slot[],
	K_maple_arange_64__meta[], K_vm_area_struct__vm_start[], K_vm_area_struct__vm_end[], K_vm_area_struct__vm_mm[],
	K_vm_area_struct__vm_pgoff[], K_vm_area_struct__vm_file[], K_file__f_inode[], K_inode__i_ino[], K_inode__i_size[],
	K_inode__i_mtime_sec[], K_inode__i_mtime_nsec[];
extern const char K_maple_range_64__slot[] __attribute__((weak)), K_inode__i_mtime[] __attribute__((weak)),
	K_inode____i_mtime[] __attribute__((weak)), K_vm_area_struct__vm_flags[] __attribute__((weak)),
	K_vm_area_struct__vm_ops[] __attribute__((weak));

enum {
	UW_TREE_DEPTH = 8,
	UW_NODE_BYTES = 256,
	UW_NODE_LEAF = 1,   /* enum maple_type: the last that holds entries and not nodes */
	UW_NODE_ARANGE = 3, /* maple_arange_64 */
	UW_PIVOTS_MAX = 15,
	UW_PAGE_SHIFT = 12,
	UW_VM_EXEC = 4,
};
_Static_assert(UW_NODE_BYTES <= UW_WINDOW, "a node is read into the window");

/* One step down: u->value is a node, and becomes what its slot for pc holds. */
RT_GLOBAL(un) u64 uw_tree_step(struct uw *u, u64 pc)
{
	if (!u)
		return UW_STOP;
	u64 node = u->value, type = node >> 3 & 15;
	u->window_at = 0;
	if (bpf_probe_read_kernel(u->window, UW_NODE_BYTES, (const void *)(node & ~(u64)(UW_NODE_BYTES - 1))))
		return UW_STOP;
	u64 slots = type == UW_NODE_ARANGE ? (u64)K_maple_arange_64__slot / 8 : (u64)K_maple_range_64__slot / 8;
	/* the last slot that is in use, as ma_data_end() has it: said behind the slots unless all pivots are taken */
	u64 last = type == UW_NODE_ARANGE ? u->window[(u64)K_maple_arange_64__meta / 8 & 31] & 0xff
		   : u->window[UW_PIVOTS_MAX] ? UW_PIVOTS_MAX : u->window[UW_NODE_BYTES / 8 - 1] & 0xff;
	u64 slot = 0;
	/* how many pivots are below pc: without branches, which the verifier would all follow; a pivot ends in ones */
#pragma unroll
	for (u64 k = 0; k < UW_PIVOTS_MAX; k++) {
		u64 is_below = (u->window[1 + k] >> 1) - (pc >> 1), is_used = k - last;

		/* else the compiler makes branches of them, or loads all pivots first, which takes 200 bytes of stack */
		__asm__ volatile("" : "+r"(is_below), "+r"(is_used), "+r"(last), "+r"(slot) : : "memory");
		slot += (is_below & is_used) >> 63;
		__asm__ volatile("" : "+r"(slot) : : "memory"); /* else it adds all up in the end: 200 bytes of stack */
	}
	u->value = u->window[(slots + slot) & (UW_NODE_BYTES / 8 - 1)];
	return type > UW_NODE_LEAF ? UW_AGAIN : UW_GO;
}

/* The mapping at pc to u->value, its bounds to u->map_start and u->map_end. */
static __attribute__((always_inline)) u64 uw_find_vma(struct uw *u, u64 pc)
{
	const void *mm = (const void *)UW_FIELD(bpf_get_current_task_btf(), task_struct__mm);
	u64 stop = UW_AGAIN;

	if (!mm || !(u64)K_maple_range_64__slot)
		return UW_STOP;
	u->value = *(u64 *)((const char *)mm + (u64)K_mm_struct__mm_mt + (u64)K_maple_tree__ma_root);
	if ((u->value & 3) != 2) /* xa_is_node(): else a tree of one entry */
		return UW_STOP;
	for (u32 k = 0; k < UW_TREE_DEPTH && stop == UW_AGAIN; k++)
		stop = uw_tree_step(u, pc);
	u64 vma = u->value;
	if (stop || !vma || UW_READ(&u->tmp[0], vma, vm_area_struct__vm_mm) || u->tmp[0] != (u64)mm)
		return UW_STOP;
	if (UW_READ(&u->map_start, vma, vm_area_struct__vm_start) || UW_READ(&u->map_end, vma, vm_area_struct__vm_end))
		return UW_STOP;
	return pc - u->map_start < u->map_end - u->map_start ? UW_GO : UW_STOP;
}

/* When the file was last written, ns; t: two words to work in.  The field was renamed twice (6.7, 6.11). */
static __attribute__((always_inline)) u64 uw_mtime(u64 inode, u64 *t)
{
	u64 at = (u64)K_inode__i_mtime ? (u64)K_inode__i_mtime : (u64)K_inode____i_mtime;

	t[1] = 0;
	if (at) {
		bpf_probe_read_kernel(t, 16, (const void *)(inode + at));
	} else {
		UW_READ(&t[0], inode, inode__i_mtime_sec);
		bpf_probe_read_kernel(&t[1], 4, (const void *)(inode + (u64)K_inode__i_mtime_nsec));
	}
	return t[0] * 1000000000ull + t[1];
}

/* Memory without a file that can be executed: code of a JIT compiler.  (The vdso has operations of its own.) */
static __attribute__((always_inline)) u64 uw_enter_code(struct uw *u, u64 vma)
{
	enum { OPS, FLAGS };

	if (!(u64)K_vm_area_struct__vm_flags || !(u64)K_vm_area_struct__vm_ops ||
	    UW_READ(&u->tmp[OPS], vma, vm_area_struct__vm_ops) || u->tmp[OPS] ||
	    UW_READ(&u->tmp[FLAGS], vma, vm_area_struct__vm_flags) || !(u->tmp[FLAGS] & UW_VM_EXEC))
		return UW_STOP;
	u->start = u->map_start;
	u->len = u->map_end - u->map_start;
	u->kind = UW_MAP_FP;
	return UW_GO;
}

/*
 * Makes the list of the file that is mapped at pc the one to look in, or what is mapped there the code without tables that u
 * is in; UW_STOP: nothing is mapped, or no file that is known.
 */
RT_GLOBAL(un) u64 uw_enter_vma(struct uw *u, u64 pc)
{
	struct uw_file_key key = {0};
	enum { FILE, INODE, PAGES, TIME }; /* words of u->tmp: the stack is short here */

	if (!u || uw_find_vma(u, pc))
		return UW_STOP;
	u64 vma = u->value;
	if (UW_READ(&u->tmp[FILE], vma, vm_area_struct__vm_file))
		return UW_STOP;
	if (!u->tmp[FILE])
		return uw_enter_code(u, vma);
	if (UW_READ(&u->tmp[PAGES], vma, vm_area_struct__vm_pgoff) ||
	    UW_READ(&u->tmp[INODE], u->tmp[FILE], file__f_inode) ||
	    UW_READ(&key.inode, u->tmp[INODE], inode__i_ino) ||
	    UW_READ(&key.size, u->tmp[INODE], inode__i_size))
		return UW_STOP;
	key.mtime = uw_mtime(u->tmp[INODE], &u->tmp[TIME]);
	struct uw_file_maps *f = bpf_map_lookup_elem((void *)M_uw_files, &key);
	if (!f)
		return UW_STOP;
	u->maps_seg = f->seg;
	u->maps_first = f->first;
	u->nmaps = f->n;
	u->delta = u->map_start - (u->tmp[PAGES] << UW_PAGE_SHIFT);
	return UW_GO;
}
