// SPDX-License-Identifier: MIT
// no_new_privs, a seccomp filter, a Landlock ruleset and a user, by the kernel's own
// interface: the C library has no functions for most of it, and a worker has no room
// for another library.
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ending.h"

static PyObject *refused(const char *call)
{
    PyObject *reason = PyUnicode_FromFormat("%s: %s", call, strerrordesc_np(errno));
    PyObject *both = reason == NULL ? NULL : Py_BuildValue("(iN)", errno, reason);
    if (both != NULL) {
        PyErr_SetObject(PyExc_OSError, both);
        Py_DECREF(both);
    }
    return NULL;
}

// ---- Rights -------------------------------------------------------------------

static int keep_rights_down(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

PyObject *sp_sandbox_no_new_privs(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    if (keep_rights_down() != 0) {
        return refused("prctl(PR_SET_NO_NEW_PRIVS)");
    }
    Py_RETURN_NONE;
}

// The capabilities that the kernel asks for where something changes the machine or
// reaches into other processes. A worker of a host that is root has them all.
static const int powers[] = {
    CAP_SYS_ADMIN,
    CAP_SYS_PTRACE,
    CAP_SYS_RAWIO,
    CAP_SYS_MODULE,
    CAP_SYS_BOOT,
    CAP_SYS_TIME,
    CAP_SYS_RESOURCE,
    CAP_SYS_PACCT,
    CAP_SYS_TTY_CONFIG,
    CAP_SYSLOG,
    CAP_MKNOD,
    CAP_NET_ADMIN,
    CAP_MAC_ADMIN,
    CAP_MAC_OVERRIDE,
    CAP_AUDIT_CONTROL,
    CAP_AUDIT_READ,
    CAP_LINUX_IMMUTABLE,
    CAP_WAKE_ALARM,
    CAP_BLOCK_SUSPEND,
    38, // CAP_PERFMON
    39, // CAP_BPF
    40, // CAP_CHECKPOINT_RESTORE
};

// Takes the capabilities in `taken` from the calling thread. 0 or -1 with errno. One
// that has none of them may be refused the call, as in a service of systemd.
static int drop_capabilities(uint64_t taken)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, &header, sets) != 0) {
        return -1;
    }
    uint32_t found = 0;
    for (int i = 0; i < 2; i++) {
        uint32_t left = ~(uint32_t)(taken >> (32 * i));
        found |= (sets[i].effective | sets[i].permitted | sets[i].inheritable) & ~left;
        sets[i].effective &= left;
        sets[i].permitted &= left;
        sets[i].inheritable &= left;
    }
    return found == 0 ? 0 : (int)syscall(SYS_capset, &header, sets);
}

// A program that is started does not get them back, for no_new_privs is set.
static int drop_powers(void)
{
    uint64_t taken = 0;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(powers); i++) {
        taken |= UINT64_C(1) << powers[i];
    }
    return drop_capabilities(taken);
}

// The groups of a sequence of numbers; -1 with an exception.
static Py_ssize_t read_groups(PyObject *sequence, gid_t *groups, Py_ssize_t room)
{
    Py_ssize_t count = PyList_GET_SIZE(sequence);
    if (count > room) {
        PyErr_Format(PyExc_ValueError, "%zd groups, at most %zd", count, room);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        groups[i] = (gid_t)PyLong_AsUnsignedLong(PyList_GET_ITEM(sequence, i));
    }
    return PyErr_Occurred() ? -1 : count;
}

PyObject *sp_sandbox_become(PyObject *module, PyObject *arguments)
{
    unsigned int uid;
    unsigned int gid;
    PyObject *sequence;
    gid_t groups[256];
    (void)module;
    if (!PyArg_ParseTuple(
            arguments, "IIO!:become", &uid, &gid, &PyList_Type, &sequence)) {
        return NULL;
    }
    Py_ssize_t count = read_groups(sequence, groups, Py_ARRAY_LENGTH(groups));
    if (count < 0) {
        return NULL;
    }
    if (setgroups((size_t)count, groups) != 0) {
        return refused("setgroups");
    }
    if (setresgid(gid, gid, gid) != 0) {
        return refused("setresgid");
    }
    if (setresuid(uid, uid, uid) != 0) {
        return refused("setresuid");
    }
    // A host that is not root, but may change users, has capabilities that would stay.
    if (uid != 0 && drop_capabilities(UINT64_MAX) != 0) {
        return refused("capset");
    }
    // The kernel has made /proc/self another's, and has forgotten our parent.
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
        return refused("prctl(PR_SET_DUMPABLE)");
    }
    sp_ending_follow_host();
    Py_RETURN_NONE;
}

