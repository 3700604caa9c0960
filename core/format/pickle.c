#include "core/format/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/base/mem.h"

enum { MOST_PROTOCOL = 5, MOST_NUMBER = 8 };

static const struct vgg_pickle_global globals[] = {
    { "collections", "OrderedDict", VGG_PICKLE_ORDERED_DICT, 0, 0, NULL },
    { "torch", "Size", VGG_PICKLE_SIZE, 0, 0, NULL },
    { "torch", "Tensor", VGG_PICKLE_TYPE, 0, 0, NULL },
    { "torch.nn.parameter", "Parameter", VGG_PICKLE_TYPE, 0, 0, NULL },
    { "torch._utils", "_rebuild_tensor", VGG_PICKLE_REBUILD, 0, 0, NULL },
    { "torch._utils", "_rebuild_tensor_v2", VGG_PICKLE_REBUILD, 0, 0, NULL },
    { "torch._utils", "_rebuild_tensor_v3", VGG_PICKLE_REBUILD, 0, 0, NULL },
    { "torch._utils", "_rebuild_parameter", VGG_PICKLE_PARAMETER, 0, 0, NULL },
    { "torch._utils", "_rebuild_parameter_with_state", VGG_PICKLE_PARAMETER, 0, 0, NULL },
    { "torch._tensor", "_rebuild_from_type_v2", VGG_PICKLE_FROM_TYPE, 0, 0, NULL },
    { "torch", "FloatStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_F32, 4, "F32" },
    { "torch", "HalfStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_F16, 2, "F16" },
    { "torch", "BFloat16Storage", VGG_PICKLE_DTYPE, VGG_DTYPE_BF16, 2, "BF16" },
    { "torch", "DoubleStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_F64, 8, "F64" },
    { "torch", "LongStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_I64, 8, "I64" },
    { "torch", "IntStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_I32, 4, "I32" },
    { "torch", "ByteStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_U8, 1, "U8" },
    { "torch", "ShortStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 2, "I16" },
    { "torch", "CharStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 1, "I8" },
    { "torch", "BoolStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 1, "BOOL" },
    { "torch", "ComplexFloatStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 8, "C64" },
    { "torch", "ComplexDoubleStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 16, "C128" },
    { "torch.storage", "UntypedStorage", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 1, "untyped" },
    { "torch", "uint16", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 2, "U16" },
    { "torch", "uint32", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 4, "U32" },
    { "torch", "uint64", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 8, "U64" },
    { "torch", "float8_e4m3fn", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 1, "F8_E4M3" },
    { "torch", "float8_e5m2", VGG_PICKLE_DTYPE, VGG_DTYPE_OTHER, 1, "F8_E5M2" },
};

/* Indices of nodes that grow as they are needed. */
struct list {
    uint32_t *at;
    size_t count, capacity;
};

/* The machine at work. */
struct machine {
    struct vgg_pickle *pickle;
    const char *path;
    const unsigned char *at, *end, *begin;
    struct list stack, marks, memo; /* marks: places in the stack; memo: nodes by number, 0: none */
};

static enum vgg_status damaged(const struct machine *m, const char *what)
{
    return vgg_fail(VGG_ERR_FORMAT, "%s: its pickle %s at byte %zu: the file is damaged", m->path, what,
                    (size_t)(m->at - m->begin));
}

static enum vgg_status push_to(struct list *list, uint32_t value, const char *path)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        uint32_t *grown = realloc(list->at, capacity * sizeof *grown);
        if (!grown) return vgg_fail_memory(path, capacity * sizeof *grown);
        list->at = grown;
        list->capacity = capacity;
    }
    list->at[list->count++] = value;
    return VGG_OK;
}

/* A new node on the stack; *out may be NULL. It moves when the next one is made. */
static enum vgg_status make(struct machine *m, enum vgg_pickle_kind kind, struct vgg_pickle_node **out)
{
    struct vgg_pickle *pickle = m->pickle;
    if (pickle->count == pickle->capacity) {
        uint32_t capacity = pickle->capacity ? 2 * pickle->capacity : 256;
        if (capacity > VGG_PICKLE_NODES) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: its pickle makes more than %d objects, which no file of weights does",
                            m->path, VGG_PICKLE_NODES);
        }
        struct vgg_pickle_node *grown = realloc(pickle->node, capacity * sizeof *grown);
        if (!grown) return vgg_fail_memory(m->path, capacity * sizeof *grown);
        pickle->node = grown;
        pickle->capacity = capacity;
    }
    struct vgg_pickle_node *node = &pickle->node[pickle->count];
    *node = (struct vgg_pickle_node) { .kind = kind };
    if (out) *out = node;
    return push_to(&m->stack, pickle->count++, m->path);
}

/* ---- reading ---- */

static bool take(struct machine *m, size_t size, const unsigned char **bytes)
{
    if ((size_t)(m->end - m->at) < size) return false;
    *bytes = m->at;
    m->at += size;
    return true;
}

/* A little-endian number of 1 to 8 bytes. */
static bool take_number(struct machine *m, int bytes, uint64_t *value)
{
    const unsigned char *at;
    if (!take(m, (size_t)bytes, &at)) return false;
    *value = vgg_bytes_little(at, bytes);
    return true;
}

static bool take_line(struct machine *m, struct vgg_pickle_text *text)
{
    const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end) return false;
    *text = (struct vgg_pickle_text) { (const char *)m->at, (size_t)(end - m->at) };
    m->at = end + 1;
    return true;
}

static enum vgg_status read_int(struct machine *m, int bytes, bool is_signed)
{
    uint64_t value;
    struct vgg_pickle_node *node = NULL;
    if (!take_number(m, bytes, &value)) return damaged(m, "ends inside a number");
    enum vgg_status status = make(m, VGG_PICKLE_INT, &node);
    if (status == VGG_OK) node->as.number = is_signed ? (int32_t)(uint32_t)value : (int64_t)value;
    return status;
}

/* LONG1: two's complement of so many bytes. */
static enum vgg_status read_long(struct machine *m)
{
    uint64_t size, value = 0;
    const unsigned char *bytes;
    struct vgg_pickle_node *node = NULL;
    if (!take_number(m, 1, &size) || !take(m, (size_t)size, &bytes)) return damaged(m, "ends inside a number");
    enum vgg_status status = make(m, size > MOST_NUMBER ? VGG_PICKLE_OTHER : VGG_PICKLE_INT, &node);
    if (status != VGG_OK || size > MOST_NUMBER) return status;
    if (size && bytes[size - 1] & 0x80) value = UINT64_MAX;
    for (size_t i = (size_t)size; i-- > 0;)
        value = value << 8 | bytes[i];
    node->as.number = (int64_t)value;
    return VGG_OK;
}

/* A text, or bytes, with its size before it. */
static enum vgg_status read_text(struct machine *m, int bytes, enum vgg_pickle_kind kind)
{
    uint64_t size;
    const unsigned char *at;
    struct vgg_pickle_node *node = NULL;
    if (!take_number(m, bytes, &size) || !take(m, size > SIZE_MAX ? SIZE_MAX : (size_t)size, &at))
        return damaged(m, "ends inside a text");
    enum vgg_status status = make(m, kind, &node);
    if (status == VGG_OK && kind == VGG_PICKLE_TEXT)
        node->as.text = (struct vgg_pickle_text) { (const char *)at, (size_t)size };
    return status;
}

static bool equal(const struct vgg_pickle_text *text, const char *word)
{
    return text->size == strlen(word) && memcmp(text->at, word, text->size) == 0;
}

static enum vgg_status ask(struct machine *m, const struct vgg_pickle_text *module, const struct vgg_pickle_text *name)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        struct vgg_pickle_node *node = NULL;
        if (!equal(module, globals[i].module) || !equal(name, globals[i].name)) continue;
        enum vgg_status status = make(m, VGG_PICKLE_GLOBAL, &node);
        if (status == VGG_OK) node->as.global = &globals[i];
        return status;
    }
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: its pickle asks for %s.%s, which no tensor needs and which is never run here; save tensors "
                    "alone: torch.save(model.state_dict(), FILE)",
                    m->path, vgg_pickle_show(module->at, module->size).text,
                    vgg_pickle_show(name->at, name->size).text);
}

/* ---- the stack ---- */

static uint32_t floor_of(const struct machine *m)
{
    return m->marks.count ? m->marks.at[m->marks.count - 1] : 0;
}

/* The n-th node from the top, above the topmost mark; NULL: not so many. */
static struct vgg_pickle_node *top(const struct machine *m, size_t n)
{
    if (m->stack.count < floor_of(m) + n + 1) return NULL;
    return &m->pickle->node[m->stack.at[m->stack.count - 1 - n]];
}

/* Makes the `count` topmost nodes the items of `node`, beside those that it has. */
static enum vgg_status move_items(struct machine *m, struct vgg_pickle_node *node, size_t count)
{
    if (count > node->capacity - node->count) {
        size_t capacity = node->capacity + (node->capacity > count ? node->capacity : count);
        uint32_t *grown = realloc(node->as.item, capacity * sizeof *grown);
        if (!grown) return vgg_fail_memory(m->path, capacity * sizeof *grown);
        node->as.item = grown;
        node->capacity = (uint32_t)capacity;
    }
    m->stack.count -= count;
    if (count) memcpy(node->as.item + node->count, m->stack.at + m->stack.count, count * sizeof *node->as.item);
    node->count += (uint32_t)count;
    return VGG_OK;
}

/* The nodes above the mark, which goes. False: there is no mark. */
static bool above_mark(struct machine *m, size_t *count)
{
    if (!m->marks.count) return false;
    *count = m->stack.count - floor_of(m);
    m->marks.count--;
    return true;
}

/* A container of the topmost nodes; with `marked` of those above the mark. */
static enum vgg_status gather(struct machine *m, enum vgg_pickle_kind kind, size_t count, bool marked)
{
    struct vgg_pickle_node *node = NULL;
    if (marked ? !above_mark(m, &count) : count && !top(m, count - 1)) return damaged(m, "takes what is not there");
    if (kind == VGG_PICKLE_DICT && count % 2) return damaged(m, "has a key without a value");
    enum vgg_status status = make(m, kind, &node);
    if (status != VGG_OK) return status;
    uint32_t made = m->stack.at[--m->stack.count];
    status = move_items(m, node, count);
    return status == VGG_OK ? push_to(&m->stack, made, m->path) : status;
}

/* Adds to the list or dictionary below what is added. */
static enum vgg_status extend(struct machine *m, enum vgg_pickle_kind kind, size_t count, bool marked)
{
    if (marked && !above_mark(m, &count)) return damaged(m, "takes what is not there");
    struct vgg_pickle_node *node = top(m, count);
    if (!node || node->kind != kind || (kind == VGG_PICKLE_DICT && count % 2))
        return damaged(m, "adds to something that takes no items");
    return move_items(m, node, count);
}

static enum vgg_status remember(struct machine *m, uint64_t number)
{
    if (!top(m, 0)) return damaged(m, "remembers what is not there");
    /* A number takes two bytes to say: none honest is beyond the pickle's size. */
    if (number >= (uint64_t)(m->end - m->begin)) return damaged(m, "remembers under a number that is too large");
    enum vgg_status status = VGG_OK;
    while (status == VGG_OK && m->memo.count <= number)
        status = push_to(&m->memo, 0, m->path);
    if (status == VGG_OK) m->memo.at[number] = m->stack.at[m->stack.count - 1] + 1;
    return status;
}

static enum vgg_status recall(struct machine *m, int bytes)
{
    uint64_t number;
    if (!take_number(m, bytes, &number)) return damaged(m, "ends inside a number");
    if (number >= m->memo.count || !m->memo.at[number]) return damaged(m, "recalls what was never remembered");
    return push_to(&m->stack, m->memo.at[number] - 1, m->path);
}

/* ---- calls ---- */

/* OrderedDict(): empty, or of a list of pairs, as Python 2 wrote it. */
static enum vgg_status make_dict(struct machine *m, const struct vgg_pickle_node *arguments)
{
    const struct vgg_pickle_node *pairs = arguments->count ? vgg_pickle_item(m->pickle, arguments, 0) : NULL;
    size_t count = pairs && pairs->kind == VGG_PICKLE_LIST ? pairs->count : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct vgg_pickle_node *pair = vgg_pickle_item(m->pickle, pairs, i);
        if ((pair->kind != VGG_PICKLE_LIST && pair->kind != VGG_PICKLE_TUPLE) || pair->count != 2)
            return damaged(m, "makes a dictionary of what are no pairs");
        for (int k = 0; k < 2; k++) {
            enum vgg_status status = push_to(&m->stack, pair->as.item[k], m->path);
            if (status != VGG_OK) return status;
        }
    }
    return gather(m, VGG_PICKLE_DICT, 2 * count, false);
}

/* Is it storage, offset, shape, strides (and what PyTorch says of gradients)? Then it becomes a tensor. */
static enum vgg_status rebuild(struct machine *m, struct vgg_pickle_node *arguments)
{
    static const enum vgg_pickle_kind kinds[4] = { VGG_PICKLE_STORAGE, VGG_PICKLE_INT, VGG_PICKLE_TUPLE,
                                                   VGG_PICKLE_TUPLE };
    for (uint32_t i = 0; i < 4; i++) {
        if (arguments->count <= i || vgg_pickle_item(m->pickle, arguments, i)->kind != kinds[i])
            return damaged(m, "makes a tensor of something else than storage, offset, shape and strides");
    }
    arguments->kind = VGG_PICKLE_TENSOR;
    return VGG_OK;
}

/* Calls callee on the tuple `arguments`; the result takes the place of the two topmost nodes. */
static enum vgg_status call(struct machine *m)
{
    struct vgg_pickle_node *arguments = top(m, 0), *callee = top(m, 1);
    for (int depth = 0; depth < 2; depth++) {
        if (!arguments || !callee || callee->kind != VGG_PICKLE_GLOBAL || arguments->kind != VGG_PICKLE_TUPLE)
            return damaged(m, "calls what is no function");
        uint32_t index = (uint32_t)(arguments - m->pickle->node);
        m->stack.count = depth ? m->stack.count - 1 : m->stack.count - 2;
        switch (callee->as.global->role) {
        case VGG_PICKLE_ORDERED_DICT: return make_dict(m, arguments);
        case VGG_PICKLE_REBUILD: {
            enum vgg_status status = rebuild(m, arguments);
            return status == VGG_OK ? push_to(&m->stack, index, m->path) : status;
        }
        case VGG_PICKLE_SIZE:
        case VGG_PICKLE_PARAMETER:
            if (arguments->count == 0) return damaged(m, "makes a parameter of nothing");
            return push_to(&m->stack, arguments->as.item[0], m->path);
        case VGG_PICKLE_FROM_TYPE:
            if (arguments->count < 3) return damaged(m, "makes a tensor of too little");
            callee = &m->pickle->node[arguments->as.item[0]];
            arguments = &m->pickle->node[arguments->as.item[2]];
            m->stack.count++; /* the next round takes one off */
            continue;
        case VGG_PICKLE_TYPE:
        case VGG_PICKLE_DTYPE: break;
        }
        break;
    }
    return damaged(m, "calls what is no function");
}

/* A storage: ("storage", kind, key, place, count[, view]). */
static enum vgg_status persist(struct machine *m)
{
    static const enum vgg_pickle_kind kinds[5] = { VGG_PICKLE_TEXT, VGG_PICKLE_GLOBAL, VGG_PICKLE_TEXT, VGG_PICKLE_TEXT,
                                                   VGG_PICKLE_INT };
    struct vgg_pickle_node *node = top(m, 0);
    if (!node || (node->kind != VGG_PICKLE_TUPLE && node->kind != VGG_PICKLE_STORAGE))
        return damaged(m, "refers to no storage");
    for (uint32_t i = 0; i < 5; i++) {
        if (node->count <= i || vgg_pickle_item(m->pickle, node, i)->kind != kinds[i])
            return damaged(m, "refers to no storage");
    }
    if (!vgg_pickle_is(vgg_pickle_item(m->pickle, node, 0), "storage") ||
        vgg_pickle_item(m->pickle, node, 1)->as.global->role != VGG_PICKLE_DTYPE)
        return damaged(m, "refers to no storage");
    if (node->count > 5 && vgg_pickle_item(m->pickle, node, 5)->kind != VGG_PICKLE_NONE) {
        return vgg_fail(VGG_ERR_UNSUPPORTED,
                        "%s: has storages that are views of others, as PyTorch before 0.4 wrote; "
                        "save it anew with a later PyTorch",
                        m->path);
    }
    node->kind = VGG_PICKLE_STORAGE;
    return VGG_OK;
}

/* State of an object: hooks of dictionaries and parameters, which say nothing about values. */
static enum vgg_status build(struct machine *m)
{
    const struct vgg_pickle_node *state = top(m, 0), *object = top(m, 1);
    if (!state || !object || (object->kind != VGG_PICKLE_DICT && object->kind != VGG_PICKLE_TENSOR))
        return damaged(m, "sets the state of something that has none");
    m->stack.count--;
    return VGG_OK;
}

static enum vgg_status ask_stack(struct machine *m)
{
    const struct vgg_pickle_node *name = top(m, 0), *module = top(m, 1);
    if (!name || !module || name->kind != VGG_PICKLE_TEXT || module->kind != VGG_PICKLE_TEXT)
        return damaged(m, "asks for a name that is no text");
    struct vgg_pickle_text first = module->as.text, second = name->as.text;
    m->stack.count -= 2;
    return ask(m, &first, &second);
}

static enum vgg_status drop(struct machine *m, bool marked)
{
    size_t count = 1;
    if (marked ? !above_mark(m, &count) : !top(m, 0)) return damaged(m, "takes what is not there");
    m->stack.count -= count;
    return VGG_OK;
}

/* ---- the program ---- */

static enum vgg_status step(struct machine *m, unsigned char opcode)
{
    uint64_t number;
    const unsigned char *bytes;
    struct vgg_pickle_text module, name;
    struct vgg_pickle_node *node = NULL;
    enum vgg_status status;
    switch (opcode) {
    case 0x80: /* PROTO */
        if (!take_number(m, 1, &number)) return damaged(m, "ends inside a number");
        if (number <= MOST_PROTOCOL) return VGG_OK;
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: pickle protocol %d is not read here; save it with the usual one",
                        m->path, (int)number);
    case 0x95: /* FRAME */
        if (!take_number(m, 8, &number)) return damaged(m, "ends inside a number");
        return number <= (uint64_t)(m->end - m->at) ? VGG_OK : damaged(m, "has a frame beyond its end");
    case '(': return push_to(&m->marks, (uint32_t)m->stack.count, m->path);
    case '0': return drop(m, false);
    case '1': return drop(m, true);
    case '2': /* DUP */
        return top(m, 0) ? push_to(&m->stack, m->stack.at[m->stack.count - 1], m->path)
                         : damaged(m, "takes what is not there");
    case 'N': return make(m, VGG_PICKLE_NONE, NULL);
    case 0x88:
    case 0x89: /* NEWTRUE, NEWFALSE */
        status = make(m, VGG_PICKLE_BOOL, &node);
        if (status == VGG_OK) node->as.number = opcode == 0x88;
        return status;
    case 'J': return read_int(m, 4, true);
    case 'K': return read_int(m, 1, false);
    case 'M': return read_int(m, 2, false);
    case 0x8a: return read_long(m);
    case 'G': /* BINFLOAT */
        return take(m, 8, &bytes) ? make(m, VGG_PICKLE_OTHER, NULL) : damaged(m, "ends inside a number");
    case 'X': return read_text(m, 4, VGG_PICKLE_TEXT);
    case 'T': return read_text(m, 4, VGG_PICKLE_TEXT);
    case 'U':
    case 0x8c: return read_text(m, 1, VGG_PICKLE_TEXT);
    case 0x8d: return read_text(m, 8, VGG_PICKLE_TEXT);
    case 'B': return read_text(m, 4, VGG_PICKLE_OTHER);
    case 'C': return read_text(m, 1, VGG_PICKLE_OTHER);
    case ')': return gather(m, VGG_PICKLE_TUPLE, 0, false);
    case 0x85:
    case 0x86:
    case 0x87: return gather(m, VGG_PICKLE_TUPLE, opcode - 0x84u, false);
    case 't': return gather(m, VGG_PICKLE_TUPLE, 0, true);
    case ']': return gather(m, VGG_PICKLE_LIST, 0, false);
    case 'l': return gather(m, VGG_PICKLE_LIST, 0, true);
    case 'a': return extend(m, VGG_PICKLE_LIST, 1, false);
    case 'e': return extend(m, VGG_PICKLE_LIST, 0, true);
    case '}': return gather(m, VGG_PICKLE_DICT, 0, false);
    case 'd': return gather(m, VGG_PICKLE_DICT, 0, true);
    case 's': return extend(m, VGG_PICKLE_DICT, 2, false);
    case 'u': return extend(m, VGG_PICKLE_DICT, 0, true);
    case 'q': return take_number(m, 1, &number) ? remember(m, number) : damaged(m, "ends inside a number");
    case 'r': return take_number(m, 4, &number) ? remember(m, number) : damaged(m, "ends inside a number");
    case 0x94: return remember(m, m->memo.count);
    case 'h': return recall(m, 1);
    case 'j': return recall(m, 4);
    case 'c':
        return take_line(m, &module) && take_line(m, &name) ? ask(m, &module, &name)
                                                            : damaged(m, "ends inside a global name");
    case 0x93: return ask_stack(m);
    case 'R': return call(m);
    case 'b': return build(m);
    case 'Q': return persist(m);
    default: break;
    }
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: its pickle has instruction 0x%02x at byte %zu, which no tensor needs and which is never run "
                    "here; save tensors alone: torch.save(model.state_dict(), FILE)",
                    m->path, opcode, (size_t)(m->at - m->begin) - 1);
}

