/*
 * unwind.h - how user space hands unwind tables to the BPF side: layouts that both share.
 *
 * A table covers a range of one file's code.  Its words lie in a segment (one value of the array of maps `uw_segs`):
 * first one word a bucket of 256 bytes of code and one more (where the bucket's first row is, in words from the table's
 * begin), then the rows, ascending.
 * A row is `low byte of its address << 24 | rule`; it holds from there to the next row.  The first row is at the table's
 * first byte.  Rules are shared by all tables.
 *
 * A process is one element of `uw_procs`: where its list of executable mappings lies, in a segment too.  A file is one element
 * of `uw_files`, with a list of the same form by offset in the file: for processes that nobody has told of yet, whose
 * mappings the programs look up in the kernel.
 */
#pragma once

enum {
	UW_SEG_WORDS = 1 << 18, /* u32 in one segment: 1 MiB */
	UW_SEGS = 1024,
	UW_PROCS = 8192,
	UW_FILES = 8192,
	UW_RULES = 8192,
	UW_MISS_BYTES = 16 << 10,
	UW_WINDOW = 1024, /* bytes of a stack that are read at once */
	UW_NEAR = 128,	  /* of those, above the word that is asked for, where the stack's memory ends */
	UW_BUCKET = 256, /* bytes of code */
	UW_MAPS_MAX = 4096, /* mappings of one process */
	UW_MET_WORDS = 1024, /* u64 of a bitmap of processes, by the low bits of their numbers */
};

/* How the canonical frame address (CFA: what the stack pointer was before the call) is found. */
enum uw_cfa {
	UW_CFA_NONE,   /* no table covers this code */
	UW_CFA_SP,     /* sp + off */
	UW_CFA_FP,     /* fp + off */
	UW_CFA_END,    /* the return address is undefined: the outermost frame */
	UW_CFA_PLT,    /* sp + off, 8 more when (pc & 15) >= off2 */
	UW_CFA_SIGNAL, /* all registers are in the signal's frame at sp + off, as the kernel wrote them */
	UW_CFA_REG,    /* reg + off */
	UW_CFA_DEREF,  /* *(reg + index * scale + off) + off2 */
	UW_CFA_BAD,    /* a rule that is not understood */
};
/* Where the return address is. */
enum uw_ra {
	UW_RA_CFA, /* *(cfa + ra) */
	UW_RA_REG, /* in the register `ra` */
	UW_RA_SP,  /* *(sp + ra), sp before this frame was left */
};
/* What the offsets of saved registers count from. */
enum uw_base {
	UW_FROM_CFA,
	UW_FROM_FP,
	UW_FROM_SP,
};
enum {
	UW_SAVED = 5,	    /* x86-64: rbx, r12 to r15 */
	UW_SAME = 0x7fff,   /* a saved register that was not touched */
	UW_LOST = 0x7ffe,   /* one that cannot be had any more */
	UW_NO_REG = 255,
	UW_RULE_NONE = 0, /* numbers of the first two rules */
	UW_RULE_FP = 1,	  /* a frame with a frame pointer: code without tables */
};

struct uw_rule {
	u8 cfa;	  /* enum uw_cfa */
	u8 reg;	  /* DWARF number, UW_CFA_REG and UW_CFA_DEREF */
	u8 index; /* DWARF number, UW_NO_REG: none */
	u8 scale;
	s32 off, off2;
	u8 ra_kind; /* enum uw_ra */
	u8 base;    /* enum uw_base, of fp and saved */
	s16 ra;
	s16 fp; /* where the caller's frame pointer was saved: base + fp, or UW_SAME, UW_LOST */
	s16 saved[UW_SAVED];
	u8 is_signal; /* the caller did not call: a signal came, and its address is the next instruction's */
	u8 is_plain; /* the return address is right below the CFA, fp is saved relative to it or not at all */
};

/* The value of `uw_rules`: behind the rules a bit for each process whose stack was taken; several share one. */
enum { UW_MET_AT = UW_RULES * sizeof(struct uw_rule) };

enum uw_map_kind {
	UW_MAP_TABLE, /* has rows */
	UW_MAP_FP,    /* code without tables: by frame pointer */
};
struct uw_map { /* ascending by start, without overlap */
	u64 start, end; /* addresses in the process */
	u64 base;	/* of the table's first byte */
	u32 table;	/* first word of the table in its segment */
	u16 seg;
	u16 kind; /* enum uw_map_kind */
};

struct uw_proc {
	u64 end_code, start_stack; /* of its memory, what exec changes */
	u64 asked;	/* when the BPF side last asked for something that was missing, ns */
	u32 seg, first; /* of the list of struct uw_map: segment, word */
	u32 nmaps;
	u32 is_ready; /* 0: user space was asked for it */
};

/*
 * A file as its inode has it now: one that was replaced or written since is another one.  Not by device: overlayfs shows
 * another one than the kernel maps the file from, and three such numbers alike are copies.
 */
struct uw_file_key {
	u64 inode, size, mtime; /* ns */
};
struct uw_file_maps {
	u32 seg, first, n, pad; /* of a list of struct uw_map, addresses are offsets in the file; it covers all of them */
};

