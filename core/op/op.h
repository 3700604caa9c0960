/* op.h: the operations of a plan, as data. One struct describes what any backend may be asked to do. */
#ifndef CORE_OP_OP_H
#define CORE_OP_OP_H

#include "core/vgg16.h"

/* The memories of a network. A view names its arena, not a pointer: plans are built, printed, checked and costed
 * before any memory exists. SUM is a second memory of gradients, which VGG_OP_ADD adds to the first. */
enum vgg_arena { VGG_ARENA_PARAM, VGG_ARENA_GRAD, VGG_ARENA_MOMENT, VGG_ARENA_ACT, VGG_ARENA_SUM, VGG_ARENA_COUNT };

enum vgg_type { VGG_F32, VGG_U8, VGG_F16 };

/* Every view begins at a multiple of this many bytes in its arena (the largest minStorageBufferOffsetAlignment). */
enum { VGG_VIEW_ALIGN = 256 };

/* A tensor inside an arena, owning nothing. Dense: element (i, y, x, k) stands at ((i * h + y) * w + x) * c + k.
 *   activation  n h w c                 convolution kernel  n = 3, h = 3, w = c_in, c = c_out (Keras HWIO)
 *   bias        1 1 1 c                 dense kernel        1, 1, w = in, c = out
 *   flat range  1 1 1 count             dense input         any n h w c; in = h * w * c (Flatten is a way of reading)
 * n == 0: the view is absent. */
struct vgg_view {
    size_t offset; /* bytes */
    enum vgg_arena arena;
    enum vgg_type type;
    int n, h, w, c;
};

/* What each operation reads and writes. "x>0 mask": with VGG_OP_RELU, a backward-data operation multiplies what it
 * writes by (x > 0), x being the output of the ReLU below: dx is then the gradient before that ReLU. ReLU'(0) = 0. dx
 * is written, dw and db accumulate. y never overlaps an input unless said.
 * What is no number: sums, products, ReLU, losses and updates keep a NaN (ReLU(NaN) = NaN); a mask takes NaN > 0 as
 * false; a maximum is NaN where one of its window is, its place (arg, GMAXPOOL_BWD) then any of the window's. An
 * infinity stays one or becomes NaN, but in a convolution by Winograd's algorithm, which makes NaN or other
 * infinities in the tiles that see it. A device may take denormals, given and made, as 0. */
enum vgg_op_kind {
    VGG_OP_ZERO, /* y = 0 */
    VGG_OP_ADD,  /* y += x, flat ranges of one count */
    /* y = x * w + b, 3x3, stride 1, zero padding 1; VGG_OP_RELU; VGG_OP_POOL: 2x2 max-pool after it, y is the pooled
     * map; arg (optional with POOL): see VGG_OP_POOL2; q: see "Quantised layers" below */
    VGG_OP_CONV,
    VGG_OP_CONV_BWD_DATA,   /* dx from dy, w; VGG_OP_RELU: mask by x (same shape as dx); dx may be x */
    VGG_OP_CONV_BWD_WEIGHT, /* dw += , db += from dy, x */
    /* y = 2x2 stride 2 max of x, floor (an odd last row or column is dropped); arg (optional, U8, the shape of y) = 2 *
     * row + column of the first maximum in row order */
    VGG_OP_POOL2,
    VGG_OP_POOL2_BWD, /* dx = dy at arg, 0 elsewhere; VGG_OP_RELU: mask by y (the pooled output; same shape as dy) */
    VGG_OP_DENSE,     /* y = x w + b; VGG_OP_RELU; q: see "Quantised layers" below */
    VGG_OP_DENSE_BWD_DATA,   /* dx from dy, w; VGG_OP_RELU: mask by x */
    VGG_OP_DENSE_BWD_WEIGHT, /* dw += , db += from dy, x */
    VGG_OP_AVGPOOL,          /* y (n 1 1 c) = mean of x over h, w */
    VGG_OP_AVGPOOL_BWD,      /* dx = dy / (h w); VGG_OP_RELU: mask by x */
    VGG_OP_GMAXPOOL,         /* y (n 1 1 c) = max of x over h, w */
    VGG_OP_GMAXPOOL_BWD, /* dx = dy where x is the first maximum in row order, 0 elsewhere; VGG_OP_RELU: mask by x */
    /* y = x m / (1 - rate), m of vgg_rng_keep(step.seed, step.step, layer, index of the element in the whole batch:
     * (step.first + i) * h w c + j); y may be x */
    VGG_OP_DROPOUT,
    VGG_OP_DROPOUT_BWD, /* dx = dy m / (1 - rate), the same m; dx may be dy */
    VGG_OP_SOFTMAX,     /* y = softmax over c of x; y may be x */
    VGG_OP_SIGMOID,     /* y = 1 / (1 + exp(-x)); y may be x */
    /* y = softmax(x); loss[i] = -sw[i] sum over k of q[k] log y[i, k]; dx (optional) = sw step.loss_scale (y - q); t (n
     * 1 1 1): class numbers as floats; q = (1 - smoothing) onehot(t) + smoothing / c; sw, loss: n 1 1 1; sw absent: 1
     */
    VGG_OP_SOFTMAX_XENT,
    /* y = sigmoid(x), c = 1; loss = sw (max(x,0) - x t + log1p(exp(-|x|))); dx = sw loss_scale (y - t) */
    VGG_OP_SIGMOID_XENT,
    /* y = x after `rounds` times v = 0.75 v + 0.25, which settles at 1; y may be x. In no network: what a device
     * reaches here is its peak of fused multiply-adds */
    VGG_OP_FMA,
    /* dw *= min(1, limit / (norm + 1e-6)), norm the root of the sum of the squares of dw, a flat range; NaN everywhere
     * when the norm is not finite. Source: torch.nn.utils.clip_grad_norm_ (PyTorch 1.13) */
    VGG_OP_CLIP,
    /* dw *= step.unscale, a flat range; y (1 1 1 1) = 1 where any value of dw was not finite, else 0. Source:
     * torch.cuda.amp.GradScaler.unscale_ (PyTorch 1.13, AmpKernels.cu) */
    VGG_OP_UNSCALE,
    VGG_OP_SGD, /* the four updates: w, dw flat ranges of one count; m, v: moments where needed, flat, same count */
    VGG_OP_RMSPROP,
    VGG_OP_ADAM,
    VGG_OP_ADAMW,
    VGG_OP_KIND_COUNT
};

