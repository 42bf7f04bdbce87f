# labels.s - main -> local_label -> outside -> inside: functions of hand-written code, some without type and size, two with two names.
.text
.globl main
.type main, @function
main:
	.cfi_startproc
	subq $8, %rsp
	.cfi_adjust_cfa_offset 8
	call local_label
	xorl %eax, %eax
	addq $8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
.size main, .-main
local_label:
	.cfi_startproc
	subq $8, %rsp
	.cfi_adjust_cfa_offset 8
	call outside
after_the_call:
	addq $8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
.globl outside, Alias
.weak Alias
.type outside, @function
.set Alias, outside
outside:
	.cfi_startproc
	subq $8, %rsp
	.cfi_adjust_cfa_offset 8
	call inside
	addq $8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
.size outside, .-outside
.globl inside
.type inside, @function
inside:
	.cfi_startproc
	nop
	ret
	.cfi_endproc
.size inside, .-inside
.section .note.GNU-stack, "", @progbits
