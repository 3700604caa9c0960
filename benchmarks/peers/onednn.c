/* onednn THREADS SECONDS CASE: the 13 convolutions of VGG16 in oneDNN (Debian: libdnnl-dev), in the layouts that it
 * chooses, without ReLU, pooling, loss or optimiser: a case of bench_net.c that extracts runs the forward passes, one
 * that trains all layers the gradients of inputs and weights as well. Winograd's algorithm is asked for and taken where
 * oneDNN has it (AVX-512 only), else its own choice. CASE-bf16: operands and results are bf16. CASE-int8: u8, weights
 * s8, results u8 by a scale for each channel, as oneDNN chooses; CASE-int8-winograd: by its F(2x2) for bytes.
 * DNNL_MAX_CPU_ISA=AVX512_CORE_BF16 keeps it from AMX, which it takes by itself. One JSON object on stdout. */
#include <dnnl.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { LAYERS = 13, PASSES = 3, MAX_ARGS = 4, MIN_RUNS = 3, MAX_RUNS = 1000 };

static const struct {
    const char *name;
    int size, batch, passes;
} cases[] = {
    { "extract-224-b1", 224, 1, 1 }, { "extract-224-b8", 224, 8, 1 }, { "extract-150-b8", 150, 8, 1 },
    { "extract-32-b64", 32, 64, 1 }, { "all-224-b8", 224, 8, 3 },     { "all-32-b64", 32, 64, 3 },
};

/* Channels in and out, and how often the image has been halved. */
static const struct {
    int in, out, halved;
} layers[LAYERS] = { { 3, 64, 0 },    { 64, 64, 0 },   { 64, 128, 1 },  { 128, 128, 1 }, { 128, 256, 2 },
                     { 256, 256, 2 }, { 256, 256, 2 }, { 256, 512, 3 }, { 512, 512, 3 }, { 512, 512, 3 },
                     { 512, 512, 4 }, { 512, 512, 4 }, { 512, 512, 4 } };

enum precision { FP32, BF16, INT8, INT8_WINOGRAD, PRECISIONS };
static const char *const suffix[PRECISIONS] = { "", "-bf16", "-int8", "-int8-winograd" };
/* Of x, of the weights, of y. */
static const dnnl_data_type_t types[PRECISIONS][3] = { { dnnl_f32, dnnl_f32, dnnl_f32 },
                                                       { dnnl_bf16, dnnl_bf16, dnnl_bf16 },
                                                       { dnnl_u8, dnnl_s8, dnnl_u8 },
                                                       { dnnl_u8, dnnl_s8, dnnl_u8 } };

/* One primitive with its memory. */
struct work {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[MAX_ARGS];
    int count, winograd;
};

static void check(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success) return;
    fprintf(stderr, "onednn: %s: status %d\n", what, (int)status);
    exit(1);
}

static void add_memory(struct work *work, const_dnnl_primitive_desc_t desc, dnnl_engine_t engine, int arg,
                       dnnl_query_t query, int index)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(desc, query, index);
    dnnl_memory_t memory;
    void *data;
    check(dnnl_memory_create(&memory, md, engine, DNNL_MEMORY_ALLOCATE), "memory");
    check(dnnl_memory_get_data_handle(memory, &data), "handle");
    size_t size = dnnl_memory_desc_get_size(md);
    for (size_t i = 0; i < size / sizeof(float) && md->data_type != dnnl_u8 && md->data_type != dnnl_s8; i++) {
        float x = (float)rand() / (float)RAND_MAX - 0.5f;
        uint32_t word;
        memcpy(&word, &x, sizeof word);
        if (md->data_type == dnnl_bf16) word = (word >> 16) * 0x10001; /* two of one value */
        memcpy((char *)data + i * sizeof word, &word, sizeof word);
    }
    for (size_t i = 0; i < size && (md->data_type == dnnl_u8 || md->data_type == dnnl_s8); i++)
        ((uint8_t *)data)[i] = (uint8_t)(rand() >> 8);
    work->args[work->count++] = (dnnl_exec_arg_t) { arg, memory };
}

/* One scale for each channel of the result. */
static dnnl_primitive_attr_t scaled(int channels)
{
    static float scale[512];
    dnnl_primitive_attr_t attr;
    for (int i = 0; i < channels; i++)
        scale[i] = 1e-4f * (float)(1 + i % 7);
    check(dnnl_primitive_attr_create(&attr), "attributes");
    check(dnnl_primitive_attr_set_output_scales(attr, channels, 1 << 1, scale), "scales");
    return attr;
}

