/* The entry of the guest and its ELF notes for Xen. */
#include <xen/elfnote.h>

#define NOTE(type, value)                                                                                          \
    .pushsection .note.xen, "a", @note;                                                                            \
    .align 4;                                                                                                      \
    .long 2f - 1f, 4f - 3f, type;                                                                                  \
1:  .asciz "Xen";                                                                                                  \
2:  .align 4;                                                                                                      \
3:  value;                                                                                                         \
4:  .align 4;                                                                                                      \
    .popsection

NOTE(XEN_ELFNOTE_GUEST_OS, .asciz "xend-test")
NOTE(XEN_ELFNOTE_GUEST_VERSION, .asciz "1")
NOTE(XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0")
NOTE(XEN_ELFNOTE_LOADER, .asciz "generic")
NOTE(XEN_ELFNOTE_VIRT_BASE, .quad 0)
NOTE(XEN_ELFNOTE_PADDR_OFFSET, .quad 0)
NOTE(XEN_ELFNOTE_ENTRY, .quad start)
NOTE(XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page)
NOTE(XEN_ELFNOTE_PAE_MODE, .asciz "yes")
NOTE(XEN_ELFNOTE_FEATURES, .asciz "")

    .text
    .globl start
start:
    cld
    lea stack_end(%rip), %rsp
    /* Xen passes the start info in rsi. */
    mov %rsi, %rdi
    call guest
1:  jmp 1b

    .globl hypercall_page
    .balign 4096
hypercall_page:
    .skip 4096

    .bss
    .balign 4096
    .skip 16384
stack_end:
    .section .note.GNU-stack, "", @progbits
