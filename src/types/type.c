/* type.c - building, comparing and spelling types. */
#include "types/type.h"
