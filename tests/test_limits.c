/* What containers leave of processors and memory, read from trees of files as Linux shows them, and one real group. */
#include "data_files.h"

#include <limits.h>
#include <sys/wait.h>

#include "core/base/limits.h"

enum { MIB = 1 << 20, GIB = 1 << 30 };

/* A machine of 16 processors, 8 GiB of memory, 6 of them free. */
static char *make_root(const char *groups, const char *mounts)
{
    static const char memory[] =
        "MemTotal:        8388608 kB\nMemFree:          100000 kB\nMemAvailable:    6291456 kB\n";
    char *root = make_folder();
    write_file(root, "proc/meminfo", memory, sizeof memory - 1);
    write_file(root, "proc/self/cgroup", groups, strlen(groups));
    write_file(root, "proc/self/mountinfo", mounts, strlen(mounts));
    return root;
}

static void put(const char *root, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "sys/fs/cgroup/%s", name);
    write_file(root, path, text, strlen(text));
}

static struct vgg_limits read_root(const char *root)
{
    struct vgg_limits limits;
    vgg_limits_read(&limits, root, 16);
    cr_expect_eq(limits.affinity, 16);
    cr_expect_eq(limits.host_memory, 8ull * GIB);
    return limits;
}

static void expect(const char *root, int processors, uint64_t memory, uint64_t available)
{
    struct vgg_limits limits = read_root(root);
    cr_expect_eq(limits.processors, processors, "%d processors, not %d", limits.processors, processors);
    cr_expect_eq(limits.memory, memory, "%llu bytes, not %llu", (unsigned long long)limits.memory,
                 (unsigned long long)memory);
    cr_expect_eq(limits.available, available, "%llu bytes available, not %llu", (unsigned long long)limits.available,
                 (unsigned long long)available);
}

static const char v2_mounts[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "25 22 0:22 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char v1_mounts[] =
    "30 22 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/cpuset rw shared:3 - cgroup cgroup rw,cpuset\n"
    "33 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:4 master:2 - cgroup cgroup rw,cpu,cpuacct\n"
    "34 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
static const char v1_groups[] = "9:name=systemd:/x\n5:cpuset:/set\n4:cpu,cpuacct:/a/b\n3:memory:/m/n\n";

Test(limits, no_groups)
{
    char *root = make_root("0::/\n", "");
    expect(root, 16, 8ull * GIB, 6ull * GIB);
    remove_folder(root);
    struct vgg_limits limits;
    vgg_limits_read(&limits, "/nowhere", 0);
    cr_expect_eq(limits.processors, 1);
    cr_expect_eq(limits.memory, 0);
    cr_expect_eq(limits.available, 0);
}

Test(limits, v2_quota)
{
    static const struct {
        const char *text;
        int processors;
    } cases[] = { { "max 100000\n", 16 },
                  { "250000 100000\n", 3 },
                  { "50000 100000\n", 1 },
                  { "300000 100000\n", 3 },
                  { "1000 100000\n", 1 },
                  { "1800000 100000\n", 16 },
                  { "75000 25000\n", 3 },
                  { "", 16 },
                  { "garbage\n", 16 },
                  { "200000\n", 16 },
                  { "200000 0\n", 16 },
                  { "0 100000\n", 16 },
                  { "-200000 100000\n", 16 },
                  { "200000x 100000\n", 16 },
                  { "99999999999999999999999 100000\n", 16 } };
    char *root = make_root("0::/box\n", v2_mounts);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(root, "box/cpu.max", cases[i].text);
        struct vgg_limits limits = read_root(root);
        cr_expect_eq(limits.processors, cases[i].processors, "%s: %d", cases[i].text, limits.processors);
    }
    put(root, "box/cpu.max", "250000 100000\n");
    struct vgg_limits limits;
    vgg_limits_read(&limits, root, 2); /* a cpuset or taskset gives less than the quota */
    cr_expect_eq(limits.processors, 2);
    cr_expect_eq(limits.quota, 3);
    remove_folder(root);
}

