/*
 * The boot sector of an HVM guest: prints on the first serial port that it is up, and then once a
 * second that it still is.
 */
    .code16
    .globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    cld
    mov $up, %si
    call say
again:
    mov $18, %cx
    sti
tick:
    hlt
    loop tick
    mov $still, %si
    call say
    jmp again

say:
    mov $0x3fd, %dx
full:
    in %dx, %al
    test $0x20, %al
    jz full
    lodsb
    test %al, %al
    jz said
    mov $0x3f8, %dx
    out %al, %dx
    jmp say
said:
    ret

up:
    .asciz "sector: up\n"
still:
    .asciz "sector: still up\n"

    .org 510
    .word 0xaa55
