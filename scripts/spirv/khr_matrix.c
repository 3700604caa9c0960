/* khr_matrix IN.spv OUT.spv: SPIR-V of SPV_NV_cooperative_matrix as SPV_KHR_cooperative_matrix, which drivers have and
 * older compilers of GLSL do not. Runs where the build runs. What a matrix is for is no part of NV's type; it follows
 * from the specialisation constant of its rows (shaders/common/matrix.glsl).
 * Source: the specifications of both extensions, https://registry.khronos.org/SPIR-V. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaders/common/params.h"

enum { MAGIC = 0x07230203, HEADER = 5, BOUND = 3 };
enum { LONGEST = 16 }; /* words of an instruction that is looked into */
enum {
    OP_EXTENSION = 10,
    OP_CAPABILITY = 17,
    OP_TYPE_INT = 21,
    OP_CONSTANT_TRUE = 41,
    OP_CONSTANT_FALSE = 42,
    OP_CONSTANT = 43,
    OP_DECORATE = 71,
    OP_TYPE_MATRIX_KHR = 4456,
    OP_LOAD_KHR,
    OP_STORE_KHR,
    OP_MULTIPLY_ADD_KHR,
    OP_LENGTH_KHR,
    OP_TYPE_MATRIX_NV = 5358,
    OP_LOAD_NV,
    OP_STORE_NV,
    OP_MULTIPLY_ADD_NV,
    OP_LENGTH_NV
};
enum { SPEC_ID = 1, CAPABILITY_KHR = 6022, CAPABILITY_NV = 5357 };
enum { VALUES = 3 }; /* constants 0, 1, 2: uses A, B, accumulator; layouts by rows, by columns */

struct module {
    uint32_t *word;
    size_t count;
};

/* What is known of each result. */
struct id {
    uint32_t spec; /* number of the specialisation constant, plus 1 */
    bool truth[2]; /* a constant of this truth value */
};

struct rewriting {
    struct id *id;
    uint32_t bound_before, bound, unsigned_type, value[VALUES]; /* results, 0: none yet */
    uint32_t *out;
    size_t count;
    const char *wrong; /* NULL: all is well */
};

static bool read_module(struct module *module, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    bool good = fseek(file, 0, SEEK_END) == 0;
    long size = good ? ftell(file) : -1;
    good = size >= 4 * HEADER && size % 4 == 0 && fseek(file, 0, SEEK_SET) == 0;
    module->count = good ? (size_t)size / 4 : 0;
    module->word = good ? calloc((size_t)size / 4 + LONGEST, 4) : NULL; /* beyond its end, too, operands can be read */
    good = module->word && fread(module->word, 4, module->count, file) == module->count && module->word[0] == MAGIC;
    fclose(file);
    return good;
}

static bool write_module(const struct rewriting *r, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    bool good = fwrite(r->out, 4, r->count, file) == r->count;
    return fclose(file) == 0 && good;
}

static void add(struct rewriting *r, uint32_t op, const uint32_t *operand, size_t count)
{
    r->out[r->count++] = (uint32_t)(count + 1) << 16 | op;
    memcpy(r->out + r->count, operand, 4 * count);
    r->count += count;
}

static struct id *id_of(struct rewriting *r, uint32_t number)
{
    if (number >= r->bound_before) r->wrong = "a result beyond its bound";
    return &r->id[number < r->bound_before ? number : 0];
}

static uint32_t constant(struct rewriting *r, uint32_t value)
{
    if (!r->value[value]) {
        if (!r->unsigned_type) r->wrong = "no type uint before the first matrix";
        r->value[value] = r->bound++;
        const uint32_t operand[] = { r->unsigned_type, r->value[value], value };
        add(r, OP_CONSTANT, operand, 3);
    }
    return r->value[value];
}

static void rewrite_type(struct rewriting *r, const uint32_t *word)
{
    uint32_t use;
    for (uint32_t value = 0; value < VALUES; value++)
        constant(r, value); /* among the types, not among the functions */
    if (r->wrong) return;
    switch (id_of(r, word[4])->spec) {
    case VK_SPEC_FRAGMENT_A + 1: use = 0; break;
    case VK_SPEC_FRAGMENT_B + 1: use = 1; break;
    case VK_SPEC_FRAGMENT_C + 1: use = 2; break;
    default: r->wrong = r->wrong ? r->wrong : "a matrix whose rows do not tell what it is for"; return;
    }
    const uint32_t operand[] = { word[1], word[2], word[3], word[4], word[5], constant(r, use) };
    add(r, OP_TYPE_MATRIX_KHR, operand, 6);
}

