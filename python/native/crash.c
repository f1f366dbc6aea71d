// SPDX-License-Identifier: MIT
// The handler here runs in the thread that failed, on whatever stack it has: it takes
// no locks and allocates nothing. Arguments' tensors are mapped read-only; a library
// that takes no notice of that and writes to one kills the worker, and the signal alone
// does not tell why.
//
// The one thing to know: faulthandler has functions for handlers of signals, but none
// that other handlers may call. So it is told to dump the stack at a signal that nobody
// sends, and the handler that it installs for that is taken off, and kept.
#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "state.h"

#define ROUNDS_MOST 1000u // of one fault, within
#define ROUNDS_NS   (5 * SP_NS_PER_S)

#define NOBODYS      (SIGRTMAX - 2) // the signal that nobody sends
#define STACK_BYTES  65536u // of a stack for handlers, besides what registers take
#define TURN_MS      1u
#define TURNS_MOST   100u // that a thread waits for another one's stack to be written
#define WHERE_MS     150u // that the main thread has to write its stack
#define FAULTHANDLER "faulthandler"

static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define DEADLY (sizeof deadly / sizeof deadly[0])

// Constant once the handlers are installed, but for what is atomic, and for `before`,
// which is written while ours is not in front.
static struct {
    struct sp_runtime *runtime;
    pid_t process;
    struct sigaction before[DEADLY];
    _Atomic pid_t passing;   // the thread that is in a handler before ours, or 0
    _Atomic int passed;      // the signal that it was called for
    _Atomic uintptr_t frame; // of our handler in that thread
    // Of faults that somebody's handler has come back from, one after another.
    _Atomic uintptr_t repeated; // the address
    _Atomic uint32_t rounds;
    _Atomic uint64_t since;       // of the first, CLOCK_MONOTONIC ns
    bool imported;                // faulthandler, if there is one
    void (*dump)(int);            // NULL: there is no faulthandler
    struct stat segment;          // what the descriptor stands for
    int prepared;                 // by the template: its number; else 0 or less
    _Atomic pid_t writing;        // the thread whose stack is being written, or 0
    _Atomic uint32_t written_for; // whose it is, as `stack_of` in ipc/layout.h
} watch;

// ---- The stack ----------------------------------------------------------------

static bool descriptor_is_ours(const struct sp_runtime *runtime)
{
    struct stat now;
    return fstat(runtime->stack, &now) == 0 && now.st_dev == watch.segment.st_dev &&
           now.st_ino == watch.segment.st_ino;
}

static void pause_for(uint32_t ms)
{
    const struct timespec turn = {.tv_nsec = ms * 1000000L};
    (void)nanosleep(&turn, NULL);
}

// Two threads may crash at once: the second one waits, or it would end the process in
// the middle of the first one's stack.
static bool begin_writing(void)
{
    pid_t none = 0;
    for (uint32_t turn = 0; turn < TURNS_MOST; turn++) {
        if (atomic_compare_exchange_strong(&watch.writing, &none, gettid())) {
            return true;
        }
        none = 0;
        pause_for(TURN_MS);
    }
    return false;
}

// Python's stack of the calling thread, to where the host finds it. It is written from
// the start of its place; the kernel refuses what goes over the end of the segment.
static void write_stack(uint32_t of)
{
    struct sp_runtime *runtime = watch.runtime;
    char *stack = runtime->view.stack;
    if (watch.dump == NULL || !descriptor_is_ours(runtime) || !begin_writing()) {
        return;
    }
    memset(stack, 0, SP_STACK_MAX);
    atomic_store(&watch.written_for, of);
    if (lseek(runtime->stack, (off_t)runtime->view.stack_at, SEEK_SET) >= 0) {
        // First: should writing it fail, what is there by then is better than nothing.
        atomic_store_explicit(
            &runtime->view.header->stack_of, of, memory_order_release);
        watch.dump(NOBODYS);
    }
    stack[SP_STACK_MAX - 1] = 0;
    atomic_store(&watch.writing, 0);
}

