/*
 * flame.c - `--flame FILE.svg`: the stacks of a map as a flame graph, one file that needs nothing else.
 *
 * The samples become a tree: a node is a frame under its callers, as wide as what it and its callees weigh.  The picture is right
 * without scripts; flame.js in it adds zoom, search and details.
 */
#include <stdlib.h>

#include "output/flame.h"

/* flame.css and flame.js, embedded */
extern const char flame_css[], flame_css_end[], flame_js[], flame_js_end[];

enum {
	WIDTH = 1200, /* of the picture before a script stretches it */
	ROW = 17,
	TOP = 58,
	BOTTOM = 30,
	PAD = 10,
	DEEPEST = 4096 /* frames of a stack from a file; what they call is not drawn */
};
static const double GLYPH = 6.7; /* width of a letter at 11 px */
/* Frames of less than this part of the whole cannot be seen, even zoomed in a few times; they would only make the file large. */
static const double LEAST = 1.0 / 40000;

struct node {
	const struct sample_frame *frame; /* NULL: the root */
	uint64_t value, before;		  /* before: of the profile that is compared with */
	VEC(uint32_t) kids;
};
struct tree {
	VEC(struct node) node;
	struct strtab by_path; /* parent, origin, name -> index of the node */
	uint32_t depth;
};

/* --- the tree --------------------------------------------------------------------- */

static uint32_t child_of(struct tree *t, uint32_t parent, const struct sample_frame *f)
{
	size_t n = strlen(f->name);
	struct buf key = {0};
	uintptr_t found;

	buf_add(&key, &parent, sizeof(parent));
	buf_putc(&key, (char)f->origin);
	buf_add(&key, f->name, n);
	found = (uintptr_t)strtab_getn(&t->by_path, key.data, key.len);
	if (!found) {
		found = t->node.len;
		vec_push(&t->node, ((struct node){.frame = f}));
		strtab_setn(&t->by_path, key.data, key.len, (void *)found);
		vec_push(&t->node.at[parent].kids, (uint32_t)found);
	}
	buf_free(&key);
	return (uint32_t)found;
}

static void tree_add(struct tree *t, const struct samples *s, bool is_before)
{
	vec_each(sample, &s->sample) {
		uint32_t at = 0;

		if (sample->value <= 0)
			continue;
		uint32_t depth = MIN(sample->n, (uint32_t)DEEPEST);
		for (uint32_t i = 0; i <= depth; i++) {
			struct node *n = &t->node.at[at];

			*(is_before ? &n->before : &n->value) += (uint64_t)sample->value;
			if (i < depth)
				at = child_of(t, at, &s->frame.at[sample->first + i]);
		}
	}
}

static void tree_free(struct tree *t)
{
	vec_each(n, &t->node)
		vec_free(&n->kids);
	vec_free(&t->node);
	strtab_free(&t->by_path);
}

/* --- text and colours ------------------------------------------------------------- */

static void out_fill(const struct node *n, struct buf *out)
{
	const struct sample_frame *f = n->frame;
	const char *seed = f && f->module ? f->module : f ? f->name : "";
	uint64_t h = hash_bytes(seed, strlen(seed)), g = f ? hash_bytes(f->name, strlen(f->name)) : 0;
	unsigned light = 62 + (unsigned)(g % 12);

	if (!f)
		buf_puts(out, "#c9c6bd");
	else if (f->origin == FRAME_LABEL)
		buf_printf(out, "hsl(%u,28%%,%u%%)", 140 + (unsigned)(h % 30), light + 8);
	else if (f->origin == FRAME_KERNEL)
		buf_printf(out, "hsl(%u,55%%,%u%%)", 200 + (unsigned)(h % 20), light + 4);
	else
		buf_printf(out, "hsl(%u,82%%,%u%%)", 14 + (unsigned)(h % 38), light);
}

/* Percent points of the whole that a node has gained since the other profile. */
static double change(const struct tree *t, const struct node *n)
{
	const struct node *root = &t->node.at[0];

	return 100.0 * (root->value ? (double)n->value / (double)root->value : 0) -
	       100.0 * (root->before ? (double)n->before / (double)root->before : 0);
}

