/* What a training reads of its checkpoint: the file, and in it the state, the history and the settings as text. Input:
 * a safetensors file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/train/checkpoint.h"
#include "core/train/settings.h"
#include "core/weights/checkpoint.h"
#include "tests/fuzz/fuzz.h"

/* As make_seeds.py writes them. */
static const char settings[] = "epochs: 3\nlearning rate: 0.5\ndata: a\\x0ab\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct vgg_checkpoint_mark mark;
    struct vgg_checkpoint checkpoint = { 0 };
    struct vgg_train_state state = { 0 };
    const char *path = fuzz_file("checkpoint-000001-00000002.safetensors", bytes, size);
    char folder[512];
    fuzz_assert(vgg_checkpoint_mark_read(&mark, strrchr(path, '/') + 1), "the name of a checkpoint is none");
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    fuzz_listen();
    enum vgg_status status = vgg_checkpoint_open(&checkpoint, &state, folder, settings, 3);
    if (status != VGG_ERR_FORMAT && checkpoint.file) { /* one that is passed over says why, and the call goes on */
        float params[4], moments[4], best[4];
        fuzz_told(status);
        fuzz_assert(state.epoch >= 0 && state.epoch <= 3 && state.history, "a state that cannot be");
        fuzz_listen();
        fuzz_told(vgg_checkpoint_read(&checkpoint, &(struct vgg_train_arrays) { params, moments, best, 4, 4 }));
    }
    vgg_checkpoint_close(&checkpoint);
    free(state.history);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return fuzz_mutate_safetensors(data, size, most, seed);
}
