/* Hide instruction sets from a program, so that it runs as on an older processor.

   Linux on x86-64 with CPUID faulting: every CPUID instruction then ends here, is
   carried out, and bits are taken out of its answer. So each library of a process
   chooses its kernels as it would on such a processor, which the libraries' own
   switches bring about for some of them alone.

   Built and loaded by instruction_sets.py (LD_PRELOAD). AVX-512 and AMX are hidden,
   with MICROUS_HIDE_VNNI=1 the byte products of AVX-VNNI as well. */

#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static int hides_vnni;

static void set_cpuid(unsigned long is_allowed) {
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, is_allowed);
}

static void on_fault(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    (void)info;
    if (info->si_code != SI_KERNEL || code[0] != 0x0f || code[1] != 0xa2) {
        signal(number, SIG_DFL); /* a fault of the program's own: it comes again */
        return;
    }
    unsigned leaf = registers[REG_RAX], part = registers[REG_RCX];
    unsigned a, b, c, d;
    set_cpuid(1);
    __cpuid_count(leaf, part, a, b, c, d);
    set_cpuid(0);
    if (leaf == 7 && part == 0) {
        b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 |
               1u << 30 | 1u << 31);
        c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
        d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
    } else if (leaf == 7 && part == 1) {
        a &= ~(1u << 5 | 1u << 21);
        d &= ~(1u << 8 | 1u << 19);
        if (hides_vnni) {
            a &= ~(1u << 4 | 1u << 23);
            d &= ~(1u << 4 | 1u << 5 | 1u << 10);
        }
    } else if (leaf == 0xd && part == 0) {
        a &= ~(7u << 5 | 3u << 17);
    } else if (leaf == 0xd && part > 1 && ((part >= 5 && part <= 7) || part == 17 ||
                                           part == 18)) {
        a = b = c = d = 0;
    } else if (leaf == 0x1d || leaf == 0x1e || leaf == 0x24) {
        a = b = c = d = 0;
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void hide(void) {
    struct sigaction action = {0};
    const char *word = getenv("MICROUS_HIDE_VNNI");
    hides_vnni = word != NULL && word[0] == '1';
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, &action, NULL) != 0 ||
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0) {
        fputs("this processor's instruction sets cannot be hidden\n", stderr);
        _exit(77);
    }
}