enum vgg_op_flag { VGG_OP_RELU = 1, VGG_OP_POOL = 2, VGG_OP_NESTEROV = 4 };

/* Quantised layers: VGG_OP_CONV and VGG_OP_DENSE with the view q, forward only, without arg. w, b and q are fp32 and
 * finite. x, y or both are of type VGG_U8 and stand for their bytes times a step, q[VGG_QUANT_X] or q[VGG_QUANT_Y],
 * above 0; y of bytes needs VGG_OP_RELU and ends at 255 steps. The result is defined to the bit, so that all backends
 * agree: arithmetic is in fp32, rounded after each operation and once by fma, and round() goes to the nearest, ties to
 * even. `share` is 1 / step y, 1 where y is of floats. A pool takes the maximum of values not yet rounded to bytes.
 *
 * x of floats (convolutions alone), the first layer: s = b, s = fma(x, w, s) in the order of row, column, channel of
 * the kernel, x outside of the map being 0; y = round(s share).
 *
 * x of bytes, dense: W = round(w (127 / m)), m = max |w| of the column; M = sum of x W, an integer;
 * y = fma(M, step x (m / 127) share, b share).
 *
 * x of bytes, convolution with q[VGG_QUANT_CLIP] = 0 (then all clips are 0), direct: as dense, the nine pixels side by
 * side being x in the order of the kernel's rows, 0 outside of the map.
 *
 * x of bytes, convolution with clips: Winograd's F(2x2, 3x3) (Lavin and Gray, CVPR 2016), whose B^T, G and A^T are
 *   1  0 -1  0       1    0    0      1  1  1  0
 *   0  1  1  0      1/2  1/2  1/2     0  1 -1 -1
 *   0 -1  1  0      1/2 -1/2  1/2
 *   0  1  0 -1       0    0    1
 * in integers, with a scale for each of the 16 taps (4 row + column) of the transformed input, and for each tap and
 * output channel of the transformed kernel (scales in Winograd's domain: LoWino, Li et al., ICPP 2021):
 *   V  = B^T x B of bytes, exact: 0 to 1020 at tap 5 (VGG_QUANT_PLUS), -510 to 510 at the others
 *   Vq = (V mul + 2^14) >> 15 cut to [-128, 127], at tap 5 to [0, 255]; mul = round(2^15 (limit / clip)) cut to
 *        [1, 2^15 - 1]; limit = 127, at tap 5 255; clip = q[VGG_QUANT_CLIP + tap], above 0: the largest |V| kept
 *   U  = G w G^T, first along the kernel's column, then along its row, each by w0, ((w0 + w2) + w1) / 2,
 *        ((w0 + w2) - w1) / 2, w2
 *   Uq = round(U (127 / m)), m = max |U| of the tap and output channel; m = 0 and Uq = 0 if that is below 1e-30
 *   M  = sum over the input channels of Vq Uq, an integer
 *   d  = step x (m / 127) (2^15 / mul) share, left to right; 2^15 / mul counts as 1 where mul is 2^15 - 1
 *   Z  = A^T of the columns of M: fma(M0, d0, fma(M2, d2, M1 d1)), fma(-M3, d3, fma(-M2, d2, M1 d1))
 *   y  = A^T of the rows of Z: (z0 + z2) + (z1 + b share), (z1 - z3) + (b share - z2)
 * Nothing overflows: V fits 16 bits, and so does V mul / 2^15; c products of bytes, with V taken 128 too large or not,
 * sum to at most 255 127 c in size, which is below 2^31 for c up to VGG_QUANT_TERMS, 9 c where c are channels. */