// Has faulthandler install its handler, keeps that, and puts back what was there. True:
// an exception is set.
static bool take_handler(int fd)
{
    struct sigaction before;
    struct sigaction its;
    PyObject *module = PyImport_ImportModule(FAULTHANDLER);
    if (module == NULL || sigaction(NOBODYS, NULL, &before) != 0) {
        Py_XDECREF(module);
        return module == NULL;
    }
    // Of the calling thread alone: others may run meanwhile.
    PyObject *done = PyObject_CallMethod(module, "register", "iiii", NOBODYS, fd, 0, 0);
    if (done != NULL && sigaction(NOBODYS, NULL, &its) == 0 &&
        (its.sa_flags & SA_SIGINFO) == 0) {
        watch.dump = its.sa_handler;
    }
    (void)sigaction(NOBODYS, &before, NULL);
    Py_XDECREF(done);
    Py_DECREF(module);
    return done == NULL;
}

// ---- Stacks for handlers --------------------------------------------------------

static size_t stack_bytes(void)
{
    return STACK_BYTES + getauxval(AT_MINSIGSTKSZ);
}

static size_t guard_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void free_stack(void *stack)
{
    (void)munmap((uint8_t *)stack - guard_bytes(), guard_bytes() + stack_bytes());
}

// Pages of it that are not touched cost nothing. The one below it may not be touched:
// what lies there may be another thread's. NULL: there is no memory.
static void *give_stack(void)
{
    stack_t own = {.ss_size = stack_bytes()};
    uint8_t *area = mmap(NULL,
                         guard_bytes() + own.ss_size,
                         PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE,
                         -1,
                         0);
    if (area == MAP_FAILED) {
        return NULL;
    }
    own.ss_sp = area + guard_bytes();
    if (mprotect(own.ss_sp, own.ss_size, PROT_READ | PROT_WRITE) != 0 ||
        sigaltstack(&own, NULL) != 0) {
        free_stack(own.ss_sp);
        return NULL;
    }
    return own.ss_sp;
}

void *sp_crash_enter_thread(void)
{
    stack_t now;
    bool has_none = sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0;
    return has_none ? give_stack() : NULL;
}

void sp_crash_leave_thread(void *stack)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    stack_t now;
    if (stack == NULL) {
        return;
    }
    // The adapter may have put another one in its place.
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == stack) {
        (void)sigaltstack(&none, NULL);
    }
    free_stack(stack);
}

// ---- What a fault was about ---------------------------------------------------

#define PAGE_FAULT 14 // number of the processor's exception

// A handler that ran before ours may have sent the signal again to let us see it, as
// faulthandler does: then the kernel still tells the address of the thread's last
// fault. 0: unknown.
static uintptr_t address_of(const siginfo_t *info, const void *context)
{
    if (info->si_code > 0) {
        return (uintptr_t)info->si_addr;
    }
#if defined(__x86_64__)
    const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
    return registers[REG_TRAPNO] == PAGE_FAULT ? (uintptr_t)registers[REG_CR2] : 0;
#elif defined(__aarch64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.fault_address;
#else
    (void)context;
    return 0;
#endif
}

// Whether it was a write to the requests, for which there is no remedy; the host is
// told. All of them may be read.
static bool note(uintptr_t address)
{
    struct sp_runtime *runtime = watch.runtime;
    uintptr_t requests = (uintptr_t)runtime->requests.base;
    bool argument = address >= requests && address - requests < runtime->requests.size;
    atomic_store_explicit(&runtime->view.header->fault,
                          argument ? SP_FAULT_ARGUMENT : SP_FAULT_OTHER,
                          memory_order_release);
    return argument;
}

// ---- The handler --------------------------------------------------------------

static bool has_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static const struct sigaction *handler_before(int number)
{
    size_t i = 0;
    while (deadly[i] != number) {
        i++;
    }
    return &watch.before[i];
}

// The signal that nobody sends is blocked while a handler before us works. The kernel
// lifts that when we return, and siglongjmp() when the handler leaves by it.
static void mark_thread(void)
{
    sigset_t mark;
    (void)sigemptyset(&mark);
    (void)sigaddset(&mark, NOBODYS);
    (void)pthread_sigmask(SIG_BLOCK, &mark, NULL);
}

