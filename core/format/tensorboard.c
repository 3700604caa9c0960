#include "core/format/tensorboard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"

enum { RUN_TRAIN, RUN_VALIDATION, RUNS };

enum { LONGEST_TAG = 32, LONGEST_RECORD = 128 };

/* One file. */
struct run {
    FILE *stream;
    char *path;
};

struct vgg_tensorboard {
    struct run run[RUNS];
};

/* A record that grows; always long enough for what is put here. */
struct record {
    uint8_t bytes[LONGEST_RECORD];
    size_t size;
};

/* ---- CRC ---- */

/* The polynomial 0x1EDC6F41 with its bits reversed. */
static uint32_t crc_byte(uint32_t crc)
{
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0u);
    return crc;
}

uint32_t vgg_tensorboard_crc(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ crc_byte((crc ^ bytes[i]) & 0xFF);
    return ~crc;
}

static uint32_t masked_crc(const void *data, size_t size)
{
    uint32_t crc = vgg_tensorboard_crc(data, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/* ---- records ---- */

/* `size` low bytes of a value, little-endian. */
static void put_little(struct record *record, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        record->bytes[record->size++] = (uint8_t)(value >> 8 * i);
}

static void put_varint(struct record *record, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        record->bytes[record->size++] = (uint8_t)(value | 0x80);
    record->bytes[record->size++] = (uint8_t)value;
}

/* Protobuf's wire types. */
enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void put_key(struct record *record, int field, enum wire wire)
{
    put_varint(record, (uint64_t)field << 3 | (uint64_t)wire);
}

static void put_bytes(struct record *record, int field, const void *bytes, size_t size)
{
    put_key(record, field, WIRE_BYTES);
    put_varint(record, size);
    memcpy(record->bytes + record->size, bytes, size);
    record->size += size;
}

static void put_time(struct record *record)
{
    double seconds = vgg_os_date_seconds();
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    put_key(record, 1, WIRE_64);
    put_little(record, bits, 8);
}

static enum vgg_status write_failed(const struct run *run)
{
    return vgg_fail(VGG_ERR_IO, "%s: writing failed: %s", run->path, strerror(errno));
}

static enum vgg_status write_record(struct run *run, const struct record *event)
{
    struct record frame = { 0 };
    put_little(&frame, event->size, 8);
    put_little(&frame, masked_crc(frame.bytes, 8), 4);
    memcpy(frame.bytes + frame.size, event->bytes, event->size);
    frame.size += event->size;
    put_little(&frame, masked_crc(event->bytes, event->size), 4);
    return fwrite(frame.bytes, 1, frame.size, run->stream) == frame.size ? VGG_OK : write_failed(run);
}

static enum vgg_status write_scalar(struct run *run, const char *tag, uint64_t step, double value)
{
    struct record item = { 0 }, summary = { 0 }, event = { 0 };
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    put_bytes(&item, 1, tag, strnlen(tag, LONGEST_TAG));
    put_key(&item, 2, WIRE_32);
    put_little(&item, bits, 4);
    put_bytes(&summary, 1, item.bytes, item.size);
    put_time(&event);
    put_key(&event, 2, WIRE_VARINT);
    put_varint(&event, step);
    put_bytes(&event, 5, summary.bytes, summary.size);
    return write_record(run, &event);
}

/* ---- files ---- */

/* A name that no other run has: TensorBoard wants "tfevents" in it and reads a folder's files in the order of names. */
static enum vgg_status open_run(struct run *run, const char *folder, const char *name)
{
    static const char version[] = "brain.Event:2";
    struct record event = { 0 };
    char host[64] = "localhost", file[160];
    enum vgg_status status = VGG_OK;
    char *path = vgg_file_join(folder, name);
    if (!path) return vgg_fail_memory("a path", strlen(folder) + strlen(name));
    CHECK(vgg_file_mkdirs(path));
    vgg_os_host(host, sizeof host);
    snprintf(file, sizeof file, "events.out.tfevents.%010lld.%s.%ld.v2", (long long)vgg_os_date_seconds(), host,
             vgg_os_process());
    run->path = vgg_file_join(path, file);
    if (!run->path) CHECK(vgg_fail_memory("a path", strlen(path)));
    run->stream = vgg_os_fopen(run->path, "ab");
    if (!run->stream) CHECK(vgg_fail(VGG_ERR_IO, "%s: cannot be written: %s", run->path, strerror(errno)));
    put_time(&event);
    put_bytes(&event, 3, version, sizeof version - 1);
    CHECK(write_record(run, &event));
    if (fflush(run->stream) != 0) CHECK(write_failed(run));
fail:
    free(path);
    return status;
}

enum vgg_status vgg_tensorboard_create(struct vgg_tensorboard **out, const char *folder, bool validation)
{
    enum vgg_status status = VGG_OK;
    struct vgg_tensorboard *board = vgg_mem_calloc(1, sizeof *board);
    *out = NULL;
    if (!board) return vgg_fail_memory("event files", sizeof *board);
    CHECK(open_run(&board->run[RUN_TRAIN], folder, "train"));
    if (validation) CHECK(open_run(&board->run[RUN_VALIDATION], folder, "validation"));
    *out = board;
    return VGG_OK;
fail:
    vgg_tensorboard_destroy(board);
    return status;
}

void vgg_tensorboard_destroy(struct vgg_tensorboard *board)
{
    if (!board) return;
    for (int i = 0; i < RUNS; i++) {
        if (board->run[i].stream && fclose(board->run[i].stream) != 0) (void)write_failed(&board->run[i]);
        free(board->run[i].path);
    }
    free(board);
}

enum vgg_status vgg_tensorboard_step(struct vgg_tensorboard *board, uint64_t step, double loss)
{
    return write_scalar(&board->run[RUN_TRAIN], "batch_loss", step, loss);
}

enum vgg_status vgg_tensorboard_epoch(struct vgg_tensorboard *board, const struct vgg_epoch *epoch)
{
    enum vgg_status status = VGG_OK;
    uint64_t step = (uint64_t)epoch->epoch - 1;
    struct run *train = &board->run[RUN_TRAIN], *validation = &board->run[RUN_VALIDATION];
    CHECK(write_scalar(train, "epoch_loss", step, epoch->loss));
    CHECK(write_scalar(train, "epoch_accuracy", step, epoch->accuracy));
    CHECK(write_scalar(train, "epoch_learning_rate", step, epoch->learning_rate));
    if (fflush(train->stream) != 0) CHECK(write_failed(train));
    if (!validation->stream) return VGG_OK;
    CHECK(write_scalar(validation, "epoch_loss", step, epoch->val_loss));
    CHECK(write_scalar(validation, "epoch_accuracy", step, epoch->val_accuracy));
    if (fflush(validation->stream) != 0) CHECK(write_failed(validation));
fail:
    return status;
}
