/*
 * parts.h - inside output/: the pieces that several exporters share.
 */
#pragma once

#include "output/output.h"

/* --- number.c: C's rules for fields ----------------------------------------------- */

struct directive {
	bool left, plus, space, alt, zero;
	int width; /* 0: none */
	int prec;  /* -1: none */
};
extern const struct directive directive_plain;
enum { MAX_WIDTH = 1 << 16 }; /* of one field */
/* What a format's directives take one after the other. */
struct format_args {
	const struct value *at;
	unsigned n, next;
};
const struct value *format_next_arg(struct format_args *a); /* NULL: there is none */
/* A width or precision at *p: digits, or an argument for `*`, which counts from `least` to MAX_WIDTH. */
int format_width(const char **p, struct format_args *a, int least);
void out_int(struct buf *out, int64_t v);
void out_uint(struct buf *out, uint64_t v);
void out_hex(struct buf *out, uint64_t v); /* with 0x */
/* `mag` with its sign in `base` 8, 10 or 16; sign flags only when `is_signed`. */
void out_number(struct buf *out, const struct directive *d, bool is_signed, bool neg, uint64_t mag,
		unsigned base, bool upper);
/* Pads what was appended since `start` to the directive's width with blanks. */
void out_pad_since(struct buf *out, size_t start, const struct directive *d);
void out_padded(struct buf *out, const struct directive *d, const char *s, size_t n);

/* --- value.c: typed bytes --------------------------------------------------------- */

/* The low `size` (1 2 4 8) bytes as a number, extended by the type's sign; 0 when bytes are
 * missing. */
int64_t value_int(const struct value *v);
/* Aggregations read as one number: count, sum, min, max, average; others as value_int. */
int64_t value_number(const struct value *v);
bool value_is_signed(const struct type *t);
struct stats_wire value_stats(const struct value *v);
int64_t stats_average(const struct stats_wire *s, bool is_signed);
/* A member; bit-fields are extracted to `room`.  Missing bytes give an empty value. */
struct value value_field(const struct value *v, const struct field *f, uint8_t room[8]);
struct value value_element(const struct value *v, uint32_t i);
/* Text of a string value without the trailer; true when it filled its buffer. */
bool value_string(const struct value *v, const char **s, size_t *n);
bool value_is_char_array(const struct type *t);
const char *enumerator_name(struct exporter *x, const struct type *t, int64_t v); /* NULL */
/* Divides by print()'s `div` before printing; 0 and 1 leave it alone. */
void format_value_div(struct exporter *x, const struct value *v, uint64_t div, struct buf *out);
/* A key without the parentheses of an outer tuple. */
void format_key(struct exporter *x, const struct value *key, struct buf *out);
void format_buffer(const struct value *v, bool keep_ascii, bool escape, struct buf *out);

/* --- names.c: what only the machine knows ----------------------------------------- */

void format_timestamp(struct exporter *x, const struct value *v, struct buf *out);
/* strftime of a wall time, with %f us, %l ms, %k ns; local time. */
void format_wall_time(uint64_t real_ns, const char *fmt, struct buf *out);
void format_now(const char *fmt, struct buf *out); /* time() */
/* join(): args are the number of strings, then the strings. */
void format_join(struct exporter *x, const char *separator, const struct value *args, unsigned n,
		 struct buf *out);
void format_user_name(uint64_t uid, struct buf *out);
void format_cgroup_path(struct exporter *x, const struct value *v, struct buf *out);
void format_inet(const struct value *v, struct buf *out);
void format_gfp_flags(uint64_t flags, struct buf *out);

/* --- stack.c ---------------------------------------------------------------------- */

void format_stack(struct exporter *x, const struct value *v, struct buf *out);
/* The text of frames that have names already; starts with a newline. */
void format_frames(const struct frames *f, enum stack_mode mode, bool is_user, struct buf *out);
void format_symbol(struct exporter *x, const struct value *v, struct buf *out);

/* --- rows.c ----------------------------------------------------------------------- */

/* Sorts as print() does; returns the index of the first row to print when only `top` are wanted. */
size_t rows_sort(struct map_rows *rows, const struct var *v, uint64_t top);
int key_compare(const struct value *a, const struct value *b);

/* --- hist.c ----------------------------------------------------------------------- */

/* One printed row; bounds are [low, high). */
struct hist_row {
	bool has_low, has_high;
	int64_t low, high;
	char low_text[24], high_text[24];
	uint64_t count;
};
struct hist_rows {
	VEC(struct hist_row) row;
};
void hist_rows_make(const struct value *v, uint64_t div, struct hist_rows *ret);
void hist_rows_free(struct hist_rows *h);
void hist_text(const struct hist_rows *h, struct buf *out);

/* --- hand.c ----------------------------------------------------------------------- */

/* exporter_ops.hand of text and JSON */
void hand_text(struct exporter *x, enum hand_phase phase, bool is_bench, const struct hand_run *r,
	       size_t n);
void hand_json(struct exporter *x, enum hand_phase phase, bool is_bench, const struct hand_run *r,
	       size_t n);

/* --- tseries.c -------------------------------------------------------------------- */

struct tseries_point {
	uint64_t epoch;
	int64_t value;
	bool is_set;
};
struct tseries {
	uint64_t interval; /* ns */
	bool is_signed;
	VEC(struct tseries_point) point; /* without gaps, from the first set one */
};
/* The newest epoch over all rows: the right end of every key's axis. */
uint64_t tseries_last_epoch(const struct map_rows *rows);
void tseries_make(const struct value *v, uint64_t last_epoch, struct tseries *ret);
void tseries_free(struct tseries *t);
void tseries_text(const struct tseries *t, struct buf *out);

/* --- escape.c --------------------------------------------------------------------- */

void json_string(const char *text, size_t n, struct buf *out); /* with its quotes */
void utf8_text(const char *text, size_t n, struct buf *out);	 /* as it is, but for what is no UTF-8 */
void xml_text(const char *text, struct buf *out);		/* also for attributes in double quotes */

/* --- message.c: run-time errors --------------------------------------------------- */

const char *helper_name(uint64_t id); /* "map_lookup_elem" */
/* code: what a map's helper said, 0: nothing */
const char *runtime_error_text(uint64_t e, int64_t code);
/* What text mode says about a helper's negative result. */
const char *helper_error_text(uint64_t helper, int64_t retcode);
/* "FILE:LINE:COL-COL: " + severity + msg, and, with context, the source line underlined; of a macro's text also
 * where it was used. */
void format_message(struct exporter *x, struct loc loc, const char *severity, const char *msg,
		    size_t len, bool with_source, struct buf *out);

/* --- exporter.c ------------------------------------------------------------------- */

/* To err_fd, after everything that waits for fd, so that a terminal shows them in order. */
void exporter_stderr(struct exporter *x, const char *s, size_t n);
/* After an event: writes as the buffering mode asks. */
void exporter_written(struct exporter *x, size_t start);

/* stp_note.c: a string of SystemTap's with its notes replaced. */
void stp_text(struct exporter *x, const char *s, size_t n, struct buf *out);
/* Addresses between blanks, one line each. */
void stp_symbols_text(struct exporter *x, const struct value *v, uint32_t pid, bool user, struct buf *out);
/*
 * A stack in one of its forms, taken at `from` (0: not known) or, when the function there returns, where it returns to.  point: the probe, which is
 * told when a process has no stack; NULL: nothing is said.
 */
void stp_stack_text(struct exporter *x, const struct value *v, enum stp_stack what, bool returns, uint64_t from, const char *point, struct buf *out);