/* A load or store: `lead` operands, stride, column-major, then memory access. */
static void rewrite_access(struct rewriting *r, uint32_t op, const uint32_t *word, size_t count, size_t lead)
{
    uint32_t operand[LONGEST];
    const struct id *columns = id_of(r, word[2 + lead]);
    if (count < 3 + lead || count > LONGEST || columns->truth[0] == columns->truth[1]) {
        r->wrong = "a load or store whose layout is no constant";
        return;
    }
    memcpy(operand, word + 1, 4 * (count - 1));
    operand[lead] = constant(r, columns->truth[1]);
    operand[lead + 1] = word[1 + lead];
    add(r, op, operand, count - 1);
}

static void rewrite_extension(struct rewriting *r, const uint32_t *word, size_t count)
{
    static const char from[] = "SPV_NV_cooperative_matrix", to[] = "SPV_KHR_cooperative_matrix";
    uint32_t name[(sizeof to + 3) / 4] = { 0 };
    memcpy(name, to, sizeof to);
    bool ours = 4 * (count - 1) >= sizeof from && !memcmp(word + 1, from, sizeof from);
    if (ours) {
        add(r, OP_EXTENSION, name, sizeof name / 4);
    } else {
        add(r, OP_EXTENSION, word + 1, count - 1);
    }
}

static void note(struct rewriting *r, uint32_t op, const uint32_t *word)
{
    if (op == OP_DECORATE && word[2] == SPEC_ID) id_of(r, word[1])->spec = word[3] + 1;
    if (op == OP_TYPE_INT && word[2] == 32 && word[3] == 0) r->unsigned_type = word[1];
    if (op == OP_CONSTANT_TRUE || op == OP_CONSTANT_FALSE) id_of(r, word[2])->truth[op == OP_CONSTANT_TRUE] = true;
}

static void rewrite(struct rewriting *r, uint32_t op, const uint32_t *word, size_t count)
{
    const uint32_t capability = CAPABILITY_KHR;
    note(r, op, word);
    switch (op) {
    case OP_CAPABILITY: add(r, op, word[1] == CAPABILITY_NV ? &capability : word + 1, 1); break;
    case OP_EXTENSION: rewrite_extension(r, word, count); break;
    case OP_TYPE_MATRIX_NV: rewrite_type(r, word); break;
    case OP_LOAD_NV: rewrite_access(r, OP_LOAD_KHR, word, count, 3); break;
    case OP_STORE_NV: rewrite_access(r, OP_STORE_KHR, word, count, 2); break;
    case OP_MULTIPLY_ADD_NV: add(r, OP_MULTIPLY_ADD_KHR, word + 1, count - 1); break;
    case OP_LENGTH_NV: add(r, OP_LENGTH_KHR, word + 1, count - 1); break;
    default: add(r, op, word + 1, count - 1); break;
    }
}

static void rewrite_module(struct rewriting *r, const struct module *module)
{
    memcpy(r->out, module->word, 4 * HEADER);
    r->count = HEADER;
    for (size_t i = HEADER; i < module->count && !r->wrong;) {
        size_t count = module->word[i] >> 16;
        if (count == 0 || count > module->count - i) {
            r->wrong = "an instruction that leads out of it";
            return;
        }
        rewrite(r, module->word[i] & 0xFFFF, module->word + i, count);
        i += count;
    }
    r->out[BOUND] = r->bound;
    if (!r->wrong && !r->value[0]) r->wrong = "no matrices";
}

int main(int argc, char **argv)
{
    struct module module = { 0 };
    struct rewriting r = { 0 };
    if (argc != 3) {
        fprintf(stderr, "khr_matrix IN.spv OUT.spv\n");
        return 2;
    }
    if (!read_module(&module, argv[1])) {
        fprintf(stderr, "%s: is no SPIR-V of this machine's byte order, or cannot be read (%s)\n", argv[1],
                strerror(errno));
        free(module.word);
        return 1;
    }
    r.bound_before = r.bound = module.word[BOUND];
    r.id = calloc((size_t)r.bound + 1, sizeof *r.id);
    r.out = malloc(4 * (2 * module.count + 64)); /* no instruction more than doubles; three constants */
    if (!r.id || !r.out) r.wrong = "too many instructions for the memory";
    if (!r.wrong) rewrite_module(&r, &module);
    if (!r.wrong && !write_module(&r, argv[2])) r.wrong = "but the result cannot be written";
    if (r.wrong) fprintf(stderr, "%s: has %s\n", argv[1], r.wrong);
    free(module.word);
    free(r.id);
    free(r.out);
    return r.wrong ? 1 : 0;
}