// ---- System calls -------------------------------------------------------------

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

// Each changes the machine, or reaches into other processes. Numbers that a machine
// does not have are left out.
static const int denied[] = {
    // mounts and roots
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_swapon,
    SYS_swapoff,
    SYS_quotactl,
    SYS_acct,
    SYS_open_by_handle_at,
    SYS_fanotify_init,
    // namespaces
    SYS_unshare,
    SYS_setns,
    // other processes
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    SYS_process_madvise,
    SYS_move_pages,
    SYS_migrate_pages,
    // the kernel
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_syslog,
    SYS_personality,
    SYS_vhangup,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    // keys, clocks, names
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sethostname,
    SYS_setdomainname,
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
#ifdef SYS_iopl
    SYS_iopl,
#endif
#ifdef SYS_ioperm
    SYS_ioperm,
#endif
#ifdef SYS_modify_ldt
    SYS_modify_ldt,
#endif
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
};

#define NAMESPACES                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
     CLONE_NEWPID | CLONE_NEWNET)
#define FIELD(name)  ((uint32_t)offsetof(struct seccomp_data, name))
#define ERRNO(error) (SECCOMP_RET_ERRNO | ((error) & SECCOMP_RET_DATA))
#define PROGRAM_MAX  (32 + 2 * Py_ARRAY_LENGTH(denied))

// A filter under construction.
struct program {
    struct sock_filter steps[PROGRAM_MAX];
    unsigned short count;
};

static void add(struct program *program, struct sock_filter step)
{
    program->steps[program->count++] = step;
}

static void load(struct program *program, uint32_t field)
{
    add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field));
}

// Ends with `outcome` if the loaded word satisfies the test.
static void
when(struct program *program, uint16_t test, uint32_t word, uint32_t outcome)
{
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | test | BPF_K, word, 0, 1));
    add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, outcome));
}

// As when(), but for one system call whose argument, of which `field` is the low half,
// satisfies the test. The number is loaded before and after.
static void when_argument(struct program *program,
                          uint32_t number,
                          uint32_t field,
                          uint16_t test,
                          uint32_t word)
{
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3));
    load(program, field);
    when(program, test, word, ERRNO(EPERM));
    load(program, FIELD(nr));
}

static void write_program(struct program *program)
{
    load(program, FIELD(arch));
    add(program,
        (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCHITECTURE, 1, 0));
    add(program,
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    load(program, FIELD(nr));
#if defined(__x86_64__)
    when(program, BPF_JGE, 0x40000000u, ERRNO(ENOSYS)); // the x32 numbers
#endif
    for (size_t i = 0; i < Py_ARRAY_LENGTH(denied); i++) {
        when(program, BPF_JEQ, (uint32_t)denied[i], ERRNO(EPERM));
    }
    // A filter cannot read what clone3() points to; without it the C library uses
    // clone(), whose flags it can.
    when(program, BPF_JEQ, SYS_clone3, ERRNO(ENOSYS));
    when_argument(program, SYS_clone, FIELD(args[0]), BPF_JSET, NAMESPACES);
    when_argument(program, SYS_ioctl, FIELD(args[1]), BPF_JEQ, TIOCSTI);
    when_argument(program, SYS_ioctl, FIELD(args[1]), BPF_JEQ, TIOCLINUX);
    // A limit of processor time kills whom it is set for; 0 is the caller itself.
    when_argument(program, SYS_prlimit64, FIELD(args[0]), BPF_JGT, 0);
    add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

PyObject *sp_sandbox_restrict_calls(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    struct program program = {.count = 0};
    write_program(&program);
    struct sock_fprog filter = {.len = program.count, .filter = program.steps};
    if (keep_rights_down() != 0) {
        return refused("prctl(PR_SET_NO_NEW_PRIVS)");
    }
    if (drop_powers() != 0) {
        return refused("capset");
    }
    if (syscall(
            SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) !=
        0) {
        return refused("seccomp(SECCOMP_SET_MODE_FILTER)");
    }
    Py_RETURN_NONE;
}

// ---- Files --------------------------------------------------------------------

// The ruleset of today's kernels; the headers of the build may know less.
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

#define SCOPE_ABSTRACT_SOCKETS UINT64_C(1)
#define SCOPE_SIGNALS          UINT64_C(2)
#define ACCESS_REFER           (UINT64_C(1) << 13)
#define ACCESS_TRUNCATE        (UINT64_C(1) << 14)
#define ACCESS_IOCTL_DEVICE    (UINT64_C(1) << 15)

#define READ                                                     \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | \
     LANDLOCK_ACCESS_FS_READ_DIR)
#define OF_A_FILE                                                \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | \
     LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEVICE)

