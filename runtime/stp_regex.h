/*
 * stp_regex.h - which parts of a string the groups of a regular expression match: a second pass, once the DFA has found that there is a match.
 *
 * It walks the NFA and goes back to the last choice when it cannot go on: the leftmost match, of several at one place the one of the first
 * alternatives and the longest repetitions.  Steps and choices are bounded.
 */
#pragma once

enum { NFA_SET, NFA_SPLIT, NFA_JUMP, NFA_BEGIN, NFA_END, NFA_SAVE, NFA_MATCH };
enum { NFA_GROUPS = 16, NFA_CHOICES = 1024, NFA_STEPS = 1 << 16, NFA_FAIL = 0xffff };
#define NFA_RESTORE (1ull << 63)

struct stp_nfa_node {
	u32 kind;
	u16 out, other; /* other: of NFA_SPLIT the second choice, of NFA_SAVE what is saved: 2 * group, + 1 for its end */
	u8 set[32];
};
struct stp_nfa {
	u32 start, nodes;
	struct stp_nfa_node node[];
};
/* Of the last match of a handler: positions are one too large, 0 is none. */
struct stp_captures {
	u8 text[STP_STR];
	u64 matched, groups;
	u64 at[2 * NFA_GROUPS];
};
/* Map memory for one match. */
struct stp_walk {
	u64 pc, pos, depth, start;
	u64 state; /* 0 going on, 1 matched, 2 no match, 3 too many choices */
	u64 choice[NFA_CHOICES];
};

struct stp_walking {
	struct stp_captures *c;
	const struct stp_nfa *nfa;
	u64 nodes;
	volatile struct stp_walk *w;
};

static inline __attribute__((always_inline)) long stp_nfa_push(volatile struct stp_walk *w, u64 what)
{
	u64 depth = w->depth;
	KEEP(depth);
	if (depth >= NFA_CHOICES) {
		w->state = 3;
		return 1;
	}
	w->choice[depth] = what;
	w->depth = depth + 1;
	return 0;
}

/* Back to the last choice, undoing what was saved since; without one, the next place in the string. */
static inline __attribute__((always_inline)) long stp_nfa_back(struct stp_walking *q)
{
	volatile struct stp_walk *w = q->w;
	u64 depth = w->depth - 1, start = w->start;
	KEEP(depth);
	if (depth < NFA_CHOICES) {
		u64 what = w->choice[depth], slot = what >> 32 & 0xff;
		w->depth = depth;
		if (!(what & NFA_RESTORE)) {
			w->pc = what & 0xffff;
			w->pos = what >> 16 & 0xffff;
			return 0;
		}
		KEEP(slot);
		if (slot < 2 * NFA_GROUPS)
			q->c->at[slot] = what & 0xffff;
		return 0;
	}
	KEEP(start);
	if (start >= STP_STR - 1 || !q->c->text[start]) {
		w->state = 2;
		return 1;
	}
	w->start = w->pos = start + 1;
	w->pc = q->nfa->start;
	return 0;
}

RT long stp_nfa_step(u32 i, struct stp_walking *q)
{
	volatile struct stp_walk *w = q->w;
	u64 pc = w->pc, pos = w->pos;
	KEEP(pc);
	KEEP(pos);
	if (pc == NFA_FAIL)
		return stp_nfa_back(q);
	if (pc >= q->nodes || pos >= STP_STR) {
		w->state = 2;
		return 1;
	}
	const struct stp_nfa_node *n = &q->nfa->node[pc];
	u32 kind = n->kind;
	u64 c = q->c->text[pos], slot = n->other;
	if (kind == NFA_MATCH) {
		q->c->at[0] = w->start + 1;
		q->c->at[1] = pos + 1;
		w->state = 1;
		return 1;
	}
	if (kind == NFA_SET) {
		u32 has = n->set[c >> 3 & 31] >> (c & 7) & 1;
		if (!c || !has) {
			w->pc = NFA_FAIL;
			return 0;
		}
		w->pos = pos + 1;
	} else if ((kind == NFA_BEGIN && pos) || (kind == NFA_END && c)) {
		w->pc = NFA_FAIL;
		return 0;
	} else if (kind == NFA_SPLIT) {
		if (stp_nfa_push(w, slot | pos << 16))
			return 1;
	} else if (kind == NFA_SAVE) {
		KEEP(slot);
		if (slot < 2 * NFA_GROUPS) {
			if (stp_nfa_push(w, NFA_RESTORE | slot << 32 | (q->c->at[slot] & 0xffff)))
				return 1;
			q->c->at[slot] = pos + 1;
		}
	}
	w->pc = n->out;
	return 0;
}

/* Fills c->at for c->text.  w->state tells how it ended; 0: too many steps. */
RT u64 rt_stp_captures(struct stp_captures *c, const struct stp_nfa *nfa, u64 nodes, volatile struct stp_walk *w)
{
	struct stp_walking q = {c, nfa, nodes, w};
	w->pc = nfa->start;
	w->pos = w->depth = w->start = w->state = 0;
	bpf_loop(NFA_STEPS, stp_nfa_step, &q, 0);
	return 0;
}
