#!/bin/sh
# embed.sh OUT.S FILE...: assembler text with a table stp_tapset_files of {name, text, length}, ended by zeroes.
out=$1
shift
{
	printf '\t.section .data.rel.ro,"aw"\n\t.globl stp_tapset_files\n\t.balign 8\nstp_tapset_files:\n'
	n=0
	for f; do
		printf '\t.quad .Lname%d, .Ltext%d, .Lend%d - .Ltext%d\n' $n $n $n $n
		n=$((n + 1))
	done
	printf '\t.quad 0, 0, 0\n\t.section .rodata\n'
	n=0
	for f; do
		printf '.Lname%d:\n\t.asciz "%s"\n.Ltext%d:\n\t.incbin "%s"\n.Lend%d:\n\t.byte 0\n' $n "$(basename "$f")" $n "$(realpath "$f")" $n
		n=$((n + 1))
	done
	printf '\t.section .note.GNU-stack,"",@progbits\n'
} > "$out"