enum vgg_status vgg_pickle_read(struct vgg_pickle *pickle, const void *bytes, size_t size, const char *path)
{
    struct machine m = { .pickle = pickle, .path = path, .at = bytes, .begin = bytes };
    enum vgg_status status = VGG_OK;
    bool stopped = false;
    m.end = m.at + size;
    *pickle = (struct vgg_pickle) { 0 };
    while (status == VGG_OK && !stopped) {
        if (m.at == m.end) {
            status = damaged(&m, "ends before its last instruction");
            break;
        }
        unsigned char opcode = *m.at++;
        stopped = opcode == '.';
        if (!stopped) status = step(&m, opcode);
    }
    if (status == VGG_OK && (m.stack.count != 1 || m.marks.count))
        status = damaged(&m, "ends with more than one object");
    if (status == VGG_OK) pickle->root = m.stack.at[0];
    pickle->used = (size_t)(m.at - m.begin);
    free(m.stack.at), free(m.marks.at), free(m.memo.at);
    if (status != VGG_OK) vgg_pickle_free(pickle);
    return status;
}

void vgg_pickle_free(struct vgg_pickle *pickle)
{
    for (uint32_t i = 0; i < pickle->count; i++) {
        if (pickle->node[i].kind >= VGG_PICKLE_TUPLE && pickle->node[i].kind != VGG_PICKLE_GLOBAL)
            free(pickle->node[i].as.item);
    }
    free(pickle->node);
    *pickle = (struct vgg_pickle) { 0 };
}

bool vgg_pickle_is(const struct vgg_pickle_node *node, const char *text)
{
    return node->kind == VGG_PICKLE_TEXT && equal(&node->as.text, text);
}

struct vgg_pickle_shown vgg_pickle_show(const char *text, size_t size)
{
    struct vgg_pickle_shown shown;
    size_t most = sizeof shown.text - 4, n = size < most ? size : most;
    for (size_t i = 0; i < n; i++)
        shown.text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    memcpy(shown.text + n, size > most ? "..." : "", size > most ? 4 : 1);
    return shown;
}