// Whether the handler that was called before us is in the middle of its work. One that
// has left by siglongjmp() is not: then the thread is not marked. If that did not put
// its signals back, our frame tells where handlers have a stack of their own: it is
// where it was, and not below.
static bool is_nested(uintptr_t frame, const void *context)
{
    const sigset_t *blocked = &((const ucontext_t *)context)->uc_sigmask;
    return atomic_load(&watch.passing) == gettid() &&
           frame < atomic_load(&watch.frame) && sigismember(blocked, NOBODYS) == 1;
}

// What handles the signal besides us, if it is not in the middle of doing so. True: it
// was called and has come back.
static bool pass_on(int number, siginfo_t *info, void *context, uintptr_t frame)
{
    const struct sigaction *before = handler_before(number);
    if (!has_handler(before) || is_nested(frame, context)) {
        return false;
    }
    mark_thread();
    atomic_store(&watch.frame, frame);
    atomic_store(&watch.passed, number);
    atomic_store(&watch.passing, gettid());
    if ((before->sa_flags & SA_SIGINFO) != 0) {
        before->sa_sigaction(number, info, context);
    } else {
        before->sa_handler(number);
    }
    atomic_store(&watch.passing, 0);
    return true;
}

static void end_by(int number)
{
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

// faulthandler itself has failed, for us or in a handler before ours: the process ends
// by the signal that it was to end by, which is also what its stack was left for.
static void end_by_the_first(int second,
                             const siginfo_t *info,
                             const void *context,
                             uintptr_t frame)
{
    const uint32_t of = atomic_load(&watch.written_for);
    if (atomic_load(&watch.writing) == gettid()) {
        end_by(of == SP_STACK_OF_START ? second : (int)of);
    } else if (info->si_code > 0 && is_nested(frame, context)) {
        end_by(atomic_load(&watch.passed));
    }
}

// Whether there is no remedy for the fault. The first one is what is told.
static bool
leave_word(int number, const siginfo_t *info, const void *context, uintptr_t frame)
{
    if (is_nested(frame, context)) {
        return false;
    }
    bool hopeless = number == SIGSEGV && note(address_of(info, context));
    write_stack((uint32_t)number);
    return hopeless;
}

// Whether a fault happens again and again, since a handler comes back from it that
// mends nothing: it was switched off (faulthandler.disable()), or puts us in front
// again.
static bool goes_round(const siginfo_t *info)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    uint64_t now = sp_clock_now();
    if (info->si_code <= 0) {
        return false;
    }
    if (address != atomic_load(&watch.repeated) ||
        now - atomic_load(&watch.since) > ROUNDS_NS) {
        atomic_store(&watch.repeated, address);
        atomic_store(&watch.since, now);
        atomic_store(&watch.rounds, 0);
    }
    return atomic_fetch_add(&watch.rounds, 1) >= ROUNDS_MOST;
}

// Afterwards a fault happens again, and is deadly; a signal that was sent must be sent
// again.
static void on_fault(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    bool ours = getpid() == watch.process;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (ours) {
        end_by_the_first(number, info, context, frame);
    }
    bool hopeless = ours && leave_word(number, info, context, frame);
    if (!pass_on(number, info, context, frame) || hopeless || goes_round(info)) {
        (void)signal(number, SIG_DFL);
        if (info->si_code <= 0) {
            (void)raise(number);
        }
    }
    errno = saved;
}

