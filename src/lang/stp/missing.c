/* missing.c - functions of stap's tapset that BPF programs cannot do, each with the reason. */
#include "lang/stp/native.h"

static const char kernel_memory[] = "BPF programs cannot write the kernel's memory";
static const char arguments[] = "BPF programs cannot change a function's arguments or registers";
static const char delays[] = "BPF programs cannot make a processor wait";
static const char java[] = "its probes need Byteman in the traced Java program";
static const char python[] = "its probes need stap's own module in the traced Python program";

static const struct {
	const char *name; /* or how it begins, with a * behind */
	const char *reason;
} missing[] = {
	{"set_kernel_*", kernel_memory},
	{"set_returnval", "BPF programs can replace only what functions for error injection return, and only by not running them"},
	{"set_int_arg", arguments},
	{"set_uint_arg", arguments},
	{"set_long_arg", arguments},
	{"set_ulong_arg", arguments},
	{"set_longlong_arg", arguments},
	{"set_ulonglong_arg", arguments},
	{"set_pointer_arg", arguments},
	{"set_s32_arg", arguments},
	{"set_u32_arg", arguments},
	{"set_s64_arg", arguments},
	{"set_u64_arg", arguments},
	{"panic", "BPF programs cannot stop the kernel"},
	{"mdelay", delays},
	{"udelay", delays},
	{"dump_stack", "BPF programs cannot write to the kernel's log; print_backtrace() prints the same stack"},
	{"print_java_backtrace", java},
	{"sprint_java_backtrace", java},
	{"python*", python},
	{"Py2Object_*", python},
	{"Py3Object_*", python},
	{"cve_*", "it is a part of stap's live patches, which replace kernel code"},
};

const char *stp_missing_reason(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		if (glob_match(missing[i].name, name))
			return missing[i].reason;
	return NULL;
}
