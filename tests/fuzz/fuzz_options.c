/* Command lines, up to where something would be opened. Input: words, each ended by a newline. */
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_options.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_WORDS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1), *argv[MOST_WORDS + 2] = { (char[]) { "vgg16" } };
    struct cli cli = { 0 };
    void *options = NULL;
    int argc = 1, count;
    fuzz_assert(text, "out of memory");
    memcpy(text, bytes, size);
    text[size] = '\0';
    for (char *at = text, *end; argc <= MOST_WORDS && (end = strchr(at, '\n')); at = end + 1) {
        *end = '\0';
        argv[argc++] = at;
    }
    cli_progress_init(&cli.progress, true);
    cli_hold(&cli);
    enum vgg_status status = cli_parse(&cli, argc, argv, &options, &count);
    fuzz_assert(status == VGG_OK || status == VGG_ERR_ARGUMENT, "a command line that is neither right nor wrong usage");
    fuzz_assert(cli.progress.errors == (status != VGG_OK), "wrong usage is not told by one line");
    fuzz_assert(count < argc, "more arguments than words");
    fuzz_line(cli_release(&cli), "a message of more than one line");
    free(options);
    free(text);
    return 0;
}
