/* Pickles: nothing but the stack machine. */
#include "core/format/pickle.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const enum vgg_pickle_kind kinds[4] = { VGG_PICKLE_STORAGE, VGG_PICKLE_INT, VGG_PICKLE_TUPLE,
                                                   VGG_PICKLE_TUPLE };
    struct vgg_pickle pickle = { 0 };
    fuzz_listen();
    enum vgg_status status = vgg_pickle_read(&pickle, bytes, size, "x.pth");
    fuzz_told(status);
    if (status == VGG_OK) {
        fuzz_assert(pickle.used <= size && pickle.root < pickle.count, "a pickle that ends outside of itself");
        for (uint32_t i = 0; i < pickle.count; i++) {
            const struct vgg_pickle_node *node = &pickle.node[i];
            if (node->kind == VGG_PICKLE_TEXT) {
                const char *begin = (const char *)bytes, *at = node->as.text.at;
                fuzz_assert(at >= begin && node->as.text.size <= size - (size_t)(at - begin), "a text outside");
                vgg_pickle_show(at, node->as.text.size);
            }
            if (node->kind != VGG_PICKLE_TUPLE && node->kind != VGG_PICKLE_LIST && node->kind != VGG_PICKLE_DICT &&
                node->kind != VGG_PICKLE_TENSOR && node->kind != VGG_PICKLE_STORAGE) {
                continue;
            }
            for (uint32_t k = 0; k < node->count; k++)
                fuzz_assert(node->as.item[k] < pickle.count, "an item that is no node");
            if (node->kind != VGG_PICKLE_TENSOR) continue;
            fuzz_assert(node->count >= 4, "a tensor of less than four items");
            for (uint32_t k = 0; k < 4; k++)
                fuzz_assert(vgg_pickle_item(&pickle, node, k)->kind == kinds[k], "a tensor of other items");
        }
    }
    vgg_pickle_free(&pickle);
    return 0;
}