Test(limits, v2_memory)
{
    char *root = make_root("0::/box\n", v2_mounts);
    put(root, "box/memory.max", "2147483648\n");
    expect(root, 16, 2ull * GIB, 2ull * GIB);
    put(root, "box/memory.current", "1610612736\n");
    expect(root, 16, 2ull * GIB, 512ull * MIB);
    /* Page cache that can go; active_file's name ends like inactive_file's. */
    put(root, "box/memory.stat", "anon 5\nfile 9\ninactive_file 268435456\nactive_file 134217728\n");
    expect(root, 16, 2ull * GIB, 512ull * MIB + 256 * MIB + 64 * MIB);
    put(root, "box/memory.high", "1879048192\n");
    expect(root, 16, 1792ull * MIB, 256ull * MIB + 256 * MIB + 64 * MIB);
    put(root, "box/memory.high", "max\n");
    put(root, "box/memory.max", "max\n");
    expect(root, 16, 8ull * GIB, 6ull * GIB);
    put(root, "box/memory.max", "9000000000000\n"); /* more than the machine has */
    expect(root, 16, 8ull * GIB, 6ull * GIB);
    put(root, "box/memory.max", "1073741824\n"); /* less than is in use: a page, for 0 is "unknown" */
    expect(root, 16, 1ull * GIB, 4096);
    put(root, "box/memory.max", "1073741824k\n");
    expect(root, 16, 8ull * GIB, 6ull * GIB);
    remove_folder(root);
}

/* Every group above binds; the mount's own is the last. */
Test(limits, v2_ancestors)
{
    char *root = make_root("0::/pod/box/inner\n", v2_mounts);
    put(root, "pod/box/inner/cpu.max", "800000 100000\n");
    put(root, "pod/cpu.max", "150000 50000\n");
    put(root, "pod/other/cpu.max", "100000 100000\n");
    put(root, "pod/box/inner/memory.max", "4294967296\n");
    put(root, "pod/box/inner/memory.current", "1048576\n");
    put(root, "pod/box/memory.max", "3221225472\n");
    put(root, "pod/box/memory.current", "2097152\n");
    put(root, "pod/memory.max", "5368709120\n");
    put(root, "pod/memory.current", "4294967296\n");
    expect(root, 3, 3ull * GIB, 1ull * GIB);
    put(root, "cpu.max", "200000 100000\n"); /* the mount's */
    expect(root, 2, 3ull * GIB, 1ull * GIB);
    write_file(root, "sys/fs/cpu.max", "100000 100000\n", 14);
    expect(root, 2, 3ull * GIB, 1ull * GIB);
    remove_folder(root);
}