enum {
    VGG_QUANT_X,
    VGG_QUANT_Y,
    VGG_QUANT_CLIP,
    VGG_QUANT_TAPS = 16,
    VGG_QUANT_COUNT = VGG_QUANT_CLIP + VGG_QUANT_TAPS,
    VGG_QUANT_PLUS = 5,     /* the tap whose V is a sum of sums */
    VGG_QUANT_TERMS = 65536 /* weights of an output at most */
};

/* Activations in fp16: VGG_F16 may be, each by itself, x and y of VGG_OP_CONV (without q), dx and dy of
 * VGG_OP_CONV_BWD_DATA, x and dy of VGG_OP_CONV_BWD_WEIGHT, and dx and dy of VGG_OP_POOL2_BWD; channels then come in
 * sixteens. What masks is of the type of what it masks: x of dx, y of dy. Values written there are rounded to the
 * nearest, ties to even, below 2^-14 to a multiple of 2^-24; of those that are finite and too large y takes 65504, and
 * dx an infinity, so that whoever scales the loss finds it. */

/* Constants of an update. t = step.step - step.skipped + 1, lr = step.learning_rate times rate.
 *   sgd      g = dw + wd w; m = momentum m + g; w -= lr (nesterov ? g + momentum m : m)   (m absent: momentum is 0)
 *   rmsprop  g = dw + wd w; v = rho v + (1 - rho) g^2; w -= lr g / (sqrt(v) + eps)
 *   adam     g = dw + wd w; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; w -= lr m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps)
 *   adamw    w -= lr wd w, then as adam with g = dw */
struct vgg_hyper {
    float momentum, rho, beta1, beta2, epsilon, weight_decay;
    float rate; /* of this range, as a share of the step's; 0: 1 */
};

struct vgg_op {
    enum vgg_op_kind kind;
    unsigned flags;
    int layer;       /* index in the architecture; dropout's key and the name in prints and profiles */
    float rate;      /* dropout, 0 <= rate < 1 */
    int rounds;      /* VGG_OP_FMA, 1 or more */
    float smoothing; /* VGG_OP_SOFTMAX_XENT, 0 <= smoothing < 1 */
    float limit;     /* VGG_OP_CLIP, above 0 */
    struct vgg_view x, w, b, y, arg, dx, dw, db, dy, t, sw, loss, m, v, q;
    struct vgg_hyper hyper;
};

/* The views of an operation by number, and what the operation does with each. */
enum vgg_op_view {
    VGG_OP_X,
    VGG_OP_W,
    VGG_OP_B,
    VGG_OP_Y,
    VGG_OP_ARG,
    VGG_OP_DX,
    VGG_OP_DW,
    VGG_OP_DB,
    VGG_OP_DY,
    VGG_OP_T,
    VGG_OP_SW,
    VGG_OP_LOSS,
    VGG_OP_M,
    VGG_OP_V,
    VGG_OP_Q,
    VGG_OP_VIEW_COUNT
};
enum vgg_op_role { VGG_OP_ABSENT, VGG_OP_READS, VGG_OP_WRITES, VGG_OP_UPDATES };

/* What changes from submission to submission while the list stays. */
struct vgg_step {
    uint64_t seed, step; /* of dropout; step also counts the steps done before this one, */
    uint64_t skipped;    /* and this those of them that updated nothing */
    uint32_t first;      /* position of this list's first image in the whole batch */
    float loss_scale; /* S / images in the whole batch, S: what the loss is multiplied by, 1 without VGG_OP_UNSCALE */
    float unscale;    /* 1 / S */
    float learning_rate;
};

/* "CONV" and so on; "UNKNOWN" for what is no kind. */
const char *vgg_op_name(enum vgg_op_kind kind);
size_t vgg_type_size(enum vgg_type type);           /* bytes of an element */
size_t vgg_view_count(const struct vgg_view *view); /* elements */
size_t vgg_view_size(const struct vgg_view *view);  /* bytes */
/* Checks every shape rule above and that each view lies inside its arena. On failure *why is a static string. */
bool vgg_op_check(const struct vgg_op *op, const size_t arena_size[VGG_ARENA_COUNT], const char **why);
/* Floating-point operations of one execution (a multiplication and an addition are two). */
double vgg_op_flops(const struct vgg_op *op);
/* Bytes that one execution must move when every view is read or written once; those updated count twice. */
double vgg_op_bytes(const struct vgg_op *op);
const char *vgg_op_view_name(enum vgg_op_view view); /* "x" */
const struct vgg_view *vgg_op_view(const struct vgg_op *op, enum vgg_op_view view);
/* ABSENT also where the view is there and the operation has no use for it. */
enum vgg_op_role vgg_op_role(const struct vgg_op *op, enum vgg_op_view view);
/* Does it write or update the view? */
bool vgg_op_changes(const struct vgg_op *op, enum vgg_op_view view);
/* Is any of its views of VGG_F16? */
bool vgg_op_has_halves(const struct vgg_op *op);
/* Does an update need this moment (VGG_OP_M, VGG_OP_V)? SGD without momentum needs none. */
bool vgg_op_keeps(const struct vgg_op *op, enum vgg_op_view moment);
/* One line without a newline: kind, flags, shapes. Returns what snprintf would. */
int vgg_op_print(char *text, size_t size, const struct vgg_op *op);

#endif
