/*
 * zip.h - members of zip archives that are stored as they are (Android's packages run libraries from such), by PKWARE's
 * APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
 */
#pragma once

#include "base/base.h"

/* Where the bytes of member `name` lie in an archive of n bytes; what is wrong otherwise (NULL: all is well). */
const char *zip_find(const uint8_t *data, size_t n, const char *name, size_t *offset_ret, size_t *size_ret);
/* "ARCHIVE!/MEMBER": the length of ARCHIVE, 0 when the path is no such. */
size_t zip_container(const char *path);