// In front of who handles it now. One that is ignored stays so: it is not deadly.
static int stand_in_front(size_t i)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    struct sigaction now;
    sigemptyset(&action.sa_mask);
    if (sigaction(deadly[i], NULL, &now) != 0) {
        return errno;
    }
    bool is_ours = (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault;
    bool is_ignored = (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN;
    if (is_ours || is_ignored) {
        return 0;
    }
    watch.before[i] = now;
    return sigaction(deadly[i], &action, NULL) == 0 ? 0 : errno;
}

static int stand_in_front_of_all(void)
{
    int rc = 0;
    for (size_t i = 0; i < DEADLY && rc == 0; i++) {
        rc = stand_in_front(i);
    }
    return rc;
}

// What adapters call as faulthandler.enable(): its handlers would be in front of ours.
static PyObject *enable(PyObject *its_own, PyObject *arguments, PyObject *options)
{
    PyObject *done = PyObject_Call(its_own, arguments, options);
    if (done != NULL && (watch.runtime != NULL || watch.prepared > 0)) {
        (void)stand_in_front_of_all();
    }
    return done;
}

// True: an exception is set.
static bool replace_enable(PyObject *module)
{
    static PyMethodDef method = {"enable",
                                 (PyCFunction)(void (*)(void))enable,
                                 METH_VARARGS | METH_KEYWORDS,
                                 "As faulthandler has it, behind Snakepit's handlers."};
    PyObject *its_own = PyObject_GetAttrString(module, "enable");
    PyObject *name = its_own == NULL ? NULL : PyUnicode_FromString(FAULTHANDLER);
    PyObject *ours = name == NULL ? NULL : PyCFunction_NewEx(&method, its_own, name);
    bool failed = ours == NULL || PyObject_SetAttrString(module, "enable", ours) != 0;
    Py_XDECREF(ours);
    Py_XDECREF(name);
    Py_XDECREF(its_own);
    return failed;
}

void sp_crash_import(void)
{
    if (watch.imported) {
        return;
    }
    watch.imported = true;
    PyObject *module = PyImport_ImportModule(FAULTHANDLER);
    if (module == NULL || replace_enable(module)) {
        PyErr_Clear();
    }
    Py_XDECREF(module);
}

// faulthandler gives the main thread a stack for handlers, a small one.
static void prepare_stack(int fd)
{
    stack_t before;
    bool has_none =
        sigaltstack(NULL, &before) == 0 && (before.ss_flags & SS_DISABLE) != 0;
    sp_crash_import();
    if (take_handler(fd)) {
        PyErr_Clear();
    }
    if (has_none) {
        (void)give_stack();
    }
}

// A worker keeps its segment open under the same number. Until it says which process is
// watched, the handlers only pass on.
void sp_crash_prepare(void)
{
    watch.prepared = fcntl(SP_FD_REQUESTS, F_DUPFD_CLOEXEC, SP_FD_COUNT);
    if (watch.prepared < 0) {
        return;
    }
    prepare_stack(watch.prepared);
    (void)stand_in_front_of_all();
}

int sp_crash_keep(int control)
{
    return watch.prepared > 0 ? dup3(control, watch.prepared, O_CLOEXEC)
                              : fcntl(control, F_DUPFD_CLOEXEC, SP_FD_COUNT);
}

int sp_crash_watch(struct sp_runtime *runtime)
{
    bool first = watch.runtime == NULL;
    watch.runtime = runtime;
    watch.process = getpid();
    if (first) {
        (void)fstat(runtime->stack, &watch.segment);
    }
    if (first && watch.prepared > 0) {
        return 0;
    }
    if (first) {
        prepare_stack(runtime->stack);
    }
    return stand_in_front_of_all();
}

// ---- Starts -------------------------------------------------------------------

void sp_crash_note_stage(struct sp_runtime *runtime, const char *text, size_t size)
{
    char *stage = runtime->view.header->stage;
    size_t kept = size < SP_STAGE_MAX ? size : SP_STAGE_MAX - 1;
    memcpy(stage, text, kept);
    memset(stage + kept, 0, SP_STAGE_MAX - kept);
}

static void on_where(int number)
{
    int saved = errno;
    (void)number;
    if (getpid() == watch.process) {
        write_stack(SP_STACK_OF_START);
    }
    errno = saved;
}

// By a signal to the main thread: only a thread itself can look at its stack without
// the other one changing it. Whatever the signal interrupts, the host is about to end.
void sp_crash_tell_where(struct sp_runtime *runtime)
{
    struct sigaction action = {.sa_handler = on_where,
                               .sa_flags = SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    (void)sigaction(NOBODYS, &action, NULL);
    (void)syscall(SYS_tgkill, getpid(), getpid(), NOBODYS);
    for (uint32_t ms = 0;
         ms < WHERE_MS &&
         (atomic_load(&runtime->view.header->stack_of) != SP_STACK_OF_START ||
          atomic_load(&watch.writing) != 0);
         ms++) {
        pause_for(1);
    }
    (void)sp_channel_send(runtime->channel, SP_MESSAGE_WHERE, NULL, 0);
}
