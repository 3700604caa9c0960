/* pickle.h: the part of Python's pickle format that dictionaries of PyTorch's tensors need. A pickle is a program for a
 * stack machine that can call any function of Python; here it can name the few that make tensors and nothing else, and
 * nothing is called: what it builds are nodes that describe numbers, texts, containers and tensors.
 *
 * Work and memory are linear in the bytes of the pickle, nothing recurses, and one pickle makes at most
 * VGG_PICKLE_NODES nodes. Source: Lib/pickletools.py of CPython 3.11 (protocols 0 to 5);
 * torch/_weights_only_unpickler.py for what torch.save writes. */
#ifndef CORE_FORMAT_PICKLE_H
#define CORE_FORMAT_PICKLE_H

#include "core/format/safetensors.h"

enum { VGG_PICKLE_NODES = 1 << 20 };

enum vgg_pickle_kind {
    VGG_PICKLE_OTHER, /* floats, bytes, numbers beyond 64 bits: only known to be there */
    VGG_PICKLE_NONE,
    VGG_PICKLE_BOOL,
    VGG_PICKLE_INT,
    VGG_PICKLE_TEXT,
    VGG_PICKLE_TUPLE,
    VGG_PICKLE_LIST,
    VGG_PICKLE_DICT, /* items: key, value, key, value ... */
    VGG_PICKLE_GLOBAL,
    VGG_PICKLE_STORAGE,
    VGG_PICKLE_TENSOR, /* items: storage, offset, shape, strides */
};

/* A name that a pickle may ask for. */
struct vgg_pickle_global {
    const char *module, *name;
    enum {
        VGG_PICKLE_ORDERED_DICT,
        VGG_PICKLE_SIZE,      /* torch.Size: a tuple */
        VGG_PICKLE_TYPE,      /* Parameter, Tensor: named only */
        VGG_PICKLE_REBUILD,   /* makes a tensor of storage, offset, shape, strides */
        VGG_PICKLE_PARAMETER, /* passes on its first argument */
        VGG_PICKLE_FROM_TYPE, /* calls its first argument with its third */
        VGG_PICKLE_DTYPE,     /* a kind of storage, or a dtype */
    } role;
    enum vgg_dtype dtype;
    size_t size; /* bytes of an element */
    const char *word;
};

struct vgg_pickle_node {
    enum vgg_pickle_kind kind;
    uint32_t count, capacity; /* of items */
    union {
        int64_t number;          /* BOOL, INT */
        struct vgg_pickle_text { /* TEXT: inside the pickle, not terminated */
            const char *at;
            size_t size;
        } text;
        const struct vgg_pickle_global *global; /* GLOBAL */
        uint32_t *item;                         /* the others: indices of nodes, by malloc */
    } as;
};

struct vgg_pickle {
    struct vgg_pickle_node *node;
    uint32_t count, capacity, root;
    size_t used; /* bytes of the pickle, up to its end */
};

/* Runs the pickle at the beginning of `size` bytes; these must outlive the result. Global names that tensors do not
 * need, instructions that would run code, and what is damaged are refused by name (VGG_ERR_UNSUPPORTED,
 * VGG_ERR_FORMAT). `path` is for messages. */
enum vgg_status vgg_pickle_read(struct vgg_pickle *pickle, const void *bytes, size_t size, const char *path);
void vgg_pickle_free(struct vgg_pickle *pickle); /* accepts one that was never read: all zero */

/* The k-th item of a node. */
static inline const struct vgg_pickle_node *vgg_pickle_item(const struct vgg_pickle *pickle,
                                                            const struct vgg_pickle_node *node, uint32_t k)
{
    return &pickle->node[node->as.item[k]];
}
/* Is it this text? */
bool vgg_pickle_is(const struct vgg_pickle_node *node, const char *text);
/* A text as a message can show it: what is not printable as '?', shortened. */
struct vgg_pickle_shown {
    char text[96];
};
struct vgg_pickle_shown vgg_pickle_show(const char *text, size_t size);

#endif
