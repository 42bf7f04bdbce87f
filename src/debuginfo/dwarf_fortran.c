/*
 * dwarf_fortran.c - what Fortran has and C has not: text with a length, and arrays of which a variable holds only a descriptor.
 * Both become structs.
 */
#include "debuginfo/dwarf_internal.h"

static struct type *make_fields(struct dwarf *d, struct type *t, const struct field *field, uint32_t n, uint32_t size)
{
	t->kind = TYPE_STRUCT;
	t->field = arena_memdup(d->arena, field, n * sizeof(*field));
	t->nfield = n;
	t->size = size;
	return t;
}

static struct type *pointer_to(struct dwarf *d, struct type *elem)
{
	struct type *t = arena_new(d->arena, struct type);
	*t = (struct type){.kind = TYPE_PTR, .size = 8, .as = (uint8_t)d->as, .elem = elem};
	return t;
}

/* character(len=*): struct fortran_text */
static struct type *make_text(struct dwarf *d, struct type *t)
{
	const struct field fields[] = {{.name = "data_ptr", .type = pointer_to(d, &type_char)},
				       {.name = "length", .type = &type_int64, .offset = 8}};
	return make_fields(d, t, fields, ARRAY_SIZE(fields), sizeof(struct fortran_text));
}

static bool is_gfortran(Dwarf_Die *die)
{
	Dwarf_Die cu;
	Dwarf_Attribute a;
	const char *producer = dwarf_diecu(die, &cu, NULL, NULL) && die_attr(&cu, DW_AT_producer, &a) ? dwarf_formstring(&a) : NULL;
	return producer && strstr(producer, "GNU Fortran");
}

/*
 * An array of which only a descriptor is kept, as gfortran lays it out (struct descriptor_dimension and GFC_ARRAY_DESCRIPTOR of
 * libgfortran.h): where the data is, bytes from element to element (times the stride), and three numbers a dimension.
 */
struct type *dwarf_descriptor_type(struct dwarf *d, Dwarf_Die *die, struct type *t, struct type *elem, unsigned rank)
{
	t->size = 0;
	if (!is_gfortran(die))
		return t;
	struct type *dim = arena_new(d->arena, struct type), *dims = arena_new(d->arena, struct type);
	const struct field numbers[] = {{.name = "stride", .type = &type_int64},
					{.name = "lower", .type = &type_int64, .offset = 8},
					{.name = "upper", .type = &type_int64, .offset = 16}};
	make_fields(d, dim, numbers, ARRAY_SIZE(numbers), 24);
	*dims = (struct type){.kind = TYPE_ARRAY, .elem = dim, .count = rank, .size = 24 * rank};
	const struct field fields[] = {{.name = "data", .type = pointer_to(d, elem)},
				       {.name = "span", .type = &type_int64, .offset = 32},
				       {.name = "dim", .type = dims, .offset = 40}};
	return make_fields(d, t, fields, ARRAY_SIZE(fields), 40 + 24 * rank);
}

/* Text of a length that the type tells, or that is a variable of its own. */
struct type *dwarf_string_type(struct dwarf *d, Dwarf_Die *die, struct type *t)
{
	Dwarf_Die length;
	if (!t->size && die_ref(die, DW_AT_string_length, &length))
		return make_text(d, t);
	t->kind = TYPE_ARRAY;
	t->elem = &type_char;
	t->count = t->size;
	return t;
}
