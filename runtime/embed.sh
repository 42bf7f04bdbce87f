#!/bin/sh
# embed.sh OBJECT OUT.S: assembler text that puts the bytes of OBJECT between runtime_blob and runtime_blob_end.
cat > "$2" <<TEXT
	.section .rodata
	.globl runtime_blob, runtime_blob_end
	.balign 16
runtime_blob:
	.incbin "$(realpath "$1")"
runtime_blob_end:
	.byte 0
	.section .note.GNU-stack,"",@progbits
TEXT