/* Red: more than before, blue: less; white: the same.  Ten percent points are full colour. */
static void out_change_fill(double c, struct buf *out)
{
	double strength = MIN((c < 0 ? -c : c) / 10, 1.0);
	unsigned fade = (unsigned)(245 - 155 * strength);

	if (c >= 0)
		buf_printf(out, "rgb(255,%u,%u)", fade, fade);
	else
		buf_printf(out, "rgb(%u,%u,255)", fade, fade);
}

/* --- the picture ------------------------------------------------------------------ */

struct picture {
	struct tree tree;
	const struct flame_options *opt;
	const char *name, *unit;
	bool is_diff;
	struct buf out;
};

static void out_where(const struct sample_frame *f, struct buf *out)
{
	if (!f || (!f->module && !f->file))
		return;
	buf_puts(out, f->is_inlined ? " data-m=\"inlined, " : " data-m=\"");
	if (f->file) { /* no line: a box stands for all that were met */
		xml_text(f->file, out);
		buf_puts(out, f->module ? ", " : "");
	}
	if (f->module)
		xml_text(f->module, out);
	buf_puts(out, "\"");
}

static void out_label(const char *name, double px, struct buf *out)
{
	size_t fits = px > 6 ? (size_t)((px - 6) / GLYPH) : 0, n = strlen(name);
	_cleanup_free_ char *cut = NULL;

	if (fits < 3)
		return;
	if (n <= fits) {
		xml_text(name, out);
		return;
	}
	for (n = fits - 1; n && ((unsigned char)name[n] & 0xc0) == 0x80; n--)
		; /* not within a letter */
	cut = xstrndup(name, n);
	xml_text(cut, out);
	buf_puts(out, "\xe2\x80\xa6");
}

static void out_node(struct picture *p, const struct node *n, double x, double w, uint32_t depth)
{
	struct buf *out = &p->out;
	const char *name = n->frame ? n->frame->name : "all";
	double px = w * (WIDTH - 2 * PAD), left = PAD + x * (WIDTH - 2 * PAD);
	uint32_t y = TOP + (p->opt->icicle ? depth : p->tree.depth - depth) * ROW;

	buf_printf(out, "<g data-x=\"%.9g\" data-w=\"%.9g\" data-d=\"%u\" data-v=\"%llu\"", x, w, depth, (unsigned long long)n->value);
	if (p->is_diff)
		buf_printf(out, " data-c=\"%.2f\"", change(&p->tree, n));
	out_where(n->frame, out);
	buf_puts(out, " data-n=\"");
	xml_text(*name ? name : "(empty)", out);
	buf_printf(out, "\"><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%u\" rx=\"1\" fill=\"", left, y, MAX(px - 0.4, 0.3), ROW - 1);
	if (p->is_diff && n->frame)
		out_change_fill(change(&p->tree, n), out);
	else
		out_fill(n, out);
	buf_printf(out, "\"/><text x=\"%.2f\" y=\"%u\">", left + 3, y + 12);
	out_label(name, px, out);
	buf_puts(out, "</text></g>\n");
}

static const struct tree *sorting; /* for qsort, which takes no argument */

static int by_name(const void *a, const void *b)
{
	const struct sample_frame *f = sorting->node.at[*(const uint32_t *)a].frame, *g = sorting->node.at[*(const uint32_t *)b].frame;
	int c = strcmp(f->name, g->name);

	return c ? c : (int)f->origin - (int)g->origin;
}

/* A node and what it calls, from left to right; `total` is what the whole width stands for. */
static void out_tree(struct picture *p, uint32_t index, double x, uint32_t depth, double total)
{
	struct node *n = &p->tree.node.at[index];

	out_node(p, n, x, (double)n->value / total, depth);
	sorting = &p->tree;
	if (n->kids.len > 1)
		qsort(n->kids.at, n->kids.len, sizeof(n->kids.at[0]), by_name);
	vec_each(k, &n->kids) {
		double w = (double)p->tree.node.at[*k].value / total;

		if (w >= LEAST)
			out_tree(p, *k, x, depth + 1, total);
		x += w;
	}
}