static dnnl_status_t describe(dnnl_primitive_desc_t *desc, int layer, int size, int batch, int pass,
                              enum precision precision, dnnl_alg_kind_t alg, dnnl_engine_t engine)
{
    const dnnl_data_type_t *type = types[precision];
    int hw = size >> layers[layer].halved;
    dnnl_dims_t x = { batch, layers[layer].in, hw, hw }, w = { layers[layer].out, layers[layer].in, 3, 3 };
    dnnl_dims_t b = { layers[layer].out }, y = { batch, layers[layer].out, hw, hw }, one = { 1, 1 };
    dnnl_memory_desc_t xd, wd, bd, yd;
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_desc_t forward = NULL;
    check(dnnl_memory_desc_init_by_tag(&xd, 4, x, type[0], dnnl_format_tag_any), "x");
    check(dnnl_memory_desc_init_by_tag(&wd, 4, w, type[1], dnnl_format_tag_any), "w");
    check(dnnl_memory_desc_init_by_tag(&bd, 1, b, dnnl_f32, dnnl_a), "b");
    check(dnnl_memory_desc_init_by_tag(&yd, 4, y, type[2], dnnl_format_tag_any), "y");
    check(dnnl_convolution_forward_desc_init(&convolution,
                                             precision == FP32 ? dnnl_forward_training : dnnl_forward_inference, alg,
                                             &xd, &wd, &bd, &yd, one, one, one),
          "forward");
    dnnl_primitive_attr_t attr = precision >= INT8 ? scaled(layers[layer].out) : NULL;
    dnnl_status_t status = dnnl_primitive_desc_create(&forward, &convolution, attr, engine, NULL);
    if (attr) dnnl_primitive_attr_destroy(attr);
    if (pass == 0 || status != dnnl_success) {
        *desc = forward;
        return status;
    }
    if (pass == 1)
        check(dnnl_convolution_backward_data_desc_init(&convolution, alg, &xd, &wd, &yd, one, one, one), "data");
    else
        check(dnnl_convolution_backward_weights_desc_init(&convolution, alg, &xd, &wd, &bd, &yd, one, one, one),
              "weights");
    status = dnnl_primitive_desc_create(desc, &convolution, NULL, engine, forward);
    dnnl_primitive_desc_destroy(forward);
    return status;
}

static void prepare(struct work *work, int layer, int size, int batch, int pass, enum precision precision,
                    dnnl_engine_t engine)
{
    dnnl_primitive_desc_t desc = NULL;
    work->winograd = precision != INT8 && describe(&desc, layer, size, batch, pass, precision,
                                                   dnnl_convolution_winograd, engine) == dnnl_success;
    if (!work->winograd)
        check(describe(&desc, layer, size, batch, pass, precision, dnnl_convolution_auto, engine), "convolution");
    if (pass == 1)
        add_memory(work, desc, engine, DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0);
    else
        add_memory(work, desc, engine, DNNL_ARG_SRC, dnnl_query_src_md, 0);
    if (pass == 2) {
        add_memory(work, desc, engine, DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 0);
        add_memory(work, desc, engine, DNNL_ARG_DIFF_BIAS, dnnl_query_diff_weights_md, 1);
    } else {
        add_memory(work, desc, engine, DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0);
        if (pass == 0) add_memory(work, desc, engine, DNNL_ARG_BIAS, dnnl_query_weights_md, 1);
    }
    if (pass == 0)
        add_memory(work, desc, engine, DNNL_ARG_DST, dnnl_query_dst_md, 0);
    else
        add_memory(work, desc, engine, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0);
    check(dnnl_primitive_create(&work->primitive, desc), "primitive");
    dnnl_primitive_desc_destroy(desc);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct work work[LAYERS * PASSES];
    static double times[MAX_RUNS];
    size_t chosen = 0, count = sizeof cases / sizeof *cases;
    if (argc != 4) return fputs("usage: onednn THREADS SECONDS CASE\n", stderr), 2;
    enum precision precision = FP32;
    for (int i = 0; i < PRECISIONS; i++) {
        const char *end = strstr(argv[3], suffix[i]);
        if (i && end && strcmp(end, suffix[i]) == 0) precision = (enum precision)i;
    }
    size_t length = strlen(argv[3]) - strlen(suffix[precision]);
    while (chosen < count && (strncmp(cases[chosen].name, argv[3], length) != 0 || cases[chosen].name[length]))
        chosen++;
    if (chosen == count || (precision != FP32 && cases[chosen].passes > 1))
        return fprintf(stderr, "onednn: no case %s\n", argv[3]), 2;
    omp_set_num_threads(atoi(argv[1]));
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    int n = 0, winograd = 0, runs = 0, batch = cases[chosen].batch;
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int pass = 0; pass < cases[chosen].passes; pass++) {
            if (layer == 0 && pass == 1) continue; /* images need no gradient */
            prepare(&work[n], layer, cases[chosen].size, batch, pass, precision, engine);
            winograd += work[n++].winograd;
        }
    }
    double seconds = atof(argv[2]);
    for (double begun = now(); runs < MIN_RUNS + 1 || (now() - begun < seconds && runs < MAX_RUNS); runs++) {
        double start = now();
        for (int i = 0; i < n; i++)
            check(dnnl_primitive_execute(work[i].primitive, stream, work[i].count, work[i].args), "execute");
        check(dnnl_stream_wait(stream), "wait");
        times[runs] = now() - start;
    }
    qsort(times + 1, (size_t)--runs, sizeof *times, compare);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double median = times[1 + runs / 2];
    printf("{\"engine\": \"onednn\", \"case\": \"%s\", \"ms\": %.2f, \"ms_min\": %.2f, \"ms_max\": %.2f, "
           "\"images_per_second\": %.2f, \"runs\": %d, \"peak_mib\": %ld, \"convolutions\": %d, \"winograd\": %d}\n",
           argv[3], 1e3 * median, 1e3 * times[1], 1e3 * times[runs], batch / median, runs, usage.ru_maxrss >> 10, n,
           winograd);
    return 0;
}