struct uw_miss { /* record of `uw_miss` */
	u64 pc;	 /* 0: what was told of its parent did */
	u32 tgid, pad;
};

/*
 * Set in a frame that a signal interrupted, and in one that was never called but returned to (a signal's return): its address is
 * that of its next instruction.  User addresses have the upper 8 bits all 0 or all 1; what else a chain of frame pointers
 * leads to is no address.
 */
#define UW_INTERRUPTED (1ull << 62)
static inline __attribute__((always_inline)) u32 uw_is_interrupted(u64 frame)
{
	u64 top = (frame ^ UW_INTERRUPTED) >> 56;

	return top == 0 || top == 0xff;
}

/* How a stack ended. */
enum uw_end {
	UW_COMPLETE,
	UW_GUESSED,    /* complete, but some frames by frame pointer through code without tables */
	UW_LIMIT,      /* as many frames as were asked for */
	UW_NEW,	       /* the process was not known yet: by frame pointers */
	UW_UNMAPPED,   /* an address that no known mapping covers */
	UW_NO_TABLE,   /* the chain of frame pointers ended in code without tables */
	UW_BAD_RULE,   /* a rule that is not understood, or needs a register that is lost */
	UW_FAULT,      /* memory of the stack could not be read */
	UW_BACKWARDS,  /* the caller's frame is not above this one */
	UW_NO_STACK,   /* a thread without user space */
	UW_32_BITS,    /* a program of 32 bits: the kernel's chain of frame pointers */
	UW_ENDS = 16, /* room for all of them, a power of two */
};

/*
 * The rule for the byte `off` of the table at word `table` of a segment; `off` is inside of the table.  Both searches
 * halve a length that does not depend on what is compared: the verifier then meets the same state on either way.
 */
static inline __attribute__((always_inline)) u32 uw_find_rule(const u32 *seg, u32 table, u64 off)
{
	u32 bucket = table + (u32)(off / UW_BUCKET), key = (u32)(off % UW_BUCKET) << 24 | 0xffffff;
	u32 at = table + seg[bucket & (UW_SEG_WORDS - 1)] - 1; /* the last row before the bucket may still hold */
	u32 n = table + seg[(bucket + 1) & (UW_SEG_WORDS - 1)] - at;
	for (u32 k = 0; k < 9 && n > 1; k++) { /* 257 rows at most */
		u32 half = n / 2;
		if (seg[(at + half) & (UW_SEG_WORDS - 1)] <= key)
			at += half;
		n -= half;
	}
	return seg[at & (UW_SEG_WORDS - 1)] & 0xffffff;
}

/* A place where all registers are known: the innermost frame, or what a signal interrupted. */
struct uw_anchor {
	u64 ip, sp, fp, hash, next;
	u64 n;
};

/* Where the mappings are known from. */
enum uw_source {
	UW_TOLD,       /* user space */
	UW_FROM_PARENT, /* what user space told of the parent: it has called no execve() since its fork() */
	UW_FROM_KERNEL, /* looked up one by one */
};

/* State of one unwinding; the frames follow it in memory. */
struct uw {
	u64 ip, sp, fp;
	u64 fp_at;	   /* not 0: fp was saved there and is not read yet; 1: it is lost */
	u64 start, len;	   /* the mapping of the last frame */
	u64 base, hash;
	u32 table, seg, kind;
	u32 n;		   /* frames so far */
	u32 entry_n;	   /* so many were there, when the last one's return address began a function that nobody called */
	u32 end;	   /* enum uw_end */
	u32 is_call;	   /* ip is a return address: the call before it is looked up */
	u32 is_tracking;   /* the saved registers are followed: the second walk from the anchor */
	u32 has_regs;	   /* reg[] is that of the current frame */
	u32 guessed;	   /* some frame was found by frame pointer in code without tables */
	u32 maps_seg, maps_first, nmaps; /* the list to look in */
	u32 source;	   /* enum uw_source */
	u32 is_new;	   /* neither the process nor its parent is known */
	u32 tgid;	   /* set by the caller: as user space numbers processes; 0: it does not see this one */
	u64 cfa, ret_at, value; /* of the step: its results */
	u64 delta;	   /* an address less this is one of the list */
	u64 map_start, map_end; /* the list holds from here to there */
	u64 bottom;	   /* what the stack pointer was when the kernel started the program */
	u64 slot, ret, next, trampoline; /* the innermost return probe: its slot on the stack, where it returns to */
	u64 saved_at[UW_SAVED];	/* where they were saved; 0: still in reg[], 1: lost */
	u64 reg[16];	   /* by DWARF number, at the anchor */
	struct uw_anchor anchor;
	u64 tmp[18];
	u64 window_at;		  /* address that window[] was read from; 0: from nowhere */
	u64 edge;		  /* where a window was last more than could be read */
	u64 window[UW_WINDOW / 8]; /* words of the stack: one read serves several frames */
	u64 stored_end;	   /* what is stored begins here: enum uw_end, then the frames */
};