/* The depth of what will be seen. */
static uint32_t depth_of(const struct tree *t, uint32_t index, double total)
{
	uint32_t deepest = 0;

	vec_each(k, &t->node.at[index].kids)
		if ((double)t->node.at[*k].value / total >= LEAST)
			deepest = MAX(deepest, 1 + depth_of(t, *k, total));
	return deepest;
}

static void out_key(struct picture *p)
{
	static const struct {
		const char *text, *colour;
	} plain[] = {{"program", "hsl(155,28%,74%)"}, {"user code", "hsl(32,82%,67%)"}, {"kernel", "hsl(208,55%,71%)"}},
	  diff[] = {{"less than before", "rgb(120,120,255)"}, {"the same", "rgb(245,245,245)"}, {"more", "rgb(255,120,120)"}};
	unsigned x = PAD;

	for (unsigned i = 0; i < 3; i++) {
		const char *text = p->is_diff ? diff[i].text : plain[i].text;

		buf_printf(&p->out, "<rect x=\"%u\" y=\"34\" width=\"10\" height=\"10\" fill=\"%s\"/><text class=\"key\" x=\"%u\" y=\"43\">%s</text>\n",
			   x, p->is_diff ? diff[i].colour : plain[i].colour, x + 14, text);
		x += 30 + (unsigned)strlen(text) * 7;
	}
}

static void out_head(struct picture *p)
{
	struct buf *out = &p->out;
	uint32_t height = TOP + (p->tree.depth + 1) * ROW + BOTTOM;
	uint64_t total = p->tree.node.at[0].value;

	buf_printf(out,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" data-total=\"%llu\" data-depth=\"%u\" "
		   "data-unit=\"%s\" data-icicle=\"%d\">\n<style><![CDATA[\n",
		   WIDTH, height, WIDTH, height, (unsigned long long)total, p->tree.depth, p->unit, p->opt->icicle);
	buf_add(out, flame_css, (size_t)(flame_css_end - flame_css));
	buf_puts(out, "]]></style>\n<text id=\"title\" x=\"600\" y=\"24\">");
	xml_text(p->name, out);
	buf_printf(out, "</text>\n<text id=\"subtitle\" x=\"%u\" y=\"22\">%llu %s</text>\n", PAD, (unsigned long long)total, p->unit);
	out_key(p);
	buf_puts(out, "<foreignObject id=\"tools\" x=\"870\" y=\"26\" width=\"320\" height=\"30\"><div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"bar\">"
		      "<input id=\"search\" type=\"search\" placeholder=\"Search (/)\" aria-label=\"Search frames\"/>"
		      "<button id=\"reset\">Reset zoom</button><button id=\"flip\">Flip</button></div></foreignObject>\n<g id=\"frames\">\n");
}

static void out_picture(struct picture *p)
{
	double total = (double)MAX(p->tree.node.at[0].value, 1u);
	uint32_t height;

	p->tree.depth = depth_of(&p->tree, 0, total);
	height = TOP + (p->tree.depth + 1) * ROW + BOTTOM;
	out_head(p);
	out_tree(p, 0, 0, 0, total);
	buf_printf(&p->out, "</g>\n<text id=\"detail\" x=\"%u\" y=\"%u\"></text><text id=\"matched\" x=\"%u\" y=\"%u\"></text>\n<script><![CDATA[\n",
		   PAD, height - 10, WIDTH - PAD, height - 10);
	buf_add(&p->out, flame_js, (size_t)(flame_js_end - flame_js));
	buf_puts(&p->out, "]]></script>\n</svg>\n");
}

void flame_svg(const struct samples *s, const struct samples *before, const struct flame_options *opt, struct buf *out)
{
	struct picture p = {.opt = opt, .name = s->name, .unit = "samples", .is_diff = before != NULL};

	vec_push(&p.tree.node, ((struct node){0}));
	tree_add(&p.tree, s, false);
	if (before)
		tree_add(&p.tree, before, true);
	out_picture(&p);
	tree_free(&p.tree);
	buf_add(out, buf_str(&p.out), p.out.len);
	buf_free(&p.out);
}