// What version `abi` can restrict, beginning with the thirteen rights of the first.
static uint64_t rights_of(long abi)
{
    uint64_t rights = (UINT64_C(1) << 13) - 1;
    rights |= abi >= 2 ? ACCESS_REFER : 0;
    rights |= abi >= 3 ? ACCESS_TRUNCATE : 0;
    rights |= abi >= 5 ? ACCESS_IOCTL_DEVICE : 0;
    return rights;
}

// 0 or -1 with an exception.
static int allow(int ruleset, PyObject *path, uint64_t rights)
{
    const char *name = PyBytes_AsString(path);
    struct stat status;
    int file = name == NULL ? -1 : open(name, O_PATH | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        if (name != NULL) {
            PyErr_SetFromErrnoWithFilename(PyExc_OSError, name);
        }
        return -1;
    }
    struct landlock_path_beneath_attr rule = {
        .allowed_access = S_ISDIR(status.st_mode) ? rights : rights & OF_A_FILE,
        .parent_fd = file,
    };
    long rc =
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    if (rc != 0) {
        (void)refused("landlock_add_rule");
    }
    close(file);
    return (int)rc;
}

static int allow_all(int ruleset, PyObject *paths, uint64_t rights)
{
    int rc = 0;
    for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(paths); i++) {
        rc = allow(ruleset, PyList_GET_ITEM(paths, i), rights);
    }
    return rc;
}

// What `:rw` means: all but making devices, which would be a way to any disk.
static uint64_t rights_to_write(long abi)
{
    return rights_of(abi) &
           ~(uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK);
}

// The new ruleset's descriptor; -1 with errno.
static int make_ruleset(long abi)
{
    struct ruleset attributes = {
        .files = rights_of(abi),
        .scoped = abi >= 6 ? SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS : 0,
    };
    size_t size = abi >= 6   ? sizeof attributes
                  : abi >= 4 ? offsetof(struct ruleset, scoped)
                             : offsetof(struct ruleset, network);
    return (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
}

PyObject *sp_sandbox_restrict_files(PyObject *module, PyObject *arguments)
{
    PyObject *readable;
    PyObject *writable;
    (void)module;
    if (!PyArg_ParseTuple(arguments,
                          "O!O!:restrict_files",
                          &PyList_Type,
                          &readable,
                          &PyList_Type,
                          &writable)) {
        return NULL;
    }
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int ruleset = abi < 0 ? -1 : make_ruleset(abi);
    if (ruleset < 0) {
        return refused("landlock_create_ruleset");
    }
    PyObject *version = NULL;
    if (allow_all(ruleset, readable, READ) == 0 &&
        allow_all(ruleset, writable, rights_to_write(abi)) == 0) {
        if (keep_rights_down() != 0) {
            (void)refused("prctl(PR_SET_NO_NEW_PRIVS)");
        } else if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
            (void)refused("landlock_restrict_self");
        } else {
            version = PyLong_FromLong(abi);
        }
    }
    close(ruleset);
    return version;
}