Test(limits, v1)
{
    char *root = make_root(v1_groups, v1_mounts);
    put(root, "cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put(root, "cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    put(root, "memory/m/n/memory.limit_in_bytes", "9223372036854771712\n");
    put(root, "memory/m/n/memory.usage_in_bytes", "1073741824\n");
    put(root, "memory/m/n/memory.stat", "cache 1\nhierarchical_memory_limit 9223372036854771712\n");
    expect(root, 16, 8ull * GIB, 6ull * GIB);
    put(root, "cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n");
    expect(root, 16, 8ull * GIB, 6ull * GIB);
    put(root, "cpu,cpuacct/a/cpu.cfs_period_us", "50000\n");
    expect(root, 5, 8ull * GIB, 6ull * GIB);
    put(root, "cpu,cpuacct/a/b/cpu.cfs_quota_us", "410000\n");
    expect(root, 5, 8ull * GIB, 6ull * GIB);
    put(root, "cpu,cpuacct/a/b/cpu.cfs_quota_us", "350000\n");
    expect(root, 4, 8ull * GIB, 6ull * GIB);
    put(root, "memory/m/n/memory.limit_in_bytes", "3221225472\n");
    expect(root, 4, 3ull * GIB, 2ull * GIB);
    put(root, "memory/m/n/memory.stat",
        "inactive_file 7\nactive_file 7\nhierarchical_memory_limit 2147483648\ntotal_inactive_file 104857600\n"
        "total_active_file 209715200\n");
    expect(root, 4, 2ull * GIB, 1ull * GIB + 200 * MIB);
    put(root, "memory/m/memory.limit_in_bytes", "1610612736\n");
    put(root, "memory/m/memory.usage_in_bytes", "1600126976\n");
    expect(root, 4, 1536ull * MIB, 10ull * MIB);
    put(root, "memory/m/memory.use_hierarchy", "0\n"); /* then it does not hold for the groups below */
    expect(root, 4, 2ull * GIB, 1ull * GIB + 200 * MIB);
    put(root, "memory/m/memory.use_hierarchy", "1\n");
    put(root, "memory/m/n/memory.use_hierarchy", "0\n");
    expect(root, 4, 1536ull * MIB, 10ull * MIB);
    remove_folder(root);
}

/* systemd's hybrid: controllers in v1, v2 beside them; and memory in v2, processors in v1. */
Test(limits, hybrid)
{
    static const char groups[] = "4:cpu,cpuacct:/a\n0::/u\n";
    char mounts[1024];
    snprintf(mounts, sizeof mounts, "%s%s", v1_mounts,
             "40 30 0:40 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw\n");
    char *root = make_root(groups, mounts);
    put(root, "cpu,cpuacct/a/cpu.cfs_quota_us", "600000\n");
    put(root, "cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    put(root, "memory/a/memory.limit_in_bytes", "1073741824\n"); /* the process has no group there */
    put(root, "unified/u/memory.max", "2147483648\n");
    expect(root, 6, 2ull * GIB, 2ull * GIB);
    put(root, "unified/u/cpu.max", "400000 100000\n");
    expect(root, 4, 2ull * GIB, 2ull * GIB);
    remove_folder(root);
}

/* What a container sees: of v1 the host's path with the mount's root the same; its own root as "/"; groups above it as
 * "..". */
Test(limits, namespaces)
{
    static const struct {
        const char *group, *mount_root, *file;
    } cases[] = {
        { "/docker/abc", "/docker/abc", "cpu.max" },
        { "/docker/abc/inner", "/docker/abc", "inner/cpu.max" },
        { "/docker/abc/inner", "/docker/abc", "cpu.max" },
        { "/", "/", "cpu.max" },
        { "/inner", "/", "inner/cpu.max" },
        { "/../../else", "/../..", "else/cpu.max" },
        { "/docker/abcd", "/docker/abc", "cpu.max" },     /* moved out: the mount stands for it */
        { "/../else", "/", "cpu.max" },                   /* the same */
        { "/", "/..", "cpu.max" },                        /* a mount from above */
        { "/a b\\c/in", "/a\\040b\\134c", "in/cpu.max" }, /* escapes */
        { "/a:b", "/", "a:b/cpu.max" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char groups[256], mounts[512];
        snprintf(groups, sizeof groups, "0::%s\n", cases[i].group);
        snprintf(mounts, sizeof mounts, "25 22 0:22 %s /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
                 cases[i].mount_root);
        char *root = make_root(groups, mounts);
        put(root, cases[i].file, "700000 100000\n");
        put(root, "else/cpu.max", strstr(cases[i].file, "else") ? "700000 100000\n" : "300000 100000\n");
        write_file(root, "sys/fs/cpu.max", "300000 100000\n", 14);
        struct vgg_limits limits = read_root(root);
        cr_expect_eq(limits.processors, 7, "%s at %s: %d", cases[i].group, cases[i].mount_root, limits.processors);
        remove_folder(root);
    }
    /* A neighbour's mount beside one that shows the group; a mount point with blanks, the last line without an end. */
    char *root = make_root("0::/docker/abc", "26 22 0:22 /docker /sys/fs/cgroup/my\\040groups ro - cgroup2 cgroup rw\n"
                                             "25 22 0:22 /docker/def /sys/fs/cgroup/def ro - cgroup2 cgroup rw");
    put(root, "def/cpu.max", "200000 100000\n");
    put(root, "my groups/abc/cpu.max", "700000 100000\n");
    expect(root, 7, 8ull * GIB, 6ull * GIB);
    remove_folder(root);
    /* v1: only the controller's own mounts count. */
    root = make_root("4:cpu:/docker/abc\n", "31 30 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
                                            "33 30 0:28 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
    put(root, "cpu/cpu.cfs_quota_us", "700000\n");
    put(root, "cpu/cpu.cfs_period_us", "100000\n");
    expect(root, 7, 8ull * GIB, 6ull * GIB);
    remove_folder(root);
}

Test(limits, garbage)
{
    static const char *const groups[] = {
        "", "\n\n", ":::\n", "0:\n", "0::\n", "0::relative\n", "\x01\xff", "0::/box"
    };
    static const char *const mounts[] = { "",
                                          " - \n",
                                          " - cgroup2",
                                          "1 2 3 / - cgroup2 x rw\n",
                                          "1 2 3 / /sys/fs/cgroup - cgroup2\n",
                                          "a b c d e f g h i j k l m n\n",
                                          "1 2 3 /\\40 /sys\\ - cgroup2 x rw\n",
                                          "\n\n - - - \n" };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        for (size_t j = 0; j < sizeof mounts / sizeof *mounts; j++) {
            char *root = make_root(groups[i], mounts[j]);
            put(root, "box/cpu.max", "300000 100000\n");
            put(root, "cpu.max", "300000 100000\n");
            expect(root, 16, 8ull * GIB, 6ull * GIB);
            remove_folder(root);
        }
    }
    size_t size = 3 * PATH_MAX;
    char *longest = malloc(size + 64), path[256];
    memcpy(longest, "0::/", 4);
    memset(longest + 4, 'x', size);
    longest[size] = '\0';
    char *root = make_root(longest, v2_mounts);
    expect(root, 16, 8ull * GIB, 6ull * GIB);
    remove_folder(root);
    free(longest);
    root = make_root("0::/box\n", v2_mounts);
    snprintf(path, sizeof path, "%s/sys/fs/cgroup/box/cpu.max", root);
    put(root, "box/memory.max", "1073741824\n");
    cr_assert_eq(mkdir(path, 0777), 0); /* a folder where a file should be */
    expect(root, 16, 1ull * GIB, 1ull * GIB);
    write_file(root, "proc/meminfo", "MemTotal: much\n", 15);
    struct vgg_limits limits;
    vgg_limits_read(&limits, root, 16);
    cr_expect_eq(limits.host_memory, 0);
    cr_expect_eq(limits.memory, 1ull * GIB);
    put(root, "box/memory.max", "9223372036854710272\n"); /* v1's "no limit" with pages of 64 KiB */
    vgg_limits_read(&limits, root, 16);
    cr_expect_eq(limits.memory, 0);
    remove_folder(root);
}

Test(limits, words)
{
    static const struct {
        struct vgg_limits limits;
        const char *text;
    } cases[] = {
        { { 16, 16, INT_MAX, 8ull * GIB, 8ull * GIB, GIB }, "" },
        { { 16, 16, 17, 0, 0, 0 }, "" },
        { { 3, 16, 3, 8ull * GIB, 8ull * GIB, GIB }, "a container allows 3 of 16 processors" },
        { { 4, 4, 9, 1536ull * MIB, 8ull * GIB, GIB }, "a container allows 1.5 of 8.0 GiB memory" },
        { { 3, 16, 3, 1536ull * MIB, 8ull * GIB, GIB },
          "a container allows 3 of 16 processors, 1.5 of 8.0 GiB memory" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[160] = "?";
        vgg_limits_describe(text, sizeof text, &cases[i].limits);
        cr_expect_str_eq(text, cases[i].text);
    }
}

Test(limits, this_machine)
{
    struct vgg_limits limits;
    vgg_limits_get(&limits);
    cr_expect_geq(limits.processors, 1);
    cr_expect_leq(limits.processors, limits.affinity);
    cr_expect_leq(limits.affinity, vgg_limits_online());
    cr_expect_gt(limits.available, 4096);
    cr_expect_leq(limits.available, limits.memory);
    cr_expect_leq(limits.memory, limits.host_memory);
    cr_expect_eq(vgg_limits_processors(), limits.processors);
    cr_expect_eq(vgg_limits_memory(), limits.memory);
    cr_expect_neq(vgg_limits_available(), 0);
}
